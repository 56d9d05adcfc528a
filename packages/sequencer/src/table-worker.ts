import { parentPort } from 'node:worker_threads'
import { tickPoints } from '@kedge/bond'
import type { TableRequest } from './table-thread.ts'

if (parentPort === null) throw new Error('this file runs as a worker thread')
const port = parentPort

port.on('message', ({ key, id, count }: TableRequest) => port.postMessage(tickPoints(key, id, 0, count)))
