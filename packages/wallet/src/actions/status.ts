import { type Acknowledgement, ApiError, type Payment } from '@kedge/api'
import type { Rpc } from '@kedge/bitcoin'
import { decodePaymentProof, equalBytes, fromHex, type Transfer } from '@kedge/core'
import { checkBestChain, checkWindow, noVoid, withoutBitcoind } from '../best-chain.ts'
import { type SendRecord, signedOf } from '../content.ts'
import { WalletError } from '../errors.ts'
import { type Check, checkProof, fails, holds, unchecked } from '../proof.ts'
import { readAcknowledgement, readPayment } from '../receipt.ts'
import { follow } from '../records.ts'
import { isSignature } from '../signing.ts'
import { readContent, type Wallet } from '../wallet.ts'

export interface PaymentStatus {
  readonly id: string
  /** As the node says. */
  readonly rung: Payment['rung']
  readonly reason?: string
  readonly batch?: number
  readonly index?: number
  readonly depth?: number
  /** What was paid, once it has been seen. */
  readonly transfer?: Transfer
  readonly memo?: string
  /** What this wallet has looked at itself, in the order of the ladder. */
  readonly checks: readonly Check[]
  /** No check fails. What is `unchecked` takes the node's word. */
  readonly holds: boolean
}

type Placed = Extract<Payment, { rung: 'sequenced' | 'anchored' | 'final' }>
type Anchored = Extract<Payment, { rung: 'anchored' | 'final' }>

/**
 * Where a payment stands, and how much of that is proven. With a bitcoind the Bitcoin block is looked up there;
 * without one, the node's word is taken for it, and the checks say so.
 *
 * @throws WalletError `unknown-payment` or `bad-answer`; ApiError, RpcError, RpcUnreachableError.
 */
export async function readStatus(wallet: Wallet, id: string, rpc?: Rpc): Promise<PaymentStatus> {
  const payment = await readFromNode(wallet, id)
  const { sends } = await readContent(wallet)
  const record = sends.find((sent) => sent.id === id)
  if (record !== undefined) await follow(wallet, record, payment, true)
  const memo = record?.memo === undefined ? {} : { memo: record.memo }
  const reason = 'reason' in payment ? { reason: payment.reason } : {}
  if (!('batch' in payment)) return { id, rung: payment.rung, ...reason, ...memo, checks: [], holds: true }
  const seen = readTransfer(wallet, payment, record)
  const checks = [
    ...checkPayment(wallet, payment, record, seen),
    checkReceipt(wallet, payment, record),
    ...('proof' in payment ? await checkAnchored(wallet, payment, rpc) : []),
  ]
  const { rung, batch, index } = payment
  const depth = 'depth' in payment ? { depth: payment.depth } : {}
  const transfer = seen === undefined ? {} : { transfer: seen }
  return {
    id,
    rung,
    batch,
    index,
    ...depth,
    ...transfer,
    ...memo,
    checks,
    holds: checks.every(({ verdict }) => verdict !== 'fails'),
  }
}

async function readFromNode({ client }: Wallet, id: string): Promise<Payment> {
  const payment = await client.payment({ id }).catch((error: unknown) => {
    if (!(error instanceof ApiError) || error.code !== 'not-found') throw error
    throw new WalletError(
      `The node at ${client.baseUrl} has not heard of the payment ${id}. If this wallet made it, send it again with kedge wallet resume; if not, check the id, or ask another node.`,
      { code: 'unknown-payment', cause: error },
    )
  })
  if (payment.id === id) return payment
  throw new WalletError(`The node at ${client.baseUrl} answers for another payment. Use another node.`, {
    code: 'bad-answer',
  })
}

function acknowledgementOf(payment: Placed, record: SendRecord | undefined): Acknowledgement | undefined {
  return payment.acknowledgement ?? record?.acknowledgement
}

function operationOf(payment: Placed, record: SendRecord | undefined): Uint8Array | undefined {
  if ('proof' in payment) return decodePaymentProof(fromHex(payment.proof.bytes))?.operation
  const acknowledgement = acknowledgementOf(payment, record)
  return acknowledgement && fromHex(acknowledgement.operation)
}

function readTransfer(wallet: Wallet, payment: Placed, record: SendRecord | undefined): Transfer | undefined {
  const operation = operationOf(payment, record)
  const read = operation === undefined ? undefined : readPayment(wallet.network, payment.id, operation)
  return read?.ok === true ? read.transfer : undefined
}

/** The id commits to everything but the signature and the recipient's cell. */
function checkPayment(
  wallet: Wallet,
  payment: Placed,
  record: SendRecord | undefined,
  seen: Transfer | undefined,
): Check[] {
  if (seen === undefined) {
    const shown = operationOf(payment, record) !== undefined
    return [
      shown
        ? fails('payment', 'the operation shown is not this payment')
        : unchecked('payment', 'the node shows no operation'),
    ]
  }
  const { key } = wallet.keys.rollup
  if (record !== undefined) {
    const same = equalBytes(seen.signature, signedOf(record).signature)
    return [
      same
        ? holds('payment', 'this wallet signed it, and it is unchanged')
        : fails('payment', 'the signature is not the one this wallet made'),
    ]
  }
  const message = fromHex(payment.id)
  if (isSignature(seen.signature, message, key)) return [holds('payment', 'it is signed with this wallet’s key')]
  if (equalBytes(seen.to, key)) return [holds('payment', 'it pays this wallet')]
  return [unchecked('payment', 'it is between others: who signed it is the node’s word')]
}

function checkReceipt({ network, params }: Wallet, payment: Placed, record: SendRecord | undefined): Check {
  const acknowledgement = acknowledgementOf(payment, record)
  if (acknowledgement === undefined) return unchecked('receipt', 'there is no receipt here; the sequencer has it')
  const belongs = readPayment(network, payment.id, fromHex(acknowledgement.operation))
  if (!belongs.ok) return fails('receipt', belongs.reason)
  const read = readAcknowledgement(params, acknowledgement)
  if (!read.ok) return fails('receipt', read.reason)
  const { number } = read.receipt.tick
  if (payment.rung === 'sequenced' && number !== payment.batch) {
    return unchecked('receipt', `the only receipt here is for batch ${number}`)
  }
  return holds('receipt', `the sequencer signed for it in batch ${number}`)
}

async function checkAnchored(wallet: Wallet, payment: Anchored, rpc: Rpc | undefined): Promise<Check[]> {
  const { batch, id, index, proof, rung } = payment
  const { blockHash, checks } = checkProof(wallet.params, wallet.network, { batch, id: fromHex(id), index }, proof)
  if (blockHash === undefined) return [...checks]
  const { height } = proof
  const inChain = rpc === undefined ? withoutBitcoind : await checkBestChain(rpc, blockHash, height)
  if (rung === 'anchored') return [...checks, inChain]
  const finalFrom = height + wallet.params.windows.dispute
  const final = rpc === undefined ? noVoid : await checkWindow(rpc, finalFrom)
  return [...checks, inChain, final]
}
