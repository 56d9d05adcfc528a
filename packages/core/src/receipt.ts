import { schnorr } from '@noble/curves/secp256k1.js'
import { equalBytes } from './bytes.ts'
import { Reader, Writer } from './codec.ts'
import { taggedHash } from './hash.ts'
import type { Origin } from './header.ts'
import { computeRoot } from './merkle.ts'
import { operationId } from './operation.ts'
import { networkId, type Params } from './params.ts'
import { decodeSigned, type SignedOperation, signedMessage } from './signed.ts'
import { computeNonceRoot } from './slot.ts'

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

/** A tick as the sequencer signed it, in the slot of its own. */
export interface SignedTick {
  readonly tick: Tick
  /** BIP340: R, which is the slot's nonce point, and s. */
  readonly signature: Uint8Array
  /** Leads from the nonce point to the root of its batch's table (`isSlotPoint`). */
  readonly slotPath: readonly Uint8Array[]
}

/** A signed tick with one operation's path in it. */
export interface Receipt extends SignedTick {
  readonly opIndex: number
  readonly path: readonly Uint8Array[]
}

/**
 * The 32 bytes that the slot key signs.
 * @param nonceRoot of the table that the slot is of. It is signed, so that whoever is shown a table of the signer's
 * fancy can hold the signer to it: the parent's header, or the resume, has another one
 */
export function tickMessage(network: Uint8Array, tick: Tick, nonceRoot: Uint8Array): Uint8Array {
  const message = new Writer()
    .hash(network)
    .u32(tick.number)
    .u32(tick.index)
    .u32(tick.origin.height)
    .hash(tick.origin.hash)
    .hash(tick.parent)
    .u32(tick.count)
    .hash(tick.opsRoot)
    .hash(nonceRoot).bytes
  return taggedHash('kedge/tick/1', message)
}

/** Whether the receipt's path leads from the operation to its tick. The signature is checked beside it. */
export function receiptHolds(receipt: Receipt, operationId: Uint8Array): boolean {
  const { tick, opIndex, path } = receipt
  if (opIndex >= tick.count) return false
  const root = computeRoot(tick.count, [opIndex], [operationId], path)
  return root !== undefined && equalBytes(root, tick.opsRoot)
}

/** The root of the table that the tick's nonce point is of: undefined where the path is none of a table of this size. */
export function nonceRootOf(ticks: number, { tick, signature, slotPath }: SignedTick): Uint8Array | undefined {
  return computeNonceRoot(ticks, tick.index, signature.slice(0, 32), slotPath)
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
    .hashes(receipt.slotPath)
    .u32(receipt.opIndex)
    .hashes(receipt.path).bytes
}

/** The header's point, and a path in the largest table. */
const MAX_SLOT_PATH = 17

/** More than any receipt takes. */
export const MAX_RECEIPT_BYTES = 2000

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
  const [signature, slotPath] = [reader.fixed(64), reader.hashes(MAX_SLOT_PATH)]
  const receipt: Receipt = { tick, signature, slotPath, opIndex: reader.u32(), path: reader.hashes(32) }
  return reader.done ? receipt : undefined
}

/**
 * What a receipt can't exclude:
 * - `promise`: that the sequencer breaks its word
 * - `table`: that the chain fixes another table of nonces for the batch than the one that the tick names
 * - `origin`: that the promise is void because its origin block left the best chain
 * - `executed`: that the transfer or withdrawal is refused, or signed by another than the owner of the paying cell
 */
export interface ReceiptReservation {
  readonly name: 'promise' | 'table' | 'origin' | 'executed'
  readonly sentence: string
}

export type ReceiptVerdict =
  | {
      readonly ok: true
      /** What the operation's owner signed. */
      readonly id: Uint8Array
      readonly operation: SignedOperation
      readonly receipt: Receipt
      /** Of the table that the parent's header, or the resume before the batch, must name. */
      readonly nonceRoot: Uint8Array
      readonly reservations: readonly ReceiptReservation[]
    }
  | { readonly ok: false; readonly reason: string }

/** Judges the sequencer's promise for one transfer or withdrawal by the network's parameters alone. */
export function verifyReceipt(params: Params, operation: Uint8Array, bytes: Uint8Array): ReceiptVerdict {
  const signed = decodeSigned(operation)
  if (signed === undefined) return { ok: false, reason: 'the operation is no transfer and no withdrawal' }
  const receipt = decodeReceipt(bytes)
  if (receipt === undefined) return { ok: false, reason: 'the receipt does not decode' }
  if (!receiptHolds(receipt, operationId(operation)))
    return { ok: false, reason: 'the receipt is for another operation' }
  const judged = judgeSignature(params, receipt)
  if (!judged.ok) return judged
  const id = signedMessage(networkId(params), signed)
  return {
    ok: true,
    id,
    operation: signed,
    receipt,
    nonceRoot: judged.nonceRoot,
    reservations: reservationsOf(receipt, signed),
  }
}

export type TickVerdict =
  | { readonly ok: true; readonly receipt: Receipt; readonly nonceRoot: Uint8Array }
  | { readonly ok: false; readonly reason: string }

/** Judges a receipt's tick by itself, whatever it is a receipt for. */
export function verifyTick(params: Params, bytes: Uint8Array): TickVerdict {
  const receipt = decodeReceipt(bytes)
  return receipt === undefined ? { ok: false, reason: 'the receipt does not decode' } : judgeSignature(params, receipt)
}

function judgeSignature(params: Params, receipt: Receipt): TickVerdict {
  const nonceRoot = nonceRootOf(params.caps.ticks, receipt)
  if (nonceRoot === undefined) return { ok: false, reason: 'the nonce is not that of the tick’s slot' }
  const message = tickMessage(networkId(params), receipt.tick, nonceRoot)
  return schnorr.verify(receipt.signature, message, params.keys.slot)
    ? { ok: true, receipt, nonceRoot }
    : { ok: false, reason: 'the receipt is not signed by the sequencer' }
}

function reservationsOf({ tick, opIndex }: Receipt, { kind, from }: SignedOperation): ReceiptReservation[] {
  const { number, origin } = tick
  return [
    {
      name: 'promise',
      sentence: `The sequencer may break its word: that the ${kind} is operation ${opIndex} of batch ${number}, only the anchored batch shows.`,
    },
    {
      name: 'table',
      sentence: `That batch ${number} has this table of nonces, in which a second promise for the slot would cost the sequencer its key, only the link before it shows.`,
    },
    {
      name: 'origin',
      sentence: `The promise ends if Bitcoin drops block ${origin.height}, the batch’s origin.`,
    },
    {
      name: 'executed',
      sentence: `That the ${kind} can be executed, and is signed by the owner of cell ${from}, is the sequencer’s word.`,
    },
  ]
}
