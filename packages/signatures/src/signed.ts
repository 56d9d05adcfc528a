import { decodeSigned, signedMessage } from '@kedge/core'
import { verifySignature } from './engine.ts'

/**
 * Whether `operation` (canonical bytes of a transfer or a withdrawal) carries the signature of `owner` (x-only key) for
 * this network; on the calling thread, for what comes one by one. Other bytes are `false`.
 * @throws RangeError when `network` is not 32 bytes.
 */
export function isSigned(network: Uint8Array, owner: Uint8Array, operation: Uint8Array): boolean {
  const signed = decodeSigned(operation)
  return signed !== undefined && verifySignature(signed.signature, signedMessage(network, signed), owner)
}
