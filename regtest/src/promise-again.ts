import { tickSigned, xOnlyKey } from '@kedge/bond'
import { concatBytes, networkId, operationId, type Params, type Receipt, taggedHash } from '@kedge/core'
import { secp256k1 } from '@noble/curves/secp256k1.js'

const { Fn } = secp256k1.Point

/**
 * A liar's promise of the first place in a batch, in a slot that another promise stands in. The nonce is the slot's, so it
 * needs no table to look right to its payer: whoever has key and signature has the nonce, k = s − e·d.
 */
export function promiseAgain(params: Params, slotSecret: Uint8Array, before: Receipt, operation: Uint8Array): Receipt {
  const network = networkId(params)
  const tick = { ...before.tick, count: 1, opsRoot: operationId(operation) }
  const [said, says] = [tickSigned(params, network, before), tickSigned(params, network, { ...before, tick })]
  if (said === undefined || says === undefined) throw new Error('a promise in no slot')
  const { secret, publicKey } = xOnlyKey(slotSecret)
  const point = before.signature.slice(0, 32)
  const challengeOf = (message: Uint8Array) =>
    Fn.create(Fn.fromBytes(taggedHash('BIP0340/challenge', concatBytes(point, publicKey, message)), true))
  const moved = Fn.mul(Fn.sub(challengeOf(says.message), challengeOf(said.message)), Fn.fromBytes(secret))
  const s = Fn.add(Fn.fromBytes(before.signature.slice(32)), moved)
  return { ...before, tick, signature: concatBytes(point, Fn.toBytes(s)), opIndex: 0, path: [] }
}
