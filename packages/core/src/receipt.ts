import { schnorr } from '@noble/curves/secp256k1.js'
import { equalBytes } from './bytes.ts'
import { Reader, Writer } from './codec.ts'
import { taggedHash } from './hash.ts'
import type { Origin } from './header.ts'
import { computeRoot } from './merkle.ts'
import { decodeOperation, operationId } from './operation.ts'
import { networkId, type Params } from './params.ts'
import { type Transfer, transferMessage } from './transfer.ts'

/**
 * The sequencer's promise over the open batch so far: its first `count` operations, in this order, in this batch.
 * One signature serves every transfer accepted since the last tick.
 */
export interface Tick {
  readonly number: number
  /** Counts the ticks of one batch from 0. */
  readonly index: number
  readonly origin: Origin
  readonly parent: Uint8Array
  readonly count: number
  readonly opsRoot: Uint8Array
}

/** A signed tick with one operation's path in it. */
export interface Receipt {
  readonly tick: Tick
  readonly signature: Uint8Array
  readonly opIndex: number
  readonly path: readonly Uint8Array[]
}

/** The 32 bytes that the slot key signs. */
export function tickMessage(network: Uint8Array, tick: Tick): Uint8Array {
  const message = new Writer()
    .hash(network)
    .u32(tick.number)
    .u32(tick.index)
    .u32(tick.origin.height)
    .hash(tick.origin.hash)
    .hash(tick.parent)
    .u32(tick.count)
    .hash(tick.opsRoot).bytes
  return taggedHash('kedge/tick/1', message)
}

/** Whether the receipt's path leads from the operation to its tick. The signature is checked beside it. */
export function receiptHolds(receipt: Receipt, operationId: Uint8Array): boolean {
  const { tick, opIndex, path } = receipt
  if (opIndex >= tick.count) return false
  const root = computeRoot(tick.count, [opIndex], [operationId], path)
  return root !== undefined && equalBytes(root, tick.opsRoot)
}

export function encodeReceipt(receipt: Receipt): Uint8Array {
  const { tick } = receipt
  return new Writer()
    .u32(tick.number)
    .u32(tick.index)
    .u32(tick.origin.height)
    .hash(tick.origin.hash)
    .hash(tick.parent)
    .u32(tick.count)
    .hash(tick.opsRoot)
    .fixed(receipt.signature, 64)
    .u32(receipt.opIndex)
    .hashes(receipt.path).bytes
}

export function decodeReceipt(bytes: Uint8Array): Receipt | undefined {
  const reader = new Reader(bytes)
  const tick: Tick = {
    number: reader.u32(),
    index: reader.u32(),
    origin: { height: reader.u32(), hash: reader.hash() },
    parent: reader.hash(),
    count: reader.u32(),
    opsRoot: reader.hash(),
  }
  const receipt: Receipt = { tick, signature: reader.fixed(64), opIndex: reader.u32(), path: reader.hashes(32) }
  return reader.done ? receipt : undefined
}

/**
 * What a receipt can't exclude:
 * - `promise`: that the sequencer breaks its word
 * - `origin`: that the promise is void because its origin block left the best chain
 * - `executed`: that the transfer is refused, or signed by another than the owner of the paying cell
 */
export interface ReceiptReservation {
  readonly name: 'promise' | 'origin' | 'executed'
  readonly sentence: string
}

export type ReceiptVerdict =
  | {
      readonly ok: true
      /** What the payer signed. */
      readonly id: Uint8Array
      readonly transfer: Transfer
      readonly receipt: Receipt
      readonly reservations: readonly ReceiptReservation[]
    }
  | { readonly ok: false; readonly reason: string }

/** Judges the sequencer's promise for one transfer by the network's parameters alone. */
export function verifyReceipt(params: Params, operation: Uint8Array, bytes: Uint8Array): ReceiptVerdict {
  const transfer = decodeOperation(operation)
  if (transfer?.kind !== 'transfer') return { ok: false, reason: 'the operation is no transfer' }
  const receipt = decodeReceipt(bytes)
  if (receipt === undefined) return { ok: false, reason: 'the receipt does not decode' }
  if (!receiptHolds(receipt, operationId(operation)))
    return { ok: false, reason: 'the receipt is for another operation' }
  const network = networkId(params)
  if (!schnorr.verify(receipt.signature, tickMessage(network, receipt.tick), params.keys.slot))
    return { ok: false, reason: 'the receipt is not signed by the sequencer' }
  const id = transferMessage(network, transfer)
  return { ok: true, id, transfer, receipt, reservations: reservationsOf(receipt, transfer) }
}

function reservationsOf({ tick, opIndex }: Receipt, { from }: Transfer): ReceiptReservation[] {
  const { number, origin } = tick
  return [
    {
      name: 'promise',
      sentence: `The sequencer may break its word: that the transfer is operation ${opIndex} of batch ${number}, only the anchored batch shows.`,
    },
    {
      name: 'origin',
      sentence: `The promise ends if Bitcoin drops block ${origin.height}, the batch’s origin.`,
    },
    {
      name: 'executed',
      sentence: `That the transfer can be executed, and is signed by the owner of cell ${from}, is the sequencer’s word.`,
    },
  ]
}
