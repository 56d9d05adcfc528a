import type { Acknowledgement } from '@kedge/api'
import {
  decodeOperation,
  decodeSigned,
  equalBytes,
  fromHex,
  type Params,
  type ReceiptVerdict,
  type SignedOperation,
  signedMessage,
  type Transfer,
  toHex,
  transferMessage,
  verifyReceipt,
} from '@kedge/core'
import type { Wallet } from './wallet.ts'

export type ReadTransfer =
  | { readonly ok: true; readonly transfer: Transfer }
  | { readonly ok: false; readonly reason: string }

/** The transfer in an operation's bytes, if it is the payment with this id: the recipient's cell alone may differ. */
export function readPayment(network: Uint8Array, id: string, operation: Uint8Array): ReadTransfer {
  const decoded = decodeOperation(operation)
  if (decoded?.kind !== 'transfer') return { ok: false, reason: 'the operation is no transfer' }
  if (toHex(transferMessage(network, decoded)) !== id) return { ok: false, reason: 'the operation is another payment' }
  return { ok: true, transfer: decoded }
}

/** Checks the sequencer's promise for one operation: the tick's signature, and the path from the operation to it. */
export function readAcknowledgement(params: Params, { operation, receipt }: Acknowledgement): ReceiptVerdict {
  return verifyReceipt(params, fromHex(operation), fromHex(receipt))
}

/** Whether an acknowledgement promises exactly what was signed. */
export function isAcknowledged(
  { network, params }: Pick<Wallet, 'network' | 'params'>,
  id: string,
  sent: SignedOperation,
  acknowledgement: Acknowledgement,
): ReceiptVerdict {
  const promised = decodeSigned(fromHex(acknowledgement.operation))
  if (promised === undefined || toHex(signedMessage(network, promised)) !== id)
    return { ok: false, reason: 'the operation is another one' }
  if (!equalBytes(promised.signature, sent.signature)) return { ok: false, reason: 'the signature was changed' }
  return readAcknowledgement(params, acknowledgement)
}
