import { concatBytes, equalBytes, type Slot, taggedHash } from '@kedge/core'
import { schnorr, secp256k1 } from '@noble/curves/secp256k1.js'
import { xOnlyPointFromScalar } from 'tiny-secp256k1'
import type { XOnlyKey } from './key.ts'
import { slotNonce } from './nonce.ts'
import { pointOf, type SlotTable } from './slot-table.ts'

/** Signing with a slot's fixed nonce, and what follows from doing so twice. */

const { Fn } = secp256k1.Point

/**
 * BIP340, with the slot's nonce in place of one that depends on the message. The same message gets the same bytes. A
 * second message for the same slot gives the key away, so ask the sign-once store first (`claimSlot`).
 * @param message 32 bytes
 */
export function signSlot(key: XOnlyKey, table: SlotTable, slot: Slot, message: Uint8Array): Uint8Array {
  if (message.length !== 32) throw new RangeError(`a message of ${message.length} bytes`)
  const point = pointOf(table, slot)
  const nonce = Fn.fromBytes(slotNonce(key, table.id, slot))
  const e = challengeOf(point.x, key.publicKey, message)
  const s = Fn.add(point.odd ? Fn.neg(nonce) : nonce, Fn.mul(e, Fn.fromBytes(key.secret)))
  return concatBytes(point.x, Fn.toBytes(s))
}

/** One signature by the slot key. */
export interface SignedMessage {
  readonly message: Uint8Array
  readonly signature: Uint8Array
}

/**
 * The slot key's secret from two signatures with one nonce over different messages: s₁ − s₂ = (e₁ − e₂)·d. Undefined
 * unless they are that; so what comes back is the key's secret.
 * @param key x-only
 */
export function extractSlotSecret(key: Uint8Array, one: SignedMessage, other: SignedMessage): Uint8Array | undefined {
  const point = one.signature.slice(0, 32)
  if (!equalBytes(point, other.signature.slice(0, 32))) return undefined
  if (![one, other].every((signed) => isSignedBy(key, signed))) return undefined
  const e = Fn.sub(challengeOf(point, key, one.message), challengeOf(point, key, other.message))
  if (Fn.is0(e)) return undefined
  const s = Fn.sub(scalarOf(one), scalarOf(other))
  const secret = Fn.toBytes(Fn.div(s, e))
  if (!equalBytes(xOnlyPointFromScalar(secret), key)) throw new Error('two valid signatures that do not give the key')
  return secret
}

/** BIP340 over a message of 32 bytes. */
export function isSignedBy(key: Uint8Array, { message, signature }: SignedMessage): boolean {
  const sized = key.length === 32 && message.length === 32 && signature.length === 64
  return sized && schnorr.verify(signature, message, key)
}

function scalarOf({ signature }: SignedMessage): bigint {
  return Fn.fromBytes(signature.slice(32))
}

/** BIP340's e. */
function challengeOf(point: Uint8Array, key: Uint8Array, message: Uint8Array): bigint {
  return Fn.create(Fn.fromBytes(taggedHash('BIP0340/challenge', concatBytes(point, key, message)), true))
}
