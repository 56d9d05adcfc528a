import { cpSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import * as records from '../src/records.ts'
import { type BlockRecord, blocks, headers, marks } from '../src/records.ts'
import { Store } from '../src/store.ts'

const network = new Uint8Array(32).fill(1)
const block = (height: number): BlockRecord => ({
  hash: new Uint8Array(32).fill(height),
  chain: {
    height,
    hash: new Uint8Array(32).fill(height),
    mode: 'active',
    link: { outpoint: { txid: new Uint8Array(32), vout: 1 }, number: 4_000_000_000 },
    line: [
      {
        number: 3,
        headerHash: new Uint8Array(32),
        post: new Uint8Array(32),
        anchorHeight: 7,
        parent: new Uint8Array(32),
        challenges: { data: { raisedAt: 8, deadline: 12, covered: [[0, 5]] } },
      },
    ],
    final: { number: 2, headerHash: new Uint8Array(32), anchorHeight: 5, firstVoid: 6 },
    queue: 0,
    vault: {
      head: { txid: new Uint8Array(32), vout: 0 },
      value: 10n ** 15n,
      number: 4,
      paid: [
        [0, 3],
        [5, 6],
      ],
    },
    bonds: [],
  },
  facts: {
    deposits: [
      {
        position: { height, tx: 1, index: 0 },
        txid: new Uint8Array(32),
        key: new Uint8Array(32),
        refundKey: new Uint8Array(32),
        value: 2_100_000_000_000_000n,
      },
    ],
    swept: [],
    refunded: [],
    forced: [],
    final: [],
  },
  coins: [{ txid: new Uint8Array(32).fill(9), vout: 0, value: 1n, height, coinbase: false }],
})

describe('Store', () => {
  let folder: string
  let store: Store

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'kedge-store-'))
    store = await Store.open(folder, network)
  })

  afterEach(async () => {
    await store.close()
    rmSync(folder, { recursive: true })
  })

  it('gives records back exactly, with plain bytes and bigints', async () => {
    await store.commit([blocks.put(300, block(300))])
    const back = await store.get(blocks, 300)
    expect(back).toEqual(block(300))
    expect(Object.getPrototypeOf(back?.hash)).toBe(Uint8Array.prototype)
    expect(await store.get(blocks, 301)).toBeUndefined()
  })

  it('ranges in the order of numbers, inside one table only', async () => {
    await store.commit([
      ...[256, 1, 255, 70_000].map((height) => blocks.put(height, block(height))),
      headers.put(network, network),
    ])
    const keys: number[] = []
    for await (const [height] of store.range(blocks)) keys.push(height)
    expect(keys).toEqual([1, 255, 256, 70_000])
    const last: number[] = []
    for await (const [height] of store.range(blocks, { reverse: true, to: 256, limit: 1 })) last.push(height)
    expect(last).toEqual([255])
  })

  it('keeps what was committed when opened again, and refuses another network', async () => {
    await store.commit([marks.put('open', Uint8Array.of(1, 2))])
    await store.close()
    await expect(Store.open(folder, new Uint8Array(32).fill(2))).rejects.toThrow(/network/)
    store = await Store.open(folder, network)
    expect(await store.get(marks, 'open')).toEqual(Uint8Array.of(1, 2))
  })

  it('refuses a folder that is in use', async () => {
    await expect(Store.open(folder, network)).rejects.toThrow(/in use/)
  })

  it.each([
    ['CURRENT', (file: string) => writeFileSync(file, 'xyz')],
    ['MANIFEST', (file: string) => rmSync(file)],
  ])('calls a folder damaged whose %s is broken, and says what to do', async (name, damage) => {
    await store.close()
    const broken = mkdtempSync(join(tmpdir(), 'kedge-store-'))
    cpSync(folder, broken, { recursive: true })
    damage(join(broken, readdirSync(broken).find((file) => file.startsWith(name)) as string))
    await expect(Store.open(broken, network)).rejects.toThrow(
      /the data folder is damaged\. Restore it from a backup, or/,
    )
    rmSync(broken, { recursive: true })
    store = await Store.open(folder, network)
  })

  it('names the table of a damaged record', async () => {
    await store.commit([{ type: 'put', key: blocks.keyBytes(5), value: Uint8Array.of(0xc1, 0xff) }])
    await expect(store.get(blocks, 5)).rejects.toThrow(
      /table block can't be read: the data folder is damaged\. Restore/,
    )
  })
})

it('no two tables have one key space', () => {
  const tables = Object.values(records)
  const spaces = tables.map(({ first }) => Buffer.from(first).toString('hex'))
  expect(spaces.length).toBeGreaterThan(15)
  expect(new Set(spaces).size).toBe(spaces.length)
})
