import { secp256k1 } from '@noble/curves/secp256k1.js'
import { xOnlyPointFromScalar } from 'tiny-secp256k1'

const { Fn } = secp256k1.Point

/** A key as BIP340 knows it: of the two secrets ±d the one whose point has an even y. */
export interface XOnlyKey {
  readonly secret: Uint8Array
  readonly publicKey: Uint8Array
}

/** @throws RangeError unless `secret` is a secp256k1 secret key. */
export function xOnlyKey(secret: Uint8Array): XOnlyKey {
  if (!secp256k1.utils.isValidSecretKey(secret)) throw new RangeError('not a secp256k1 secret key')
  const [parity] = secp256k1.getPublicKey(secret, true)
  const even = parity === 2 ? secret : Fn.toBytes(Fn.neg(Fn.fromBytes(secret)))
  return { secret: even, publicKey: xOnlyPointFromScalar(secret) }
}
