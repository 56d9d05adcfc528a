import { equalBytes } from './bytes.ts'
import { Reader, Writer } from './codec.ts'
import { taggedHash } from './hash.ts'
import type { Origin } from './header.ts'
import { computeRoot } from './merkle.ts'

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
