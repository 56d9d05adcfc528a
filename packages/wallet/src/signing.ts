import { concatBytes, type Transfer, transferMessage, type Withdrawal, withdrawalMessage } from '@kedge/core'
import { schnorr, secp256k1 } from '@noble/curves/secp256k1.js'

/** BIP340, as the wallet needs it. */

/** Without randomness beside the key: the same transfer signed again after a crash is the same to the byte. */
const NO_AUXILIARY = new Uint8Array(32)

export function signTransfer(network: Uint8Array, unsigned: Omit<Transfer, 'signature'>, secret: Uint8Array): Transfer {
  return { ...unsigned, signature: schnorr.sign(transferMessage(network, unsigned), secret, NO_AUXILIARY) }
}

export function signWithdrawal(
  network: Uint8Array,
  unsigned: Omit<Withdrawal, 'signature'>,
  secret: Uint8Array,
): Withdrawal {
  return { ...unsigned, signature: schnorr.sign(withdrawalMessage(network, unsigned), secret, NO_AUXILIARY) }
}

export function isSignature(signature: Uint8Array, message: Uint8Array, key: Uint8Array): boolean {
  return schnorr.verify(signature, message, key)
}

/** Whether some secret can have this x-only key. Money sent to any other is lost for ever. */
export function isOnCurve(key: Uint8Array): boolean {
  return secp256k1.utils.isValidPublicKey(concatBytes(EVEN, key))
}

/** BIP340's x-only keys stand for the point whose y is even. */
const EVEN = Uint8Array.from([2])
