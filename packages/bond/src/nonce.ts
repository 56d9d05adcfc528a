import { concatBytes, type Slot, Writer } from '@kedge/core'
import { secp256k1 } from '@noble/curves/secp256k1.js'
import { hmac } from '@noble/hashes/hmac.js'
import { sha256 } from '@noble/hashes/sha2.js'
import type { XOnlyKey } from './key.ts'

/**
 * The secret nonces of the slot key's slots.
 *
 * A nonce is a pseudo-random function of its slot: HMAC-SHA256 under the slot secret over the table and the slot, as
 * RFC 6979 and BIP340 derive theirs from key and message, only that here the slot stands where the message would. So
 * nonces need no storage, and nobody without the secret knows any relation between two of them. (With a known offset
 * between two nonces, two honest signatures would be two equations in one unknown, and reveal the key.) Reducing 256
 * bits by the group's order leaves a bias of 2^-128, as in BIP340.
 *
 * Nonces and scalars are computed with JavaScript's bigints, whose time depends on their values; points are computed
 * by libsecp256k1 in constant time. Sign where nobody can measure single signatures.
 */

const { Fn } = secp256k1.Point

const NONCE_TAG = new TextEncoder().encode('kedge/slot-nonce/1')

/** Which table of nonces: a network's, for one batch. */
export interface TableId {
  readonly network: Uint8Array
  /** Of the batch whose ticks and header the slots are. */
  readonly number: number
  /**
   * 32 random bytes, new with each resume that this sequencer makes, and kept by the batches that follow it. Without
   * it one restored from a backup would announce for a number the very nonces that it has signed with before.
   */
  readonly salt: Uint8Array
}

/** @returns a scalar of 32 bytes. Never to be shown: with one signature it gives the key. */
export function slotNonce({ secret }: XOnlyKey, { network, number, salt }: TableId, slot: Slot): Uint8Array {
  const place = new Writer(73).hash(network).u32(number).hash(salt)
  const where = slot === 'header' ? place.u8(0).u32(0) : place.u8(1).u32(slot)
  const digest = hmac(sha256, secret, concatBytes(NONCE_TAG, where.bytes))
  const nonce = Fn.create(Fn.fromBytes(digest, true))
  // One chance in 2^256; a nonce of zero would show the key itself.
  if (Fn.is0(nonce)) throw new Error('a slot without a nonce')
  return Fn.toBytes(nonce)
}
