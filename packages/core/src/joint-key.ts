import { schnorr } from '@noble/curves/secp256k1.js'
import { bytesToNumberBE } from '@noble/curves/utils.js'
import { concatBytes, equalBytes } from './bytes.ts'
import { taggedHash } from './hash.ts'

/**
 * The one key of several x-only ones that must all sign (BIP327, KeyAgg; each stands for its point with the even y).
 * @param keys in the order of BIP327's KeySort
 * @returns x-only @throws Error when a key is not on the curve
 */
export function jointKey(keys: readonly Uint8Array[]): Uint8Array {
  const points = keys.map((key) => concatBytes(EVEN, key))
  const [first = EVEN] = points
  const second = points.find((point) => !equalBytes(point, first))
  const list = taggedHash('KeyAgg list', concatBytes(...points))
  const { lift_x, pointToBytes } = schnorr.utils
  const terms = points.map((point, at) => {
    const lifted = lift_x(bytesToNumberBE(keys[at] as Uint8Array))
    // All of it is public, so nothing is lost by an operation whose time tells what it works on.
    const isSecond = second !== undefined && equalBytes(point, second)
    return isSecond ? lifted : lifted.multiplyUnsafe(coefficientOf(list, point))
  })
  return pointToBytes(terms.reduce((sum, term) => sum.add(term), schnorr.Point.ZERO))
}

const EVEN = Uint8Array.of(2)

function coefficientOf(list: Uint8Array, point: Uint8Array): bigint {
  return schnorr.Point.Fn.create(bytesToNumberBE(taggedHash('KeyAgg coefficient', concatBytes(list, point))))
}
