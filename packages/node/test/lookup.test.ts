import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Place } from '@kedge/api'
import {
  type Credit,
  encodeHeader,
  encodeOperation,
  encodeWhole,
  type Header,
  headerHash,
  installHasher,
  namedCells,
  type Operation,
  type Position,
  type Transfer,
  transferMessage,
  ZERO_HASH,
} from '@kedge/core'
import { headers, type LinkRecord, lookups, operations, Store } from '@kedge/storage'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { BatchData } from '../src/data.ts'
import { fastestHasher } from '../src/hasher.ts'
import { GENESIS_HEAD, readLine } from '../src/line.ts'
import { LinkIndex } from '../src/links.ts'
import { Lookup } from '../src/lookup.ts'
import { cellKey, creditKey, paymentKey, RowList } from '../src/lookup-rows.ts'
import type { Head } from '../src/snapshot.ts'

installHasher(fastestHasher())

const network = new Uint8Array(32).fill(7)
const CELLS = 6

interface Made {
  readonly number: number
  readonly headerHash: Uint8Array
  readonly operations: readonly Operation[]
}

/** A ledger's batches that exist only as records, with links that say which of them are live. */
class Records {
  readonly store: Store
  readonly follower: { links: LinkIndex; readonly chain: { final: Head } }
  readonly executor: { head: Head; readonly rejection: undefined }
  readonly data: BatchData
  readonly network = network
  line: Made[] = []
  private links: LinkRecord[] = []
  private made = 0

  constructor(store: Store) {
    this.store = store
    this.follower = { links: new LinkIndex(), chain: { final: GENESIS_HEAD } }
    this.executor = { head: GENESIS_HEAD, rejection: undefined }
    this.data = new BatchData(store, () => Promise.resolve(undefined))
  }

  async append(content: readonly Operation[]): Promise<void> {
    const parent = this.line.at(-1)
    const number = this.links.length + 1
    this.made++
    const header: Header = {
      network,
      number,
      parent: parent?.headerHash ?? ZERO_HASH,
      origin: { height: this.made, hash: network },
      pre: network,
      post: network,
      opsRoot: network,
      stepsRoot: network,
      opCount: content.length,
      nonceRoot: network,
      prevSig: new Uint8Array(96),
    }
    const headerBytes = encodeHeader(header)
    const hash = headerHash(headerBytes)
    const source = { headerBytes, pre: network, operations: content.map(encodeOperation), stepRoots: new Uint8Array(0) }
    await this.store.commit([headers.put(hash, headerBytes), operations.put(hash, encodeWhole('data', source))])
    this.line.push({ number, headerHash: hash, operations: content })
    this.links.push({ number, outcome: 'batch', headerHash: hash, post: network, height: number, txid: network })
    this.apply()
  }

  /** The last batches leave the line: void, or as if Bitcoin had never had them. */
  cut(count: number, how: 'void' | 'reorganised'): void {
    const left = this.line.slice(0, Math.max(this.finalCount, this.line.length - count))
    const gone = new Set(this.line.slice(left.length).map(({ number }) => number))
    const [first] = gone
    if (first === undefined) return
    if (how === 'reorganised') this.links = this.links.slice(0, first - 1)
    else {
      const voided = { height: 9, cause: 'evidence' } as const
      this.links = this.links.map((link) => (gone.has(link.number) ? { ...link, voided } : link))
    }
    this.line = left
    this.apply()
  }

  finalize(count: number): void {
    const last = this.line[Math.min(this.line.length, this.finalCount + count) - 1]
    if (last !== undefined) this.follower.chain.final = last
  }

  private get finalCount(): number {
    return this.line.filter(({ number }) => number <= this.follower.chain.final.number).length
  }

  private apply(): void {
    this.follower.links = new LinkIndex(this.links)
    this.executor.head = this.line.at(-1) ?? GENESIS_HEAD
  }
}

function transfer(from: number, toCell: number, nonce: number): Transfer {
  const plain = { kind: 'transfer', mayCreate: false, amount: 1n, fee: 1n, expiry: 1, memo: ZERO_HASH } as const
  return { ...plain, from, toCell, nonce: BigInt(nonce), to: network, signature: new Uint8Array(64) }
}

let folder: string
let store: Store

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kedge-lookup-'))
  store = await Store.open(join(folder, 'db'), network)
})

afterEach(async () => {
  await store.close()
  await rm(folder, { recursive: true })
})

async function caughtUp(records: Records): Promise<Lookup> {
  const lookup = new Lookup(records)
  while (!(await lookup.catchUp()));
  return lookup
}

async function countRuns(): Promise<number> {
  let runs = 0
  for await (const [key] of store.range(lookups)) if (key[0] === 0) runs++
  return runs
}

function placesIn(line: readonly Made[], matches: (operation: Operation) => boolean): Place[] {
  const places = line.flatMap(({ number, operations: content }) =>
    content.flatMap((operation, index) => (matches(operation) ? [{ batch: number, index }] : [])),
  )
  return places.reverse()
}

function touches(operation: Operation, cell: number): boolean {
  return namedCells(operation).includes(cell)
}

/** Compares everything that can be asked with a look at each operation of the line. */
async function expectAgreement(records: Records, lookup: Lookup): Promise<void> {
  const { line } = records
  const way = await readLine(records, false)
  for (let cell = 0; cell < CELLS; cell++) {
    const all = placesIn(line, (operation) => touches(operation, cell))
    expect(await lookup.findTouches(way, cell, undefined, Number.POSITIVE_INFINITY)).toEqual(all)
    const [before] = all.slice(Math.floor(all.length / 2))
    const rest = before === undefined ? all : all.slice(all.indexOf(before) + 1)
    const found = await lookup.findTouches(way, cell, before, 3)
    expect(found.length).toBeGreaterThanOrEqual(Math.min(3, rest.length))
    expect(found).toEqual(rest.slice(0, found.length))
  }
  for (const { number, operations: content } of line.slice(-3)) {
    for (const [index, operation] of content.entries()) {
      const place = { batch: number, index }
      if (operation.kind === 'transfer') {
        expect(await lookup.findSigned(way, transferMessage(network, operation))).toEqual([place])
      }
      if (operation.kind === 'deposit') expect(await lookup.findCredit(way, operation.position)).toEqual(place)
    }
  }
}

type Change =
  | { readonly kind: 'append'; readonly sizes: readonly number[] }
  | { readonly kind: 'cut'; readonly count: number; readonly how: 'void' | 'reorganised' }
  | { readonly kind: 'finalize'; readonly count: number }

async function change(records: Records, each: Change, operation: () => Operation): Promise<void> {
  if (each.kind === 'cut') records.cut(each.count, each.how)
  else if (each.kind === 'finalize') records.finalize(each.count)
  else for (const size of each.sizes) await records.append(Array.from({ length: size }, operation))
}

async function ask(records: Records, lookup: Lookup): Promise<Lookup> {
  while (!(await lookup.catchUp()));
  await expectAgreement(records, lookup)
  return lookup
}

/** Operations of all kinds, each another one, over few cells. */
function operationsFrom(seed: number): () => Operation {
  let made = seed
  return () => {
    made++
    const cell = made % CELLS
    if (made % 7 === 0) return { kind: 'collect', cell, amount: 1n }
    const position: Position = { height: made, tx: made % 30_000, index: made % 100_000 }
    const operation = transfer(cell, (made * 3 + 1) % CELLS, made)
    if (made % 11 === 0) return { kind: 'forced', position: { ...position, index: 0 }, operation }
    if (made % 5 === 0) return { kind: 'deposit', position, key: network, amount: 1n, cell } satisfies Credit
    return operation
  }
}

describe('a lookup', () => {
  const size = fc.oneof({ arbitrary: fc.nat(3), weight: 9 }, { arbitrary: fc.constant(400), weight: 1 })
  const step = fc.oneof(
    fc.record({ kind: fc.constant('append' as const), sizes: fc.array(size, { minLength: 1, maxLength: 40 }) }),
    fc.record({
      kind: fc.constant('cut' as const),
      count: fc.integer({ min: 1, max: 12 }),
      how: fc.constantFrom('void' as const, 'reorganised' as const),
    }),
    fc.record({ kind: fc.constant('finalize' as const), count: fc.integer({ min: 1, max: 60 }) }),
    fc.record({ kind: fc.constant('ask' as const), restart: fc.boolean() }),
  )

  it('finds what a look at every operation of the line finds, whatever the line was before', async () => {
    let merged = 0
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 6, maxLength: 20 }), fc.nat(1_000_000), async (steps, seed) => {
        for await (const [key] of store.range(lookups)) await store.commit([lookups.del(key)])
        const records = new Records(store)
        const operation = operationsFrom(seed)
        let lookup = await caughtUp(records)
        for (const each of steps) {
          if (each.kind !== 'ask') await change(records, each, operation)
          else lookup = await ask(records, each.restart ? new Lookup(records) : lookup)
        }
        await ask(records, lookup)
        if ((await countRuns()) < records.line.length) merged++
      }),
      { numRuns: 20 },
    )
    expect(merged).toBeGreaterThan(0)
  })

  it('merges runs as batches become final, and finds the same', async () => {
    const records = new Records(store)
    const lookup = new Lookup(records)
    for (let at = 0; at < 70; at++) {
      await records.append([transfer(at % CELLS, (at + 1) % CELLS, at)])
      await lookup.catchUp()
    }
    expect(await countRuns()).toBe(70)
    records.finalize(65)
    await records.append([])
    await lookup.catchUp()
    expect(await countRuns()).toBe(71 - 2 * 31)
    await expectAgreement(records, lookup)
    await expectAgreement(records, await caughtUp(records))
  })

  it('reads on in turns, which all who ask share', async () => {
    const records = new Records(store)
    const many = Array.from({ length: 30_000 }, (_, at) => transfer(at % CELLS, (at + 1) % CELLS, at))
    for (let at = 0; at < 5; at++) await records.append(many)
    const lookup = new Lookup(records)
    expect(await Promise.all([lookup.catchUp(), lookup.catchUp()])).toEqual([false, false])
    expect(await countRuns()).toBe(4)
    expect(await lookup.catchUp()).toBe(true)
    expect(await countRuns()).toBe(5)
    const way = await readLine(records, false)
    const page = await lookup.findTouches(way, 2, { batch: 3, index: 12 }, 10)
    expect(page.slice(0, 4)).toEqual([
      { batch: 3, index: 8 },
      { batch: 3, index: 7 },
      { batch: 3, index: 2 },
      { batch: 3, index: 1 },
    ])
  })

  it('leaves out what the ledger still holds and Bitcoin has voided', async () => {
    const records = new Records(store)
    await records.append([transfer(0, 1, 0)])
    await records.append([transfer(0, 1, 1)])
    const lookup = await caughtUp(records)
    const { head } = records.executor
    records.cut(1, 'void')
    records.executor.head = head
    const way = await readLine(records, true)
    expect(await lookup.findTouches(way, 0, undefined, 9)).toEqual([{ batch: 1, index: 0 }])
    expect(await lookup.findSigned(way, transferMessage(network, transfer(0, 1, 1)))).toEqual([])
  })
})

describe('rows', () => {
  const word = fc.nat(0xffffffff)

  it('are sorted by key, and of one key stay in their order', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.oneof(fc.nat(3), word), fc.oneof(fc.nat(3), word))), (keys) => {
        const list = new RowList(1)
        keys.forEach(([high, low], at) => {
          list.add({ high, low }, at, 0)
        })
        const expected = keys
          .map(([high, low], at) => [high, low, at, 0] as const)
          .sort((a, b) => a[0] - b[0] || a[1] - b[1] || a[2] - b[2])
        expect([...list.sorted()]).toEqual(expected.flat())
      }),
    )
  })

  it('have keys that tell kinds, cells, deposits and payments apart', () => {
    const id = new Uint8Array(32).fill(0xff)
    const keys = [
      cellKey(0),
      cellKey(2 ** 48 - 1),
      cellKey(2 ** 32),
      paymentKey(new Uint8Array(32)),
      paymentKey(id),
      creditKey({ height: 0, tx: 0, index: 0 }),
      creditKey({ height: 2 ** 30 - 1, tx: 2 ** 15 - 1, index: 2 ** 17 - 1 }),
      creditKey({ height: 1, tx: 0, index: 2 ** 17 - 1 }),
      creditKey({ height: 1, tx: 1, index: 0 }),
    ]
    for (const { high, low } of keys) expect([high >>> 0, low >>> 0]).toEqual([high, low])
    expect(new Set(keys.map(({ high, low }) => `${high}-${low}`)).size).toBe(keys.length)
  })
})
