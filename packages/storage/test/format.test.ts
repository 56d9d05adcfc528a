import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Level } from 'level'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { DamagedError, FormatError } from '../src/index.ts'
import * as records from '../src/records.ts'
import { Store } from '../src/store.ts'

const network = new Uint8Array(32).fill(1)

/** Where a folder says its format and its network, in every format. */
const [FORMAT_KEY, OWNER_KEY] = [Uint8Array.of(0, 1), Uint8Array.of(0)]

let folder: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'kedge-format-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

/** Opens it and closes it again. */
async function open(of = network): Promise<void> {
  await (await Store.open(folder, of)).close()
}

/** Looks at a folder, and changes it, past the store. */
async function past<T>(work: (level: Level<Uint8Array, Uint8Array>) => Promise<T>): Promise<T> {
  const level = new Level<Uint8Array, Uint8Array>(folder, { keyEncoding: 'view', valueEncoding: 'view' })
  await level.open()
  return work(level).finally(() => level.close())
}

const readAll = () => past(async (level) => (await level.iterator().all()).map((entry) => entry.map(hex)))
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')

describe('a data folder', () => {
  it('says its format and network from its first opening on, and is opened by the same again', async () => {
    await open()
    const first = await readAll()
    expect(first).toEqual([
      ['00', hex(network)],
      ['0001', '00000001'],
    ])
    await open()
    expect(await readAll()).toEqual(first)
  })

  it('that a crash left without a record is a fresh one', async () => {
    await past(() => Promise.resolve())
    await open()
    expect(await readAll()).toHaveLength(2)
  })

  it.each([
    ['an older format', [0, 0, 0, 0], 0],
    ['a newer format', [0, 0, 0, 2], 2],
    ['a number of another width', [0, 0, 0, 0, 1], undefined],
    ['an empty format', [], undefined],
  ])('of %s is refused, whosever it is, and left as it was', async (_, value, found) => {
    await open()
    await past((level) => level.put(FORMAT_KEY, Uint8Array.from(value)))
    const before = await readAll()
    for (const of of [network, new Uint8Array(32)])
      await expect(open(of)).rejects.toMatchObject({ name: 'FormatError', folder, found, needed: 1 })
    expect(await readAll()).toEqual(before)
  })

  it('with records and without a format is refused, whether it names a network or not', async () => {
    await open()
    await past((level) => level.del(FORMAT_KEY))
    await expect(open()).rejects.toMatchObject({ name: 'FormatError', folder, found: undefined, needed: 1 })
    await past(async (level) => {
      await level.del(OWNER_KEY)
      await level.put(Uint8Array.of(12, 97), Uint8Array.of(1))
    })
    await expect(open()).rejects.toThrow(FormatError)
  })

  it('of this format that names no network is damaged', async () => {
    await open()
    await past((level) => level.del(OWNER_KEY))
    await expect(open()).rejects.toThrow(DamagedError)
  })
})

it('what is wrong and what to do stands in one line', () => {
  const { message } = new FormatError('/data/db', 7)
  expect(message).toMatch(
    /^\/data\/db is of format 7, and this version of Kedge reads format 1 alone\. Run the version/,
  )
  expect(message).toMatch(/again from Bitcoin and its peers; a sequencer goes on in it with a resume/)
  expect(message).not.toContain('\n')
  expect(new FormatError('/data/db', undefined).message).toMatch(/^\/data\/db holds records without a format number/)
})

it('format 1 has these tables: without one, or with other bytes in one, it is another format; a new one nobody else reads', () => {
  const tables = Object.values(records).map(({ name, first }) => `${first[0]} ${name}`)
  expect(tables.sort((a, b) => Number.parseInt(a, 10) - Number.parseInt(b, 10)).join(', ')).toBe(
    '1 block, 2 link, 3 notice, 4 header, 5 operations, 6 steps, 7 delta, 8 verdict, 9 published, 10 lookup, ' +
      '11 journal, 12 mark, 13 intent, 14 anchor-transaction, 15 publication, 16 page, 17 grouping, 18 group, ' +
      '20 slots, 22 bond, 30 claims, 31 vault-head, 32 idle, 33 payout, 34 tick',
  )
})
