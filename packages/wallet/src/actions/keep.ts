import { type Acknowledgement, ApiError, PAGE_LIMIT_MAX, type Payment } from '@kedge/api'
import {
  BLOCK_HEADER_BYTES,
  type Checkpoint,
  decodeHeader,
  decodePaymentProof,
  fromHex,
  hashTwice,
  type PaymentDocument,
  type ReceiptDocument,
  toHex,
  verifyPayment,
} from '@kedge/core'
import { WalletError } from '../errors.ts'
import { readAcknowledgement } from '../receipt.ts'
import { readContent, type Wallet } from '../wallet.ts'
import { findWithdrawal } from './withdrawal-status.ts'

/** What somebody can keep, and hand on: a payment's receipt, and its proof. */

/**
 * The sequencer's promise for a payment, as it was checked here: the newest that the node has, or the wallet's own.
 * @throws WalletError `no-receipt` or `bad-answer`; ApiError.
 */
export async function fetchReceipt(wallet: Wallet, id: string): Promise<ReceiptDocument> {
  const { network, params } = wallet
  const acknowledgement = (await acknowledgementAtNode(wallet, id)) ?? (await recorded(wallet, id))
  if (acknowledgement === undefined)
    throw new WalletError(
      `There is no receipt for ${id}: the sequencer has not acknowledged it, or only the sequencer’s own node and the payer’s wallet have it.`,
      { code: 'no-receipt' },
    )
  const [operation, receipt] = [fromHex(acknowledgement.operation), fromHex(acknowledgement.receipt)]
  const verdict = readAcknowledgement(params, acknowledgement)
  if (!verdict.ok) throw badAnswer(wallet, verdict.reason)
  if (toHex(verdict.id) !== id) throw badAnswer(wallet, 'the operation is another one')
  return { kind: 'receipt', network, operation, receipt }
}

async function acknowledgementAtNode(wallet: Wallet, id: string): Promise<Acknowledgement | undefined> {
  const said = (await findPayment(wallet, id)) ?? (await findWithdrawal(wallet, id))
  return said !== undefined && 'acknowledgement' in said ? said.acknowledgement : undefined
}

async function findPayment({ client }: Wallet, id: string): Promise<Payment | undefined> {
  try {
    return await client.payment({ id })
  } catch (error) {
    if (error instanceof ApiError && error.code === 'not-found') return undefined
    throw error
  }
}

async function recorded(wallet: Wallet, id: string): Promise<Acknowledgement | undefined> {
  const { sends } = await readContent(wallet)
  return sends.find((sent) => sent.id === id)?.acknowledgement
}

/**
 * A payment's proof with Bitcoin's headers from the batch's origin on, up to the tip or as many as a node gives at once.
 * It is judged here as a stranger would, with the node's word for the last block.
 * @throws WalletError `unknown-payment`, `not-anchored` or `bad-answer`; ApiError.
 */
export async function fetchProof(wallet: Wallet, id: string): Promise<PaymentDocument> {
  const { network, params } = wallet
  const payment = await findPayment(wallet, id)
  if (payment === undefined)
    throw new WalletError(`The node at ${wallet.client.baseUrl} has not heard of the payment ${id}. Check the id.`, {
      code: 'unknown-payment',
    })
  if (!('proof' in payment))
    throw new WalletError(`The payment ${id} is ${payment.rung}: there is a proof once it is anchored.`, {
      code: 'not-anchored',
      details: { rung: payment.rung },
    })
  const proof = fromHex(payment.proof.bytes)
  const origin = originOf(proof)
  if (origin === undefined) throw badAnswer(wallet, 'the proof does not decode')
  const { headers } = await wallet.client.blockHeaders({ height: origin, limit: PAGE_LIMIT_MAX })
  const document: PaymentDocument = { kind: 'payment-proof', network, proof, blockHeaders: fromHex(headers) }
  const verdict = verifyPayment(params, document, lastBlock(document, origin))
  if (!verdict.ok) throw badAnswer(wallet, verdict.reason)
  if (toHex(verdict.payment.id) !== id) throw badAnswer(wallet, 'the proof is of another payment')
  return document
}

function originOf(proof: Uint8Array): number | undefined {
  const header = decodePaymentProof(proof)?.header
  return header && decodeHeader(header)?.origin.height
}

function lastBlock({ blockHeaders }: PaymentDocument, from: number): Checkpoint {
  const height = from + blockHeaders.length / BLOCK_HEADER_BYTES - 1
  return { height, hash: hashTwice(blockHeaders.slice(-BLOCK_HEADER_BYTES)) }
}

function badAnswer({ client }: Wallet, reason: string): WalletError {
  return new WalletError(`The node at ${client.baseUrl} shows what proves nothing: ${reason}. Use another node.`, {
    code: 'bad-answer',
    details: { reason },
  })
}
