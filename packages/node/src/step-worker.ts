import { parentPort } from 'node:worker_threads'
import { CellNodes, installHasher, StepHasher } from '@kedge/core'
import { fastestHasher } from './hasher.ts'
import type { StepAnswer, StepRequest } from './step-thread.ts'

if (parentPort === null) throw new Error('this file runs as a worker thread')
const port = parentPort
installHasher(fastestHasher())
const nodes = new CellNodes()
let batch: StepHasher | undefined

port.on('message', (request: StepRequest) => {
  if (request.kind === 'run') {
    if (request.begins !== undefined) {
      nodes.adopt(request.begins.nodes)
      batch = new StepHasher(nodes, request.begins.pre)
    }
    batch?.add(request.rows)
    return
  }
  if (batch === undefined) throw new Error('no batch was begun')
  const hashed = batch.finish()
  batch = undefined
  const answer: StepAnswer = { nodes: nodes.memory, hashed }
  port.postMessage(answer, [hashed.roots.buffer, hashed.delta.buffer] as ArrayBuffer[])
})
