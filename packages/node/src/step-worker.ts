import { parentPort } from 'node:worker_threads'
import { CellNodes, hashSteps, installHasher } from '@kedge/core'
import { fastestHasher } from './hasher.ts'
import type { StepAnswer, StepRequest } from './step-thread.ts'

if (parentPort === null) throw new Error('this file runs as a worker thread')
const port = parentPort
installHasher(fastestHasher())
const nodes = new CellNodes()

port.on('message', (request: StepRequest) => {
  nodes.adopt(request.nodes)
  const hashed = hashSteps(nodes, request.rows)
  const answer: StepAnswer = { nodes: nodes.memory, hashed }
  port.postMessage(answer, [hashed.roots.buffer, hashed.delta.buffer] as ArrayBuffer[])
})
