import { parentPort, workerData } from 'node:worker_threads'
import { createRowChecker } from './check.ts'
import { engineOf } from './engine.ts'
import type { SliceMessage, WorkerSetup } from './lane.ts'

if (parentPort === null) throw new Error('this file runs as a worker thread')
const port = parentPort
const setup: WorkerSetup = workerData
const engine = engineOf(setup.engine)
const check = createRowChecker(engine, setup.network, new Uint8Array(setup.memory), setup.sliceRows)

port.on('message', ([start, count]: SliceMessage) => {
  check(start, count)
  port.postMessage(start)
})
port.postMessage(engine.name)
