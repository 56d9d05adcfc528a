import {
  type ChainEvent,
  concatBytes,
  type DataKind,
  decodeHeader,
  decodePart,
  encodeHeader,
  encodeWhole,
  equalBytes,
  type Header,
  headerHash,
  MAX_HEADER_BYTES,
  type Part,
  readWhole,
  toHex,
} from '@kedge/core'
import type { DataRequest, FetchOptions } from '@kedge/p2p'
import { headers, operations, published, type Store, steps, type Write } from '@kedge/storage'
import { keptOperations } from './kept-operations.ts'

/** Asks peers for batch data. */
export type FetchData = (request: DataRequest, options: FetchOptions) => Promise<Uint8Array | undefined>

/** A batch's header and operations, proven to be those of its header hash. */
export interface BatchBody {
  readonly header: Header
  readonly headerBytes: Uint8Array
  readonly operations: readonly Uint8Array[]
}

/** A batch that is not committed to yet: its header's hash, its header, and its data as one whole part each. */
export interface Offer extends Readonly<Record<'header' | DataKind, Uint8Array>> {
  readonly hash: Uint8Array
}

/**
 * Batch data by header hash: on disk, in parts published on Bitcoin, or with peers. What comes from outside is kept
 * only when it proves itself against the hash, so what is on disk needs no second proof.
 */
export class BatchData {
  private readonly store: Store
  private readonly fetch: FetchData
  /** By hash, so an entry never goes stale. */
  private readonly recent = new Map<string, Header>()
  private offered: Offer | undefined

  constructor(store: Store, fetch: FetchData) {
    this.store = store
    this.fetch = fetch
  }

  async header(hash: Uint8Array): Promise<Header | undefined> {
    const name = toHex(hash)
    const known = this.recent.get(name)
    if (known !== undefined) return known
    const bytes = await this.store.get(headers, hash)
    const header = bytes && decodeHeader(bytes)
    if (header === undefined) return undefined
    if (this.recent.size >= RECENT_HEADERS) this.recent.clear()
    this.recent.set(name, header)
    return header
  }

  /** Undefined when nobody at hand has them. */
  async body(hash: Uint8Array, signal: AbortSignal): Promise<BatchBody | undefined> {
    const whole = (await keptOperations(this.store, hash)) ?? (await this.obtain('data', hash, signal))
    const headerBytes = await this.store.get(headers, hash)
    const header = headerBytes && decodeHeader(headerBytes)
    if (whole === undefined || header === undefined || headerBytes === undefined) return undefined
    return { header, headerBytes, operations: readWhole(whole) }
  }

  /** The committed step roots, a row; undefined when nobody at hand has them. */
  async stepRoots(hash: Uint8Array, signal: AbortSignal): Promise<Uint8Array | undefined> {
    const whole = (await this.store.get(steps, hash)) ?? (await this.obtain('steps', hash, signal))
    return whole && decodePart('steps', hash, whole)?.stepRoots
  }

  /** Whether this node has operations and step roots on disk, from here on at the latest. */
  async hold(hash: Uint8Array, signal: AbortSignal): Promise<boolean> {
    const body = await this.body(hash, signal)
    return body !== undefined && (await this.stepRoots(hash, signal)) !== undefined
  }

  /** Asks peers for the newest ticks behind a header, until `accept` has what it looks for. */
  async askForTicks(headerHash: Uint8Array, signal: AbortSignal, accept: FetchOptions['accept']): Promise<void> {
    await this.ask({ headerHash, kind: 'tick' }, signal, accept)
  }

  /** Lets peers have data that are not on this disk yet, for as long as watchers are asked to vouch for them. */
  offer(offer: Offer | undefined): void {
    this.offered = offer
  }

  /** What this node answers peers with. */
  answer(headerHash: Uint8Array, kind: 'header' | DataKind): Promise<Uint8Array | undefined> {
    const { offered } = this
    if (offered !== undefined && equalBytes(offered.hash, headerHash)) return Promise.resolve(offered[kind])
    if (kind === 'data') return keptOperations(this.store, headerHash)
    return this.store.get(kind === 'header' ? headers : steps, headerHash)
  }

  /** Bytes that hash to a header hash and may be no header, as long as evidence can show that they are none. */
  async headerBytes(
    hash: Uint8Array,
    signal: AbortSignal,
    hashOf: (bytes: Uint8Array) => Uint8Array,
  ): Promise<Uint8Array | undefined> {
    const stored = await this.store.get(headers, hash)
    if (stored !== undefined) return stored
    const accept = (bytes: Uint8Array) => bytes.length <= MAX_HEADER_BYTES && equalBytes(hashOf(bytes), hash)
    const bytes = await this.ask({ headerHash: hash, kind: 'header' }, signal, accept)
    if (bytes !== undefined) await this.store.commit([headers.put(hash, bytes)])
    return bytes
  }

  /** Leaves of a part that was published on Bitcoin, to be stored with its block. */
  writesOfPart(event: ChainEvent & { kind: 'part' }): Write[] {
    const { headerHash, data, part } = event
    const { headerBytes, header, operations: run, stepRoots } = part
    const bytes =
      data === 'steps' ? stepRoots : encodeWhole('data', { headerBytes, pre: header.pre, operations: run, stepRoots })
    return [
      headers.put(headerHash, part.headerBytes),
      published.put(partKey(headerHash, data, part.start, part.count), bytes),
    ]
  }

  private async obtain(kind: DataKind, hash: Uint8Array, signal: AbortSignal): Promise<Uint8Array | undefined> {
    const here = (await this.takeVouched(kind, hash)) ?? (await this.assemble(kind, hash))
    return here ?? this.fetchWhole(kind, hash, signal)
  }

  /**
   * What a watcher vouched for it holds under the header as it was then, without the certificate; from here on under the
   * header that was anchored.
   */
  private async takeVouched(kind: DataKind, hash: Uint8Array): Promise<Uint8Array | undefined> {
    const header = await this.header(hash)
    if (header?.certificate === undefined) return undefined
    const { certificate: _, ...bare } = header
    const bareHash = headerHash(encodeHeader(bare))
    const table = kind === 'data' ? operations : steps
    const whole = await this.store.get(table, bareHash)
    const part = whole && decodePart(kind, bareHash, whole)
    if (part === undefined) return undefined
    const headerBytes = encodeHeader(header)
    const source = { headerBytes, pre: header.pre, operations: part.operations, stepRoots: part.stepRoots }
    const taken = encodeWhole(kind, source)
    await this.store.commit([table.put(hash, taken), table.del(bareHash)])
    return taken
  }

  private async fetchWhole(kind: DataKind, hash: Uint8Array, signal: AbortSignal): Promise<Uint8Array | undefined> {
    let part: Part | undefined
    const accept = (bytes: Uint8Array) => {
      part = decodePart(kind, hash, bytes)
      return part !== undefined && part.count === part.header.opCount
    }
    const whole = await this.ask({ headerHash: hash, kind }, signal, accept)
    if (whole !== undefined && part !== undefined) await this.keep(kind, hash, part, whole)
    return whole
  }

  /** Undefined too when peers take too long over it: the node has blocks to read, and challenges to raise in time. */
  private async ask(
    request: DataRequest,
    signal: AbortSignal,
    accept: FetchOptions['accept'],
  ): Promise<Uint8Array | undefined> {
    signal.throwIfAborted()
    const either = new AbortController()
    const stop = () => either.abort(signal.reason)
    signal.addEventListener('abort', stop)
    const timer = setTimeout(() => either.abort(), FETCH_MS)
    try {
      return await this.fetch(request, { signal: either.signal, accept })
    } catch (error) {
      signal.throwIfAborted()
      if (either.signal.aborted) return undefined
      throw error
    } finally {
      clearTimeout(timer)
      signal.removeEventListener('abort', stop)
    }
  }

  /** Published parts as one whole, once they cover everything. */
  private async assemble(kind: DataKind, hash: Uint8Array): Promise<Uint8Array | undefined> {
    const header = await this.header(hash)
    if (header === undefined) return undefined
    const leaves: Uint8Array[] = []
    for await (const [key, bytes] of this.store.range(published, {
      from: partKey(hash, kind, 0, 0),
      to: partKey(hash, kind, U32_MAX, U32_MAX),
    })) {
      const start = new DataView(key.buffer, key.byteOffset).getUint32(33)
      const run = kind === 'data' ? readWhole(bytes) : hashesOf(bytes)
      if (start <= leaves.length) for (const leaf of run.slice(leaves.length - start)) leaves.push(leaf)
    }
    const headerBytes = await this.store.get(headers, hash)
    if (leaves.length !== header.opCount || headerBytes === undefined) return undefined
    const source = {
      headerBytes,
      pre: header.pre,
      operations: kind === 'data' ? leaves : [],
      stepRoots: kind === 'steps' ? concatBytes(...leaves) : new Uint8Array(0),
    }
    const whole = encodeWhole(kind, source)
    const part = decodePart(kind, hash, whole)
    if (part === undefined) return undefined
    await this.keep(kind, hash, part, whole)
    return whole
  }

  private async keep(kind: DataKind, hash: Uint8Array, part: Part, whole: Uint8Array): Promise<void> {
    await this.store.commit([
      headers.put(hash, part.headerBytes),
      (kind === 'data' ? operations : steps).put(hash, whole),
    ])
  }
}

/** All live batches that are not final, many times over. */
const RECENT_HEADERS = 1024

/** More than one response may take; peers that let it pass are asked last the next time. */
const FETCH_MS = 30_000

const U32_MAX = 0xffffffff

/** With the count: a short part must not take the place of a long one that starts where it does. */
function partKey(hash: Uint8Array, kind: DataKind, start: number, count: number): Uint8Array {
  const key = new Uint8Array(41)
  const view = new DataView(key.buffer)
  key.set(hash)
  view.setUint8(32, kind === 'data' ? 1 : 2)
  view.setUint32(33, start)
  view.setUint32(37, count)
  return key
}

function hashesOf(row: Uint8Array): Uint8Array[] {
  return Array.from({ length: row.length / 32 }, (_, at) => row.slice(32 * at, 32 * at + 32))
}
