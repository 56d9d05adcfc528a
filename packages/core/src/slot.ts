import { concatBytes, equalBytes } from './bytes.ts'
import { Writer } from './codec.ts'
import { hashPair, taggedHash } from './hash.ts'
import { computeRoot } from './merkle.ts'

/**
 * What the slot key may sign at most one message for: a batch's header, or the tick of that index. Each slot has its
 * own nonce point, fixed beforehand by the nonce root in the parent's header or in the resume. So two messages for one
 * slot share a nonce, and reveal the key.
 */
export type Slot = 'header' | number

/** d(R of the header's slot, root over the R of the ticks' slots), as it stands in a header or resume. */
export function nonceRoot(headerPoint: Uint8Array, ticksRoot: Uint8Array): Uint8Array {
  return hashPair(headerPoint, ticksRoot)
}

/**
 * Whether `point`, x-only, is what a nonce root says about a slot.
 * @param ticks how many slots for ticks the table has: a number of the network's, never the proof's choice
 * @param path for the header the ticks' root alone; for a tick the header's point, then its helpers
 */
export function isSlotPoint(
  root: Uint8Array,
  ticks: number,
  slot: Slot,
  point: Uint8Array,
  path: readonly Uint8Array[],
): boolean {
  const computed = computeNonceRoot(ticks, slot, point, path)
  return computed !== undefined && equalBytes(computed, root)
}

/** The nonce root under which `point` is a slot's: undefined where the path is none of a table of this size. */
export function computeNonceRoot(
  ticks: number,
  slot: Slot,
  point: Uint8Array,
  path: readonly Uint8Array[],
): Uint8Array | undefined {
  const [first, ...helpers] = path
  if (first?.length !== 32 || point.length !== 32) return undefined
  if (slot === 'header') return helpers.length === 0 ? nonceRoot(point, first) : undefined
  const ticksRoot = computeRoot(ticks, [slot], [point], helpers)
  return ticksRoot && nonceRoot(first, ticksRoot)
}

/** The 32 bytes that the slot key signs for a header; for a tick they are `tickMessage`'s. */
export function headerSlotMessage(network: Uint8Array, number: number, headerHash: Uint8Array): Uint8Array {
  return taggedHash('kedge/slot/1', concatBytes(network, new Writer(4).u32(number).bytes, headerHash))
}
