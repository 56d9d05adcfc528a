import { Worker } from 'node:worker_threads'
import {
  type NoncePoint,
  type SlotTable,
  slotTable,
  TABLE_WORKER,
  type TableId,
  type TableRequest,
  type XOnlyKey,
} from '@kedge/bond'

/**
 * Makes tables of nonce points in a thread of its own, which begins with the first of them: one multiplication of the
 * base point a slot, some 0.1 ms, that this thread would lack while it takes transfers in.
 */
export class TableThread {
  private readonly key: XOnlyKey
  private readonly leaves: number
  private worker: Worker | undefined
  private readonly waiting: {
    readonly resolve: (points: NoncePoint[]) => void
    readonly reject: (error: Error) => void
  }[] = []

  /** @param leaves that each table's tree has */
  constructor(key: XOnlyKey, leaves: number) {
    this.key = key
    this.leaves = leaves
  }

  /** @throws TableThreadError when the thread is lost */
  async make(id: TableId, count: number): Promise<SlotTable> {
    const { key, leaves } = this
    const made = new Promise<NoncePoint[]>((resolve, reject) => {
      this.waiting.push({ resolve, reject })
    })
    const request: TableRequest = { key, id, count }
    this.start().postMessage(request)
    return slotTable(key, id, await made, leaves)
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
    const worker = new Worker(TABLE_WORKER, { execArgv: [] })
    this.worker = worker
    // Answers come in the order of the requests.
    worker.on('message', (points: NoncePoint[]) => this.waiting.shift()?.resolve(points))
    worker.on('error', (error) => this.lose(error))
    worker.on('exit', (code) => this.lose(new Error(`it exited with code ${code}`)))
    return worker
  }

  private lose(cause: unknown): void {
    this.worker = undefined
    for (const { reject } of this.waiting.splice(0)) reject(new TableThreadError({ cause }))
  }
}

class TableThreadError extends Error {
  override readonly name = 'TableThreadError'

  constructor({ cause }: { cause: unknown }) {
    super('the thread that makes tables of nonces was lost', { cause })
  }
}
