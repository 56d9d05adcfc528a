import { parentPort, workerData } from 'node:worker_threads'
import { signHash } from '@kedge/bitcoin'
import { decodeTransfer, TRANSFER_BYTES, transferMessage } from '@kedge/core'
import { keyOf, secretOf } from './payers.ts'

/** Makes keys, or signs rows, on shared memory: the part [start, end) of it. */
export type SigningTask =
  | { readonly kind: 'keys'; readonly keys: SharedArrayBuffer; readonly start: number; readonly end: number }
  | {
      readonly kind: 'rows'
      readonly rows: SharedArrayBuffer
      readonly network: Uint8Array
      readonly start: number
      readonly end: number
    }

const SIGNATURE_AT = TRANSFER_BYTES - 64

function work(task: SigningTask): void {
  if (task.kind === 'keys') {
    const keys = new Uint8Array(task.keys)
    for (let payer = task.start; payer < task.end; payer++) keys.set(keyOf(payer, true), 32 * payer)
    return
  }
  const rows = new Uint8Array(task.rows)
  for (let at = task.start; at < task.end; at++)
    signRow(rows.subarray(TRANSFER_BYTES * at, TRANSFER_BYTES * (at + 1)), task.network)
}

function signRow(row: Uint8Array, network: Uint8Array): void {
  const transfer = decodeTransfer(row)
  if (transfer === undefined) throw new Error('a row to sign is no transfer')
  row.set(signHash(transferMessage(network, transfer), secretOf(transfer.from)), SIGNATURE_AT)
}

work(workerData)
parentPort?.postMessage('done')
