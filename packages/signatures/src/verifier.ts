import { type Engine, type EngineChoice, engineOf, fastestChoice } from './engine.ts'
import { Pool, type PoolStats } from './pool.ts'
import { type Region, RowRing } from './ring.ts'
import { HASH_BYTES, ROW_BYTES } from './rows.ts'

export interface VerifierOptions {
  /** Threads, at least 1. */
  readonly workers: number
  /** The network's id, 32 bytes: part of what is signed. */
  readonly network: Uint8Array
  /** Rows of shared memory, 256 bytes each. At least twice the largest chunk, or that one may wait for an empty ring. */
  readonly capacityRows: number
  /** Rows beside them for what is urgent, which one more thread takes: it waits for nothing else. None, unless given. */
  readonly urgentRows?: number
  /** Default: the fastest that loads. `none` accepts every signature and wants `benchmarkOnly` as well. */
  readonly engine?: EngineChoice
  readonly benchmarkOnly?: true
}

/** Rows that one caller holds, from claim to release. */
export interface Chunk {
  readonly count: number
  /** Row i at 256 i; shared memory. Fill it (`writeRow`) before `verify`, leave it alone until that has settled. */
  readonly rows: Uint8Array
}

export interface VerifierStats extends PoolStats {
  /** Rows in claimed chunks, with gaps that wait for older chunks. */
  readonly claimedRows: number
  readonly capacityRows: number
}

/** Checks transfers' signatures in worker threads. */
export interface Verifier {
  /** Names the engine. */
  readonly engine: string
  /**
   * `count` contiguous zeroed rows, or `undefined` when there is no room now: the caller sheds its load.
   * @param isUrgent whether it may have the urgent rows and their thread as well
   * @throws RangeError when `count` could never be served.
   */
  claim(count: number, isUrgent?: boolean): Chunk | undefined
  /**
   * Resolves when each row has its id and is valid or invalid. Rejects with a VerifierError, all rows pending, when
   * the verifier was closed or threads failed again and again; the chunk may then be tried once more.
   */
  verify(chunk: Chunk): Promise<void>
  /** Gives the rows back. @throws Error when they are being verified, or are not this caller's any more. */
  release(chunk: Chunk): void
  stats(): VerifierStats
  /** Ends the threads; what is not verified rejects. Resolves when nothing is left running. */
  close(): Promise<void>
}

/** As many rows go to a thread at once: large enough for a batch check, some 0.3 s of work for tiny-secp256k1. */
const SLICE_ROWS = 1024

/** After this a thread counts as hung. @noble/curves, the slowest engine, takes up to 4.4 ms a row. */
const FIXED_MS = 5000
const ROW_MS = 40

// Node 20 starts no worker from TypeScript: code that runs from src takes the built one.
const WORKER_FILE = new URL(import.meta.url.endsWith('.ts') ? '../dist/worker.js' : './worker.js', import.meta.url)

/** @throws VerifierError when the threads do not start; RangeError for options out of range. */
export async function createVerifier(options: VerifierOptions): Promise<Verifier> {
  const { workers, capacityRows, urgentRows = 0, engine = fastestChoice } = options
  refuseUnusable(options)
  const memory = new SharedArrayBuffer((capacityRows + urgentRows) * ROW_BYTES)
  const setup = { memory, network: Uint8Array.from(options.network), engine, sliceRows: SLICE_ROWS }
  const hasUrgent = urgentRows > 0
  const pool = new Pool({ workers, hasUrgent, workerFile: WORKER_FILE, setup, fixedMs: FIXED_MS, rowMs: ROW_MS })
  await pool.start()
  const rings = { common: new RowRing(capacityRows), urgent: new RowRing(urgentRows, capacityRows) }
  return joinRows(engineOf(engine), memory, rings, pool)
}

function refuseUnusable({
  workers,
  capacityRows,
  urgentRows = 0,
  network,
  engine,
  benchmarkOnly,
}: VerifierOptions): void {
  if (!Number.isInteger(workers) || workers < 1) throw new RangeError(`${workers} workers can't check signatures`)
  if (!Number.isInteger(capacityRows) || capacityRows < 1) throw new RangeError(`${capacityRows} is no number of rows`)
  if (!Number.isInteger(urgentRows) || urgentRows < 0) throw new RangeError(`${urgentRows} is no number of rows`)
  if (network.length !== HASH_BYTES) throw new RangeError(`a network's id has 32 bytes, not ${network.length}`)
  if (engine !== 'none') return
  if (benchmarkOnly !== true) throw new RangeError("engine 'none' checks nothing, so it wants benchmarkOnly: true")
  process.emitWarning('signatures are NOT checked: what this process computes is for benchmarks alone')
}

interface Claim {
  readonly ring: RowRing
  readonly region: Region
  readonly isUrgent: boolean
  verifying: boolean
}

interface Rings {
  readonly common: RowRing
  readonly urgent: RowRing
}

function joinRows(engine: Engine, memory: SharedArrayBuffer, { common, urgent }: Rings, pool: Pool): Verifier {
  const claims = new Map<Chunk, Claim>()
  const find = (chunk: Chunk): Claim => {
    const claim = claims.get(chunk)
    if (claim === undefined) throw new Error('this chunk was released')
    if (claim.verifying) throw new Error('this chunk is being verified')
    return claim
  }
  return {
    engine: engine.name,
    claim(count, isUrgent = false) {
      if (!Number.isInteger(count) || count < 1 || count > common.capacity) {
        throw new RangeError(`${count} rows of ${common.capacity} can't be claimed`)
      }
      const apart = isUrgent ? urgent.claim(count) : undefined
      const region = apart ?? common.claim(count)
      if (region === undefined) return undefined
      const ring = apart === undefined ? common : urgent
      const rows = new Uint8Array(memory, region.start * ROW_BYTES, count * ROW_BYTES).fill(0)
      const chunk = { count, rows }
      claims.set(chunk, { ring, region, isUrgent, verifying: false })
      return chunk
    },
    async verify(chunk) {
      const claim = find(chunk)
      claim.verifying = true
      await pool.judge(claim.region.start, chunk.count, claim.isUrgent).finally(() => {
        claim.verifying = false
      })
    },
    release(chunk) {
      const { ring, region } = find(chunk)
      ring.release(region)
      claims.delete(chunk)
    },
    stats: () => ({
      ...pool.stats(),
      claimedRows: common.usedRows + urgent.usedRows,
      capacityRows: common.capacity + urgent.capacity,
    }),
    close: () => pool.close(),
  }
}
