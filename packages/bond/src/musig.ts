import { concatBytes, tapTweak } from '@kedge/core'
import * as musig2 from '@scure/btc-signer/musig2.js'
import { isPoint } from 'tiny-secp256k1'
import type { XOnlyKey } from './key.ts'

/**
 * MuSig2 (BIP327) for the bond's key: all co-signers' keys together, tweaked as a taproot output without leaves is.
 * A co-signer's key is x-only; it stands for the point with the even y.
 */

/** One signer's nonces for one message. The secret half lives in memory only, and signs once: signing erases it. */
export interface Nonces {
  readonly secret: Uint8Array
  readonly public: Uint8Array
}

/** Two compressed points. */
const PUBLIC_NONCE = 66
const POINT = 33

/**
 * @param aggregate the co-signers' `jointKey`
 * @param message the 32 bytes that are to be signed
 * @param random 32 bytes that never come again
 */
export function openNonces(key: XOnlyKey, aggregate: Uint8Array, message: Uint8Array, random: Uint8Array): Nonces {
  return musig2.nonceGen(lifted(key.publicKey), key.secret, aggregate, message, undefined, random)
}

/** Whether bytes that somebody sent are a public nonce. */
export function isPublicNonce(bytes: Uint8Array): boolean {
  return bytes.length === PUBLIC_NONCE && isPoint(bytes.slice(0, POINT)) && isPoint(bytes.slice(POINT))
}

/** One message being signed: what all co-signers must agree on. */
export interface Signing {
  readonly session: musig2.Session
  /** Public, in the co-signers' order. */
  readonly nonces: readonly Uint8Array[]
}

/**
 * @param aggregate the co-signers' `jointKey`
 * @param nonces public ones, in the co-signers' order, each checked by `isPublicNonce`
 */
export function openSigning(
  cosigners: readonly Uint8Array[],
  aggregate: Uint8Array,
  message: Uint8Array,
  nonces: readonly Uint8Array[],
): Signing {
  const joined = musig2.nonceAggregate([...nonces])
  const session = new musig2.Session(joined, cosigners.map(lifted), message, [tapTweak(aggregate)], [true])
  return { session, nonces }
}

/** @throws Error when the nonce was used before: its first use erases it. */
export function signPartial({ session }: Signing, nonces: Nonces, key: XOnlyKey): Uint8Array {
  return session.sign(nonces.secret, key.secret)
}

/** Whether what a co-signer sent is its share of the signature. */
export function isPartial({ session, nonces }: Signing, at: number, partial: Uint8Array): boolean {
  return partial.length === 32 && session.partialSigVerify(partial, [...nonces], at)
}

/** BIP340's signature. @param partials all, in the co-signers' order, each checked by `isPartial` */
export function joinPartials({ session }: Signing, partials: readonly Uint8Array[]): Uint8Array {
  return session.partialSigAgg([...partials])
}

function lifted(key: Uint8Array): Uint8Array {
  return concatBytes(Uint8Array.of(2), key)
}
