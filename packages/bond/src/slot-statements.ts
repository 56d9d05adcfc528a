import { concatBytes, headerSlotMessage, type SignedTick, type Tick, tickMessage } from '@kedge/core'
import type { XOnlyKey } from './key.ts'
import { signSlot } from './slot-signature.ts'
import { type SlotTable, slotPath, tableRoot } from './slot-table.ts'

/** What the slot key says. Ask the sign-once store first (`claimSlot`), with `tickSlotMessage` or `headerSlotMessage`. */

/** The 32 bytes that are signed for a tick of this table's batch. */
export function tickSlotMessage(table: SlotTable, tick: Tick): Uint8Array {
  if (tick.number !== table.id.number)
    throw new RangeError(`a tick of batch ${tick.number} in the table of batch ${table.id.number}`)
  return tickMessage(table.id.network, tick, tableRoot(table))
}

export function signTick(key: XOnlyKey, table: SlotTable, tick: Tick): SignedTick {
  const signature = signSlot(key, table, tick.index, tickSlotMessage(table, tick))
  return { tick, signature, slotPath: slotPath(table, tick.index) }
}

/** What the next header carries for this table's batch: R, s and the root over the ticks' points. */
export function signHeader(key: XOnlyKey, table: SlotTable, headerHash: Uint8Array): Uint8Array {
  const { network, number } = table.id
  const signature = signSlot(key, table, 'header', headerSlotMessage(network, number, headerHash))
  return concatBytes(signature, ...slotPath(table, 'header'))
}
