// The real worker, with accidents. A row's padding orders them: byte 240 says which, byte 241 how often it happens.
import { parentPort, workerData } from 'node:worker_threads'

const memory = new Uint8Array(workerData.memory)

const accidents = {
  1: () => process.exit(7),
  2: () => {
    for (;;);
  },
  3: () => {
    throw new Error('out of order')
  },
  // Dies half-way, and what it leaves behind looks valid.
  4: (start, count) => {
    for (let row = start; row < start + count / 2; row++) memory[256 * row + 238] = 1
    process.exit(0)
  },
  5: () => parentPort.postMessage('nonsense'),
  // Says that it is done, having done nothing.
  6: (start) => parentPort.postMessage(start),
}

// Does its work, then speaks once more.
const SPEAKS_TWICE = 7

parentPort.addEventListener('message', (event) => {
  const [start, count] = event.data
  for (let row = start; row < start + count; row++) {
    const at = 256 * row + 240
    if (memory[at] === 0 || memory[at + 1] === 0) continue
    memory[at + 1] -= 1
    if (memory[at] === SPEAKS_TWICE) setImmediate(() => parentPort.postMessage(start))
    else {
      event.stopImmediatePropagation()
      accidents[memory[at]](start, count)
    }
    return
  }
})

await import('../dist/worker.js')
