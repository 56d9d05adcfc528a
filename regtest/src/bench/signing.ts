import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { TRANSFER_BYTES } from '@kedge/core'
import { keyOf } from './payers.ts'
import type { SigningTask } from './signing-worker.ts'

const THREADS = 2
const WORKER_FILE = new URL('signing-worker.js', import.meta.url)

/** Keys of payers 0 … `payers`, 32 bytes each. */
export async function makeKeys(payers: number, isSigned: boolean): Promise<Uint8Array> {
  const keys = new SharedArrayBuffer(32 * (payers + 1))
  if (isSigned) await inThreads(payers + 1, (start, end) => ({ kind: 'keys', keys, start, end }))
  const bytes = new Uint8Array(keys)
  if (!isSigned) for (let payer = 0; payer <= payers; payer++) bytes.set(keyOf(payer, false), 32 * payer)
  return bytes
}

/** Signs all rows in place. */
export async function signRows(rows: SharedArrayBuffer, network: Uint8Array): Promise<void> {
  await inThreads(rows.byteLength / TRANSFER_BYTES, (start, end) => ({ kind: 'rows', rows, network, start, end }))
}

async function inThreads(count: number, taskOf: (start: number, end: number) => SigningTask): Promise<void> {
  const cuts = Array.from({ length: THREADS + 1 }, (_, at) => Math.round((at * count) / THREADS))
  const tasks = cuts.slice(1).map((end, at) => taskOf(cuts[at] as number, end))
  await Promise.all(
    tasks.map((workerData) => once(new Worker(WORKER_FILE, { workerData }), 'exit').then(refuseFailure)),
  )
}

function refuseFailure([code]: unknown[]): void {
  if (code !== 0) throw new Error(`a thread that signs ended with code ${code}`)
}
