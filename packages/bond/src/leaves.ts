import { concatBytes, push, pushNumber, quorum } from '@kedge/core'
import { OP } from './opcodes.ts'

/** The detector's leaves, put together from parts. Each part leaves the stack as its comment says. */

/** `<key> CHECKSIG`: takes a signature, leaves whether it is the key's. */
function signedBy(key: Uint8Array): Uint8Array {
  return concatBytes(push(key), Uint8Array.of(OP.CHECKSIG))
}

/** `<blocks> CSV DROP`: leaves the stack as it was, where the input's relative lock is at least that (BIP112). */
export function afterBlocks(blocks: number): Uint8Array {
  return concatBytes(pushNumber(blocks), Uint8Array.of(OP.CHECKSEQUENCEVERIFY, OP.DROP))
}

/** The sequencer takes its bond back, T blocks after the detector was mined. */
export function returnLeaf(blocks: number, returnKey: Uint8Array): Uint8Array {
  return concatBytes(afterBlocks(blocks), signedBy(returnKey))
}

/** Whoever holds the slot key, and that is everybody once two messages for one slot were signed. */
export function equivocationLeaf(slotKey: Uint8Array): Uint8Array {
  return signedBy(slotKey)
}

/** t of n watchers say that the sequencer lied where Script can't see it. */
export function fraudLeaf(watchers: readonly Uint8Array[], threshold: number): Uint8Array {
  return quorum(watchers, threshold)
}
