import { Worker } from 'node:worker_threads'
import type { HashedSteps, Ledger, NodeMemory, StepRows } from '@kedge/core'

/** What the thread is told: a batch's steps run by run, then that there are no more. That alone it answers. */
export type StepRequest =
  | { readonly kind: 'run'; readonly begins: BatchStart | undefined; readonly rows: StepRows }
  | { readonly kind: 'finish' }

/** The ledger in front of a batch: its nodes, which are the thread's own until it has answered, and its state root. */
export interface BatchStart {
  readonly nodes: NodeMemory
  readonly pre: Uint8Array
}

export interface StepAnswer {
  readonly nodes: NodeMemory
  readonly hashed: HashedSteps
}

// Node 20 starts no worker from TypeScript: code that runs from src takes the built one.
const WORKER_FILE = new URL(
  import.meta.url.endsWith('.ts') ? '../dist/step-worker.js' : './step-worker.js',
  import.meta.url,
)

/**
 * Hashes a batch's steps in a thread of its own, which begins with the first of them: half of what building a batch
 * costs, while this thread goes on taking transfers in.
 */
export class StepThread {
  private worker: Worker | undefined
  private isBegun = false
  private lost: StepThreadError | undefined
  private waiting:
    | { readonly resolve: (answer: StepAnswer) => void; readonly reject: (error: Error) => void }
    | undefined

  /** Runs of a batch are with the thread: nothing but `finish` ends it. */
  get isUnderWay(): boolean {
    return this.isBegun
  }

  /** Hands over the ledger's steps since the last run. Nobody may use its nodes from here until `finish` is through. */
  run(ledger: Ledger): void {
    if (this.waiting !== undefined) throw new Error('the batch is being finished')
    if (this.lost !== undefined) return
    const begins = this.isBegun ? undefined : { nodes: ledger.tree.nodes.memory, pre: ledger.root }
    const rows = ledger.cut()
    this.isBegun = true
    // The log's rows go over whole, uncopied: the ledger has no more use for them.
    this.tell({ kind: 'run', begins, rows }, [rows.cell, rows.step, rows.befores, rows.afters, rows.totals])
  }

  /**
   * Hashes the rest of the batch, and says what became of all of it. Nothing may be applied meanwhile.
   * @throws StepThreadError when the thread was lost, in this batch or before: the ledger is then of no use any more
   */
  async finish(ledger: Ledger): Promise<HashedSteps> {
    this.run(ledger)
    const answered = new Promise<StepAnswer>((resolve, reject) => {
      this.waiting = { resolve, reject }
    })
    if (this.lost === undefined) this.tell({ kind: 'finish' }, [])
    else this.lose(this.lost)
    const { nodes, hashed } = await answered
    this.isBegun = false
    ledger.tree.nodes.adopt(nodes)
    return hashed
  }

  async close(): Promise<void> {
    const { worker } = this
    this.worker = undefined
    await worker?.terminate()
    this.lose(new Error('it was stopped'))
  }

  private tell(request: StepRequest, moved: readonly (Uint8Array | Uint32Array)[]): void {
    this.worker ??= this.start()
    this.worker.postMessage(
      request,
      moved.map(({ buffer }) => buffer as ArrayBuffer),
    )
  }

  private start(): Worker {
    // The thread runs built JavaScript: its starter's flags (--input-type, --import) would only break it.
    const worker = new Worker(WORKER_FILE, { execArgv: [] })
    worker.on('message', (answer: StepAnswer) => {
      this.waiting?.resolve(answer)
      this.waiting = undefined
    })
    worker.on('error', (error) => this.lose(error))
    worker.on('exit', (code) => this.lose(new Error(`it exited with code ${code}`)))
    return worker
  }

  private lose(cause: Error): void {
    this.lost ??= new StepThreadError({ cause })
    this.waiting?.reject(this.lost)
    this.waiting = undefined
  }
}

class StepThreadError extends Error {
  override readonly name = 'StepThreadError'

  constructor({ cause }: { cause: unknown }) {
    super('the thread that hashes steps was lost', { cause })
  }
}
