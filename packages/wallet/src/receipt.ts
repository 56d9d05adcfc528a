import type { Acknowledgement } from '@kedge/api'
import {
  decodeOperation,
  decodeReceipt,
  equalBytes,
  fromHex,
  operationId,
  type Receipt,
  receiptHolds,
  type Transfer,
  tickMessage,
  toHex,
  transferMessage,
} from '@kedge/core'
import { isSignature } from './signing.ts'

export type ReadTransfer =
  | { readonly ok: true; readonly transfer: Transfer }
  | { readonly ok: false; readonly reason: string }

/** The transfer in an operation's bytes, if it is the payment with this id: the recipient's cell alone may differ. */
export function readPayment(network: Uint8Array, id: string, operation: string): ReadTransfer {
  const decoded = decodeOperation(fromHex(operation))
  if (decoded?.kind !== 'transfer') return { ok: false, reason: 'the operation is no transfer' }
  if (toHex(transferMessage(network, decoded)) !== id) return { ok: false, reason: 'the operation is another payment' }
  return { ok: true, transfer: decoded }
}

export type ReadReceipt =
  | { readonly ok: true; readonly receipt: Receipt }
  | { readonly ok: false; readonly reason: string }

/** Checks the sequencer's promise for one operation: the tick's signature, and the path from the operation to it. */
export function readAcknowledgement(
  network: Uint8Array,
  slotKey: Uint8Array,
  { operation, receipt }: Acknowledgement,
): ReadReceipt {
  const decoded = decodeReceipt(fromHex(receipt))
  if (decoded === undefined) return { ok: false, reason: 'the receipt does not decode' }
  if (!receiptHolds(decoded, operationId(fromHex(operation))))
    return { ok: false, reason: 'the receipt is for another operation' }
  const signed = isSignature(decoded.signature, tickMessage(network, decoded.tick), slotKey)
  return signed ? { ok: true, receipt: decoded } : { ok: false, reason: 'the receipt is not signed by the sequencer' }
}

/** Whether an acknowledgement promises exactly what was signed. */
export function isAcknowledged(
  wallet: { readonly network: Uint8Array; readonly params: { readonly keys: { readonly slot: Uint8Array } } },
  id: string,
  sent: Transfer,
  acknowledgement: Acknowledgement,
): ReadReceipt {
  const payment = readPayment(wallet.network, id, acknowledgement.operation)
  if (!payment.ok) return payment
  if (!equalBytes(payment.transfer.signature, sent.signature)) return { ok: false, reason: 'the signature was changed' }
  return readAcknowledgement(wallet.network, wallet.params.keys.slot, acknowledgement)
}
