import { isSlotPoint, type Slot } from '@kedge/core'
import { isSignedBy } from './slot-signature.ts'

/** A slot's place and what is said there, as whoever holds a receipt or the next header sees it. */
export interface SlotClaim {
  /** The slot key, x-only. */
  readonly key: Uint8Array
  /** The table's root, and how many slots for ticks it has. */
  readonly root: Uint8Array
  readonly ticks: number
  readonly slot: Slot
  readonly path: readonly Uint8Array[]
  /** BIP340: R and s. */
  readonly signature: Uint8Array
  /** 32 bytes. */
  readonly message: Uint8Array
}

/**
 * Whether the key signed the message for that slot with the slot's own nonce. Only such a signature binds: one with
 * any other nonce is valid for BIP340, but a second one beside it would reveal nothing.
 */
export function isSlotSignature({ key, root, ticks, slot, path, signature, message }: SlotClaim): boolean {
  const point = signature.slice(0, 32)
  return isSlotPoint(root, ticks, slot, point, path) && isSignedBy(key, { message, signature })
}
