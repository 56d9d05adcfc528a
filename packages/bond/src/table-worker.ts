import { parentPort } from 'node:worker_threads'
import type { XOnlyKey } from './key.ts'
import type { TableId } from './nonce.ts'
import { tickPoints } from './slot-table.ts'

/** What the thread is asked, and answers with points. */
export interface TableRequest {
  readonly key: XOnlyKey
  readonly id: TableId
  /** How many points are wanted. */
  readonly count: number
}

if (parentPort === null) throw new Error('this file runs as a worker thread')
const port = parentPort

port.on('message', ({ key, id, count }: TableRequest) => port.postMessage(tickPoints(key, id, 0, count)))
