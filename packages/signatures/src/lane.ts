import { Worker } from 'node:worker_threads'
import type { EngineChoice } from './engine.ts'
import { areAllJudged, clearStatuses } from './rows.ts'

/** What a worker thread is started with. */
export interface WorkerSetup {
  readonly memory: SharedArrayBuffer
  /** The network's id, 32 bytes. */
  readonly network: Uint8Array
  readonly engine: EngineChoice
  /** The most rows that one message names. */
  readonly sliceRows: number
}

/**
 * Start and count of the rows to judge. The worker first posts its engine's name, then for each slice its start once
 * ids and statuses are written.
 */
export type SliceMessage = readonly [start: number, count: number]

/** A thread takes some 50 ms to load its engine. */
const START_MS = 10_000

/**
 * One worker thread after another, at most one at a time, doing one slice at a time. A thread that dies, answers
 * wrongly or not in time is stopped; the next slice starts a new one.
 */
export class Lane {
  private readonly file: URL
  private readonly setup: WorkerSetup
  private readonly rows: Uint8Array
  private worker: Worker | undefined
  private waiting: Waiting | undefined
  /** Settles when the last lost thread has ended. */
  private ending: Promise<unknown> = Promise.resolve()
  private closed = false
  /** Threads lost so far, and why the last one was. */
  losses = 0
  lastLoss: LostWorker | undefined

  constructor(file: URL, setup: WorkerSetup) {
    this.file = file
    this.setup = setup
    this.rows = new Uint8Array(setup.memory)
  }

  /** Starts a thread unless one runs. @throws LostWorker when it does not come up. */
  async start(): Promise<void> {
    await this.ending
    if (this.closed) throw new LostWorker('its lane is closed')
    if (this.worker !== undefined) return
    // The thread runs built JavaScript: its starter's flags (--input-type, --import) would only break it.
    const worker = new Worker(this.file, { workerData: this.setup, execArgv: [] })
    this.worker = worker
    worker.on('error', (cause) => this.lose(worker, new LostWorker('it threw', { cause })))
    worker.on('exit', (code) => this.lose(worker, new LostWorker(`it exited with code ${code}`)))
    worker.on('message', (message: unknown) => this.hear(worker, message))
    const name = await this.answer(worker, START_MS)
    if (typeof name !== 'string') throw await this.lose(worker, new LostWorker('it did not name its engine'))
  }

  /** Has `count` rows from `start` judged. @throws LostWorker when the thread was lost; it no longer writes by then. */
  async run(start: number, count: number, timeoutMs: number): Promise<void> {
    await this.start()
    const worker = this.worker
    if (worker === undefined) throw new LostWorker('it died before it had work')
    // What an earlier holder of these rows, or a thread that died over them, left behind must not count.
    clearStatuses(this.rows, start, count)
    const answer = this.answer(worker, timeoutMs)
    const message: SliceMessage = [start, count]
    worker.postMessage(message)
    const done = (await answer) === start && areAllJudged(this.rows, start, count)
    if (!done) throw await this.lose(worker, new LostWorker('it answered without having judged its rows'))
  }

  /** Stops the thread; a slice that runs is lost. Start and run throw from now on. */
  async close(): Promise<void> {
    this.closed = true
    if (this.worker !== undefined) await this.lose(this.worker, new LostWorker('its lane was closed'))
    await this.ending
  }

  private answer(worker: Worker, timeoutMs: number): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const waiting: Waiting = { resolve, reject, timer: setTimeout(() => this.suspect(worker, waiting), timeoutMs) }
      this.waiting = waiting
    })
  }

  // When this thread itself was busy for long, the answer may lie here unread: look once more after reading.
  private suspect(worker: Worker, waiting: Waiting): void {
    setImmediate(() => {
      if (this.waiting === waiting) void this.lose(worker, new LostWorker('it did not answer in time'))
    })
  }

  private hear(worker: Worker, message: unknown): void {
    if (worker !== this.worker) return
    const waiting = this.waiting
    if (waiting === undefined) {
      void this.lose(worker, new LostWorker('it spoke unasked'))
      return
    }
    this.waiting = undefined
    clearTimeout(waiting.timer)
    waiting.resolve(message)
  }

  /** Tells who waits only after the thread has ended: from then on nobody writes to its rows. */
  private async lose(worker: Worker, loss: LostWorker): Promise<LostWorker> {
    if (worker !== this.worker) return loss
    const waiting = this.waiting
    this.worker = undefined
    this.waiting = undefined
    clearTimeout(waiting?.timer)
    if (!this.closed) {
      this.losses += 1
      this.lastLoss = loss
    }
    this.ending = worker.terminate()
    await this.ending
    waiting?.reject(loss)
    return loss
  }
}

interface Waiting {
  readonly resolve: (message: unknown) => void
  readonly reject: (error: LostWorker) => void
  readonly timer: NodeJS.Timeout
}

export class LostWorker extends Error {
  constructor(reason: string, options?: ErrorOptions) {
    super(`a signature worker was lost: ${reason}`, options)
    this.name = 'LostWorker'
  }
}
