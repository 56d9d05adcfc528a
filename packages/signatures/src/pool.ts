import { Lane, type WorkerSetup } from './lane.ts'
import { clearStatuses } from './rows.ts'

export interface PoolSettings {
  readonly workers: number
  /** Whether there is one thread more, which only takes what is urgent. */
  readonly hasUrgent: boolean
  readonly workerFile: URL
  readonly setup: WorkerSetup
  /** How long a thread may take over a slice: `fixedMs` and `rowMs` for each of its rows. */
  readonly fixedMs: number
  readonly rowMs: number
}

export interface PoolStats {
  /** Rows that wait for a thread, and rows that threads are at. */
  readonly queuedRows: number
  readonly runningRows: number
  /** Rows judged so far. */
  readonly judgedRows: number
  /** Threads lost so far, and why the last one was. */
  readonly lostWorkers: number
  readonly lastLoss: Error | undefined
}

interface Job {
  readonly start: number
  readonly count: number
  readonly isUrgent: boolean
  /** Counts up: which of two came first. */
  readonly number: number
  readonly resolve: () => void
  readonly reject: (error: VerifierError) => void
  /** Slices neither done nor given up. */
  open: number
  failure: VerifierError | undefined
}

interface Slice {
  readonly job: Job
  readonly start: number
  readonly count: number
  losses: number
}

/** A slice that cost this many threads is given up: it is not bad luck any more. */
const MAX_LOSSES = 3

/**
 * Cuts runs of rows into slices and has its lanes judge them, oldest first. What is urgent may be done by the urgent lane
 * too, which waits for nothing else: the others may each be at a long slice.
 */
export class Pool {
  private readonly settings: PoolSettings
  private readonly rows: Uint8Array
  private readonly lanes: readonly Lane[]
  private readonly urgentLane: Lane | undefined
  private readonly idle: Lane[]
  private readonly queue: Slice[] = []
  private readonly urgentQueue: Slice[] = []
  private jobs = 0
  private readonly running = new Set<Promise<void>>()
  private queuedRows = 0
  private runningRows = 0
  private judgedRows = 0
  private closed = false

  constructor(settings: PoolSettings) {
    this.settings = settings
    this.rows = new Uint8Array(settings.setup.memory)
    const lane = () => new Lane(settings.workerFile, settings.setup)
    this.urgentLane = settings.hasUrgent ? lane() : undefined
    const others = Array.from({ length: settings.workers }, lane)
    this.lanes = this.urgentLane === undefined ? others : [...others, this.urgentLane]
    this.idle = [...this.lanes]
  }

  /** Starts all threads. @throws VerifierError when one does not come up. */
  async start(): Promise<void> {
    try {
      await Promise.all(this.lanes.map((lane) => lane.start()))
    } catch (cause) {
      await this.close()
      throw new VerifierError('workers-failed', { cause })
    }
  }

  /** Resolves when all rows are judged. @throws VerifierError; none of the rows is judged then. */
  judge(start: number, count: number, isUrgent = false): Promise<void> {
    if (this.closed) return Promise.reject(new VerifierError('closed'))
    return new Promise((resolve, reject) => {
      const number = this.jobs++
      const job: Job = { start, count, isUrgent, number, resolve, reject, open: 0, failure: undefined }
      const size = Math.min(this.settings.setup.sliceRows, Math.ceil(count / this.settings.workers))
      const queue = this.queueOf(job)
      for (let done = 0; done < count; done += size) {
        queue.push({ job, start: start + done, count: Math.min(size, count - done), losses: 0 })
        job.open += 1
      }
      this.queuedRows += count
      this.dispatch()
    })
  }

  stats(): PoolStats {
    const lost = this.lanes.filter((lane) => lane.lastLoss !== undefined)
    return {
      queuedRows: this.queuedRows,
      runningRows: this.runningRows,
      judgedRows: this.judgedRows,
      lostWorkers: lost.reduce((sum, lane) => sum + lane.losses, 0),
      lastLoss: lost.at(-1)?.lastLoss,
    }
  }

  /** Stops the threads and rejects what is not done. Resolves when all of that has happened. */
  async close(): Promise<void> {
    this.closed = true
    await Promise.all(this.lanes.map((lane) => lane.close()))
    await Promise.all(this.running)
    this.dropQueue()
  }

  private queueOf({ isUrgent }: Job): Slice[] {
    return isUrgent ? this.urgentQueue : this.queue
  }

  private dispatch(): void {
    if (this.closed) return
    // The urgent lane comes last: what is urgent and finds another idle leaves it free for the next.
    for (const lane of this.lanes) {
      const at = this.idle.indexOf(lane)
      const slice = at === -1 ? undefined : this.takeFor(lane)
      if (slice === undefined) continue
      this.idle.splice(at, 1)
      this.queuedRows -= slice.count
      this.launch(lane, slice)
    }
  }

  private takeFor(lane: Lane): Slice | undefined {
    const [urgent, other] = [this.urgentQueue[0], this.queue[0]]
    if (lane === this.urgentLane || other === undefined) return this.urgentQueue.shift()
    return urgent !== undefined && urgent.job.number < other.job.number ? this.urgentQueue.shift() : this.queue.shift()
  }

  private launch(lane: Lane, slice: Slice): void {
    const run = this.run(lane, slice).finally(() => {
      this.running.delete(run)
      this.idle.push(lane)
      this.dispatch()
    })
    this.running.add(run)
  }

  private async run(lane: Lane, slice: Slice): Promise<void> {
    if (slice.job.failure !== undefined) return this.settle(slice.job)
    this.runningRows += slice.count
    try {
      await lane.run(slice.start, slice.count, this.settings.fixedMs + this.settings.rowMs * slice.count)
      this.judgedRows += slice.count
      this.settle(slice.job)
    } catch (cause) {
      this.retry(slice, cause)
    } finally {
      this.runningRows -= slice.count
    }
  }

  private retry(slice: Slice, cause: unknown): void {
    slice.losses += 1
    if (this.closed) slice.job.failure ??= new VerifierError('closed', { cause })
    else if (slice.losses >= MAX_LOSSES) slice.job.failure ??= new VerifierError('workers-failed', { cause })
    if (slice.job.failure === undefined) {
      this.queueOf(slice.job).unshift(slice)
      this.queuedRows += slice.count
    } else this.settle(slice.job)
  }

  private dropQueue(): void {
    for (const slice of [...this.urgentQueue.splice(0), ...this.queue.splice(0)]) {
      slice.job.failure ??= new VerifierError('closed')
      this.queuedRows -= slice.count
      this.settle(slice.job)
    }
  }

  /** Only its last slice settles a job: until then threads may write to its rows. */
  private settle(job: Job): void {
    job.open -= 1
    if (job.open > 0) return
    if (job.failure === undefined) {
      job.resolve()
      return
    }
    clearStatuses(this.rows, job.start, job.count)
    job.reject(job.failure)
  }
}

const TEXTS = {
  closed: 'the verifier was closed',
  'workers-failed': 'signature workers fail again and again',
} as const

/** `workers-failed`: they do not start, or died or hung several times over the same rows. The cause is the last loss. */
export class VerifierError extends Error {
  readonly reason: keyof typeof TEXTS

  constructor(reason: keyof typeof TEXTS, options?: ErrorOptions) {
    super(TEXTS[reason], options)
    this.name = 'VerifierError'
    this.reason = reason
  }
}
