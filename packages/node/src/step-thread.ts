import { Worker } from 'node:worker_threads'
import type { HashedSteps, Ledger, NodeMemory, StepRows } from '@kedge/core'

/** What the thread is asked: the nodes, which are its own until it has answered, and the steps. */
export interface StepRequest {
  readonly nodes: NodeMemory
  readonly rows: StepRows
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
 * Hashes batches' steps in a thread of its own, which begins with the first of them: half of what building a batch
 * costs, while this thread goes on taking transfers in.
 */
export class StepThread {
  private worker: Worker | undefined
  private waiting:
    | { readonly resolve: (answer: StepAnswer) => void; readonly reject: (error: Error) => void }
    | undefined

  /**
   * Hashes a ledger's steps since its last seal; nobody may use its nodes, or apply anything, meanwhile.
   * @throws StepThreadError when the thread is lost: the ledger is then of no use any more
   */
  async hash(ledger: Ledger): Promise<HashedSteps> {
    if (this.waiting !== undefined) throw new Error('steps are being hashed')
    const { nodes } = ledger.tree
    const request: StepRequest = { nodes: nodes.memory, rows: ledger.cut() }
    const { befores, afters, totals } = request.rows
    const answered = new Promise<StepAnswer>((resolve, reject) => {
      this.waiting = { resolve, reject }
    })
    // The log's rows go over whole, uncopied: the ledger has no more use for them.
    this.start().postMessage(request, [befores.buffer, afters.buffer, totals.buffer] as ArrayBuffer[])
    const answer = await answered
    nodes.adopt(answer.nodes)
    return answer.hashed
  }

  async close(): Promise<void> {
    const { worker } = this
    this.worker = undefined
    await worker?.terminate()
    this.lose(new Error('it was stopped'))
  }

  private start(): Worker {
    if (this.worker !== undefined) return this.worker
    // The thread runs built JavaScript: its starter's flags (--input-type, --import) would only break it.
    const worker = new Worker(WORKER_FILE, { execArgv: [] })
    this.worker = worker
    worker.on('message', (answer: StepAnswer) => {
      this.waiting?.resolve(answer)
      this.waiting = undefined
    })
    worker.on('error', (error) => this.lose(error))
    worker.on('exit', (code) => this.lose(new Error(`it exited with code ${code}`)))
    return worker
  }

  private lose(cause: unknown): void {
    this.worker = undefined
    this.waiting?.reject(new StepThreadError({ cause }))
    this.waiting = undefined
  }
}

class StepThreadError extends Error {
  override readonly name = 'StepThreadError'

  constructor({ cause }: { cause: unknown }) {
    super('the thread that hashes steps was lost', { cause })
  }
}
