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
  /** What peers are asked for at the moment, and whether it came; an error stays until somebody is told. */
  private readonly seeking = new Map<string, Promise<boolean>>()
  /** What they were asked for in vain. */
  private readonly inVain = new Set<string>()

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

  /** Undefined when nobody at hand has them, or has sent them within `patienceMs`: then they are still asked for. */
  async body(hash: Uint8Array, signal: AbortSignal, patienceMs = PATIENCE_MS): Promise<BatchBody | undefined> {
    const whole = (await keptOperations(this.store, hash)) ?? (await this.obtain('data', hash, signal, patienceMs))
    const headerBytes = await this.store.get(headers, hash)
    const header = headerBytes && decodeHeader(headerBytes)
    if (whole === undefined || header === undefined || headerBytes === undefined) return undefined
    return { header, headerBytes, operations: readWhole(whole) }
  }

  /** The committed step roots, a row; undefined as for `body`. */
  async stepRoots(hash: Uint8Array, signal: AbortSignal, patienceMs = PATIENCE_MS): Promise<Uint8Array | undefined> {
    const whole = (await this.store.get(steps, hash)) ?? (await this.obtain('steps', hash, signal, patienceMs))
    return whole && decodePart('steps', hash, whole)?.stepRoots
  }

  /** Whether this node has operations and step roots on disk, from here on at the latest. As patient as `signal`. */
  async hold(hash: Uint8Array, signal: AbortSignal): Promise<boolean> {
    const body = await this.body(hash, signal, FETCH_MS)
    return body !== undefined && (await this.stepRoots(hash, signal, FETCH_MS)) !== undefined
  }

  /**
   * Whether peers were asked in vain for a batch's data, or for its header. What was only asked for a moment ago is late
   * at most.
   */
  wasSought(hash: Uint8Array, kind: DataKind): boolean {
    return this.inVain.has(nameOf(hash, kind)) || this.inVain.has(nameOf(hash, 'header'))
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
    const isHere = await this.seek(
      { headerHash: hash, kind: 'header' },
      { signal, patienceMs: PATIENCE_MS },
      async () => {
        const bytes = await this.fetch({ headerHash: hash, kind: 'header' }, { signal: NEVER, accept })
        if (bytes !== undefined) await this.store.commit([headers.put(hash, bytes)])
        return bytes !== undefined
      },
    )
    return isHere ? this.store.get(headers, hash) : undefined
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

  private async obtain(
    kind: DataKind,
    hash: Uint8Array,
    signal: AbortSignal,
    patienceMs: number,
  ): Promise<Uint8Array | undefined> {
    const here = (await this.takeVouched(kind, hash)) ?? (await this.assemble(kind, hash))
    if (here !== undefined) return here
    const request = { headerHash: hash, kind }
    const isHere = await this.seek(request, { signal, patienceMs }, () => this.fetchWhole(kind, hash))
    return isHere ? this.store.get(kind === 'data' ? operations : steps, hash) : undefined
  }

  /**
   * Asks peers beside the node's loop, as that has blocks to read and challenges to raise in time: whoever lets this node
   * wait for one thing keeps it from nothing else. Two who look for the same ask once.
   * @param work to completion, whatever becomes of `signal`: a host that stops ends it
   * @returns whether it came within the patience
   */
  private async seek(
    { headerHash, kind }: DataRequest,
    { signal, patienceMs }: { readonly signal: AbortSignal; readonly patienceMs: number },
    work: () => Promise<boolean>,
  ): Promise<boolean> {
    signal.throwIfAborted()
    const name = nameOf(headerHash, kind)
    const seeking = this.seeking.get(name) ?? this.begin(name, work)
    try {
      return await within(seeking, patienceMs, signal)
    } catch (error) {
      signal.throwIfAborted()
      this.seeking.delete(name)
      throw error
    }
  }

  private begin(name: string, work: () => Promise<boolean>): Promise<boolean> {
    const seeking = work().then((isHere) => {
      this.seeking.delete(name)
      if (this.inVain.size >= RECENT_HEADERS) this.inVain.clear()
      if (isHere) this.inVain.delete(name)
      else this.inVain.add(name)
      return isHere
    })
    this.seeking.set(name, seeking)
    return seeking
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

  private async fetchWhole(kind: DataKind, hash: Uint8Array): Promise<boolean> {
    let part: Part | undefined
    const accept = (bytes: Uint8Array) => {
      part = decodePart(kind, hash, bytes)
      return part !== undefined && part.count === part.header.opCount
    }
    const whole = await this.fetch({ headerHash: hash, kind }, { signal: NEVER, accept })
    if (whole === undefined || part === undefined) return false
    await this.keep(kind, hash, part, whole)
    return true
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

/** For so long the node's loop waits for what peers have; mostly they answer at once. */
const PATIENCE_MS = 1_000

/** Longer than a host asks peers for one thing. */
const FETCH_MS = 60_000

const NEVER = new AbortController().signal

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

function nameOf(headerHash: Uint8Array, kind: DataRequest['kind']): string {
  return `${kind}/${toHex(headerHash)}`
}

/** False when the time is over first. @throws the signal's reason when it aborts */
function within(seeking: Promise<boolean>, ms: number, signal: AbortSignal): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const settle = (outcome: () => void) => {
      clearTimeout(timer)
      signal.removeEventListener('abort', stop)
      outcome()
    }
    const stop = () => settle(() => reject(signal.reason))
    const timer = setTimeout(() => settle(() => resolve(false)), ms)
    signal.addEventListener('abort', stop)
    seeking.then(
      (isHere) => settle(() => resolve(isHere)),
      (error) => settle(() => reject(error)),
    )
  })
}
