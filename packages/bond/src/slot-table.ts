import { concatBytes, MerkleLog, nonceRoot, type Slot } from '@kedge/core'
import { pointFromScalar } from 'tiny-secp256k1'
import type { XOnlyKey } from './key.ts'
import { slotNonce, type TableId } from './nonce.ts'

/** The nonce points of one batch's slots, and the tree over them. */
export interface SlotTable {
  readonly id: TableId
  readonly header: NoncePoint
  readonly ticks: readonly NoncePoint[]
  readonly log: MerkleLog
}

export interface NoncePoint {
  readonly x: Uint8Array
  /** BIP340 takes the point with the even y: of a nonce with an odd one, the negative signs. */
  readonly odd: boolean
}

/**
 * One multiplication of the base point a slot: some 0.4 ms each. A long table is made in runs, between other work or
 * in another thread, and put together by `slotTable`.
 * @param from the first tick's index
 */
export function tickPoints(key: XOnlyKey, id: TableId, from: number, count: number): NoncePoint[] {
  return Array.from({ length: count }, (_, at) => noncePoint(key, id, from + at))
}

/**
 * @param ticks the points of the ticks' slots, from index 0 on; at least one
 * @param leaves how many the network's tables have. Those behind the points are zeros, under which nothing can be signed:
 *   no point of secp256k1 has the x-coordinate 0, since 7 is no square of its field
 */
export function slotTable(
  key: XOnlyKey,
  id: TableId,
  ticks: readonly NoncePoint[],
  leaves: number = ticks.length,
): SlotTable {
  if (ticks.length === 0) throw new RangeError('a table without a slot for ticks')
  const log = new MerkleLog()
  log.append(concatBytes(...ticks.map(({ x }) => x), new Uint8Array(32 * (leaves - ticks.length))))
  return { id, header: noncePoint(key, id, 'header'), ticks, log }
}

function noncePoint(key: XOnlyKey, id: TableId, slot: Slot): NoncePoint {
  const point = pointFromScalar(slotNonce(key, id, slot), true)
  if (point === null) throw new Error('a slot without a nonce')
  return { x: point.slice(1), odd: point[0] === 3 }
}

/** What the parent's header, or the resume, carries for the batch. */
export function tableRoot({ header, log }: SlotTable): Uint8Array {
  return nonceRoot(header.x, log.root())
}

/** Leads from the slot's point to the table's root (`isSlotPoint`). @throws RangeError for a slot it does not have */
export function slotPath(table: SlotTable, slot: Slot): Uint8Array[] {
  const { log, header } = table
  pointOf(table, slot)
  return slot === 'header' ? [log.root()] : [header.x, ...log.prove(slot)]
}

/** @throws RangeError for a slot that the table does not have: ticks stop there until the batch is sealed. */
export function pointOf({ id, header, ticks }: SlotTable, slot: Slot): NoncePoint {
  const point = slot === 'header' ? header : ticks[slot]
  if (point === undefined)
    throw new RangeError(`batch ${id.number} has slots for ${ticks.length} ticks, not for ${slot}`)
  return point
}
