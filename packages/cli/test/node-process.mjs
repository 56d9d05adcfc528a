/**
 * A process that runs a node as `kedge sequencer` does, but that the node is none: it does what the argument says.
 * @param {string} behaviour
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { StoreError } from '@kedge/storage'
import { pino } from 'pino'
import { runNode } from '../dist/run-node.js'

const [behaviour] = process.argv.slice(2)
const log = pino(pino.destination({ fd: 2, sync: true }))
const keepAlive = setInterval(() => undefined, 1000)
const never = new Promise(() => undefined)

const starts = {
  stops: () => ({ done: never, stop: () => sleep(50) }),
  hangs: () => ({ done: never, stop: () => never }),
  'fails-later': () => ({
    done: sleep(50).then(() => Promise.reject(new Error('the disk is full'))),
    stop: () => never,
  }),
  'fails-at-stop': () => ({ done: never, stop: () => Promise.reject(new Error('the disk is full')) }),
  'fails-at-start': () => {
    throw new Error('the port is taken')
  },
  'is-not-alone': () => {
    throw new StoreError('the folder is in use')
  },
}

/** @param {{ params: unknown }} _ */
async function start(_) {
  await sleep(1)
  const node = starts[/** @type {keyof typeof starts} */ (behaviour)]()
  return { apiUrl: 'http://127.0.0.1:1', addresses: ['/ip4/127.0.0.1/tcp/1'], fundingAddress: 'bcrt1p', ...node }
}

const key = new Uint8Array(32).fill(1)
const LATE = { forced: 2, exit: 60, refund: 80, margin: 21 }
const params = {
  ...{ chain: 'regtest', genesis: { txid: key, vout: 0 }, scanHeight: 1, vault: { txid: key, vout: 1, value: 546n } },
  keys: { anchor: key, slot: key, fees: key, watchers: [key], threshold: 1 },
  windows: { originDepth: 1, staleness: 20, challenge: 2, answer: 3, proof: 3, dispute: 6, takeover: 40, ...LATE },
  caps: { operations: 2, deposits: 1, forced: 1, ticks: 1, answerVbytesPerBlock: 1 },
  fees: { transfer: 1n, cell: 1n, minDeposit: 2n, deposit: 1n, dust: 546n, payout: 1n, challenge: 330n },
}
process.exitCode = await runNode({ log, params }, start)
clearInterval(keepAlive)
