import { setTimeout } from 'node:timers/promises'
import type { Place } from '@kedge/api'
import { lookups, type Store, type Write } from '@kedge/storage'
import { GENESIS_HEAD } from './line.ts'
import { ROW_WORDS, type RowKey, sortRows } from './lookup-rows.ts'
import { Recent } from './recent.ts'
import type { Head } from './snapshot.ts'

/** Rows over consecutive batches of the line, up to `last`, on disk in blocks. */
interface Run {
  readonly id: number
  /** How often rows were merged to make it. */
  readonly level: number
  readonly last: Head
  /** Key and batch of each block's first row: three words a block. */
  readonly fences: Uint32Array
}

const FENCE_WORDS = 3

/** Rows in a block: 4 KiB. */
const BLOCK_ROWS = 256

/** Neighbouring runs of one level that become one run of the next. */
const FAN = 32

/** A search that meets runs being merged or dropped begins anew. */
const TRIES = 20
const RETRY_MS = 5

/** Runs of more rows are left as they are: what is merged passes through memory, up to 16 MB. */
export const LARGE_ROWS = 2 ** 15

/**
 * Bytes of blocks that are kept in memory, of runs that are not large: each search reads one of every such run, whatever it
 * looks for, and of the large ones another one each time.
 */
const KEPT_BYTES = 8 * 2 ** 20

/** Asks for places behind `before`, newest first: at least `enough` of them, unless there are fewer. */
export interface Search {
  readonly key: RowKey
  readonly before: Place | undefined
  readonly enough: number
  /** Whether what stands in this batch counts. */
  readonly counts: (batch: number) => boolean
}

/** Batches from genesis up to the last run's, in runs: looking something up reads a block of each. */
export class LookupRuns {
  private readonly store: Store
  /** In the order of their batches. */
  private runs: readonly Run[]
  private nextId: number
  /** By run and block: a run's rows never change, and its id is not given twice. */
  private readonly kept = new Recent<Uint32Array>(KEPT_BYTES)

  private constructor(store: Store, runs: readonly Run[]) {
    this.store = store
    this.runs = runs
    this.nextId = runs.reduce((highest, { id }) => Math.max(highest, id), 0) + 1
  }

  static async load(store: Store): Promise<LookupRuns> {
    const runs: Run[] = []
    for await (const [key, record] of store.range(lookups, { from: runKey(0), to: blockKey(0, 0) })) {
      runs.push(decodeRun(viewOf(key).getUint32(1), record))
    }
    return new LookupRuns(
      store,
      runs.sort((a, b) => a.last.number - b.last.number),
    )
  }

  get last(): Head {
    return this.runs.at(-1)?.last ?? GENESIS_HEAD
  }

  /** @param rows sorted, of the batches from the last run's to this one */
  async add(last: Head, rows: Uint32Array): Promise<void> {
    const run = this.makeRun(0, last, rows)
    await this.store.commit(writesOf(run, rows))
    this.runs = [...this.runs, run]
  }

  async dropLast(): Promise<void> {
    const run = this.runs.at(-1)
    if (run === undefined) return
    await this.store.commit(removalsOf(run))
    this.runs = this.runs.slice(0, -1)
  }

  /** Makes one run of many, where there are enough with batches up to `final` only. Gives the rows it moved. */
  async merge(final: number): Promise<number> {
    const start = this.findMergeable(final)
    if (start === undefined) return 0
    const parts = this.runs.slice(start, start + FAN)
    const blocks: Uint32Array[] = []
    for (const part of parts) blocks.push(...(await this.readAll(part)))
    const rows = sortRows(joinWords(blocks))
    const [{ level }, { last }] = [parts[0] as Run, parts.at(-1) as Run]
    const run = this.makeRun(level + 1, last, rows)
    await this.store.commit([...writesOf(run, rows), ...parts.flatMap(removalsOf)])
    this.runs = [...this.runs.slice(0, start), run, ...this.runs.slice(start + FAN)]
    return rows.length / ROW_WORDS
  }

  async find(search: Search): Promise<Place[]> {
    for (let tries = 0; tries < TRIES; tries++) {
      const found = await this.tryFind(this.runs, search)
      if (found !== undefined) return found
      await setTimeout(RETRY_MS)
    }
    throw new Error('a block of the lookups is missing')
  }

  /** Undefined when runs were merged or dropped meanwhile. */
  private async tryFind(runs: readonly Run[], search: Search): Promise<Place[] | undefined> {
    const found: Place[] = []
    for (const run of [...runs].reverse()) {
      const [first, last] = blocksWith(run.fences, search.key, search.before?.batch ?? U32_MAX)
      for (let block = last; block >= first; block--) {
        if (found.length >= search.enough) return found
        const rows = this.kept.get(nameOf(run, block)) ?? (await this.readBlock(run, block))
        if (rows === undefined) return undefined
        collect(found, rows, search)
      }
    }
    return found
  }

  private async readBlock(run: Run, block: number): Promise<Uint32Array | undefined> {
    const bytes = await this.store.get(lookups, blockKey(run.id, block))
    const rows = bytes && wordsOf(bytes)
    if (rows !== undefined && !isLarge(run)) this.kept.put(nameOf(run, block), rows, rows.byteLength)
    return rows
  }

  private makeRun(level: number, last: Head, rows: Uint32Array): Run {
    const blocks = Math.ceil(rows.length / ROW_WORDS / BLOCK_ROWS)
    const fences = new Uint32Array(FENCE_WORDS * blocks)
    for (let block = 0; block < blocks; block++) {
      const at = ROW_WORDS * BLOCK_ROWS * block
      fences.set(rows.subarray(at, at + FENCE_WORDS), FENCE_WORDS * block)
    }
    return { id: this.nextId++, level, last, fences }
  }

  private findMergeable(final: number): number | undefined {
    let start = 0
    for (const [at, run] of this.runs.entries()) {
      if (run.last.number > final) return undefined
      if (isLarge(run)) start = at + 1
      else if (run.level !== this.runs[start]?.level) start = at
      else if (at - start === FAN - 1) return start
    }
    return undefined
  }

  private async readAll({ id }: Run): Promise<Uint32Array[]> {
    const blocks: Uint32Array[] = []
    const range = { from: blockKey(id, 0), to: blockKey(id + 1, 0) }
    for await (const [, rows] of this.store.range(lookups, range)) blocks.push(wordsOf(rows))
    return blocks
  }
}

const U32_MAX = 0xffffffff

function nameOf({ id }: Run, block: number): string {
  return `${id}/${block}`
}

function isLarge({ fences }: Run): boolean {
  return (fences.length / FENCE_WORDS) * BLOCK_ROWS > LARGE_ROWS
}

/** First and last block that may hold rows of a key up to a batch. */
function blocksWith(fences: Uint32Array, key: RowKey, batch: number): [number, number] {
  const last = countBelow(fences, key, batch + 1) - 1
  return [Math.max(0, countBelow(fences, key, 0) - 1), last]
}

/** Blocks whose first row lies before the first one of this key and batch. */
function countBelow(fences: Uint32Array, { high, low }: RowKey, batch: number): number {
  let [from, to] = [0, fences.length / FENCE_WORDS]
  while (from < to) {
    const middle = (from + to) >> 1
    const wordAt = (word: number) => fences[FENCE_WORDS * middle + word] as number
    if ((wordAt(0) - high || wordAt(1) - low || wordAt(2) - batch) < 0) from = middle + 1
    else to = middle
  }
  return from
}

function collect(found: Place[], rows: Uint32Array, { key, before, counts }: Search): void {
  for (let at = rows.length - ROW_WORDS; at >= 0; at -= ROW_WORDS) {
    if (rows[at] !== key.high || rows[at + 1] !== key.low) continue
    const place = { batch: rows[at + 2] as number, index: rows[at + 3] as number }
    const isBehind = before === undefined || (place.batch - before.batch || place.index - before.index) < 0
    if (isBehind && counts(place.batch)) found.push(place)
  }
}

/** Kind u8, run u32. */
function runKey(id: number): Uint8Array {
  const key = new Uint8Array(5)
  viewOf(key).setUint32(1, id)
  return key
}

/** Kind u8, run u32, block u32. */
function blockKey(id: number, block: number): Uint8Array {
  const key = new Uint8Array(9)
  const view = viewOf(key)
  view.setUint8(0, 1)
  view.setUint32(1, id)
  view.setUint32(5, block)
  return key
}

function writesOf(run: Run, rows: Uint32Array): Write[] {
  const writes: Write[] = [lookups.put(runKey(run.id), encodeRun(run))]
  for (let block = 0, at = 0; at < rows.length; block++, at += ROW_WORDS * BLOCK_ROWS) {
    const words = rows.subarray(at, at + ROW_WORDS * BLOCK_ROWS)
    writes.push(lookups.put(blockKey(run.id, block), bytesOf(words)))
  }
  return writes
}

function removalsOf({ id, fences }: Run): Write[] {
  const blocks = Array.from({ length: fences.length / FENCE_WORDS }, (_, block) => lookups.del(blockKey(id, block)))
  return [lookups.del(runKey(id)), ...blocks]
}

/** Level u32, batch u32, header hash, fences. */
function encodeRun({ level, last, fences }: Run): Uint8Array {
  const bytes = new Uint8Array(RUN_BYTES + fences.byteLength)
  const view = viewOf(bytes)
  view.setUint32(0, level)
  view.setUint32(4, last.number)
  bytes.set(last.headerHash, 8)
  bytes.set(bytesOf(fences), RUN_BYTES)
  return bytes
}

function decodeRun(id: number, bytes: Uint8Array): Run {
  const view = viewOf(bytes)
  const last = { number: view.getUint32(4), headerHash: bytes.slice(8, RUN_BYTES) }
  return { id, level: view.getUint32(0), last, fences: wordsOf(bytes.subarray(RUN_BYTES)) }
}

const RUN_BYTES = 8 + 32

/** Words stay in the machine's own order: a folder is not carried to a machine of another. */
function wordsOf(bytes: Uint8Array): Uint32Array {
  return new Uint32Array(bytes.slice().buffer)
}

function bytesOf(words: Uint32Array): Uint8Array {
  return new Uint8Array(words.buffer, words.byteOffset, words.byteLength)
}

function joinWords(lists: readonly Uint32Array[]): Uint32Array {
  const joined = new Uint32Array(lists.reduce((sum, list) => sum + list.length, 0))
  let at = 0
  for (const list of lists) {
    joined.set(list, at)
    at += list.length
  }
  return joined
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
