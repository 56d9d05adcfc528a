import {
  type Checkpoint,
  type Document,
  decodeDocument,
  documentFromJson,
  equalBytes,
  networkId,
  type Params,
  type PaymentVerdict,
  type ReadDocument,
  type ReceiptVerdict,
  toHex,
  verifyPayment,
  verifyReceipt,
} from '@kedge/core'
import { WalletError } from './errors.ts'

/** Receipts and payment proofs as somebody hands them over: judged without a node, by the network's parameters. */

export type ProvenReceipt = Extract<ReceiptVerdict, { ok: true }>
export type ProvenPayment = Extract<PaymentVerdict, { ok: true }>

/** Of its two forms, JSON is the one that begins with a brace. */
const BRACE = 0x7b

/** @throws WalletError `bad-document`, `wrong-network` or `not-proven`. */
export function checkReceipt(params: Params, bytes: Uint8Array): ProvenReceipt {
  const { operation, receipt } = open(params, 'receipt', bytes)
  const verdict = verifyReceipt(params, operation, receipt)
  return verdict.ok ? verdict : notProven('receipt', verdict.reason)
}

/** A payment proof of this network, not judged so far. @throws WalletError `bad-document` or `wrong-network`. */
export function openProof(params: Params, bytes: Uint8Array): Extract<Document, { kind: 'payment-proof' }> {
  return open(params, 'payment-proof', bytes)
}

/** @throws WalletError `not-proven`. */
export function checkPayment(
  params: Params,
  shown: Extract<Document, { kind: 'payment-proof' }>,
  checkpoint: Checkpoint,
): ProvenPayment {
  const verdict = verifyPayment(params, shown, checkpoint)
  return verdict.ok ? verdict : notProven('payment proof', verdict.reason)
}

function notProven(what: string, reason: string): never {
  throw new WalletError(`The ${what} proves nothing: ${reason}.`, { code: 'not-proven', details: { reason } })
}

const NAMES = { receipt: 'receipt', 'payment-proof': 'payment proof', 'broken-promise': 'broken promise' } as const

function open<K extends Document['kind']>(params: Params, kind: K, bytes: Uint8Array): Extract<Document, { kind: K }> {
  const read = readEither(bytes)
  if (!read.ok) throw badDocument(`The file can’t be read: ${read.reason}.`)
  const { document } = read
  if (!isOf(document, kind)) throw badDocument(`The file is a ${NAMES[document.kind]}, not a ${NAMES[kind]}.`)
  const network = networkId(params)
  if (equalBytes(document.network, network)) return document
  throw new WalletError(
    `The ${NAMES[kind]} is of the network ${toHex(document.network).slice(0, 16)}…, the parameters are those of ${toHex(network).slice(0, 16)}…. Use the parameters of its network.`,
    { code: 'wrong-network', details: { document: toHex(document.network), params: toHex(network) } },
  )
}

function isOf<K extends Document['kind']>(document: Document, kind: K): document is Extract<Document, { kind: K }> {
  return document.kind === kind
}

function badDocument(message: string): WalletError {
  return new WalletError(message, { code: 'bad-document' })
}

function readEither(bytes: Uint8Array): ReadDocument {
  if (bytes[0] !== BRACE) return decodeDocument(bytes)
  try {
    return documentFromJson(JSON.parse(new TextDecoder().decode(bytes)))
  } catch (error) {
    if (error instanceof SyntaxError) return { ok: false, reason: 'it begins like JSON, and is none' }
    throw error
  }
}
