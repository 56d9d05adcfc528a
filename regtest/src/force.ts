import { buildCommit, buildReveal, coinKey, readTransaction, sendTransaction, signHash } from '@kedge/bitcoin'
import {
  encodeMessage,
  encodeSigned,
  networkId,
  type Params,
  type SignedOperation,
  sha256,
  signedMessage,
  type Withdrawal,
} from '@kedge/core'
import type { Bitcoind } from './bitcoind.ts'

const FEE_RATE = 2
/** Satoshis: more than the commit and the reveal of one operation cost. */
const COSTS = 20_000n

export type WithdrawalOrder = Pick<Withdrawal, 'from' | 'nonce' | 'script' | 'amount' | 'payoutFee'>

/** A withdrawal as its owner signs it, at the network's fee. */
export function signWithdrawal(params: Params, order: WithdrawalOrder, secret: Uint8Array): SignedOperation {
  const unsigned = { kind: 'withdrawal', ...order, fee: params.fees.transfer, expiry: 0xffffffff } as const
  const blank = { ...unsigned, signature: new Uint8Array(64) }
  return { ...unsigned, signature: signHash(signedMessage(networkId(params), blank), secret) }
}

/** Puts an operation on Bitcoin, whatever the sequencer thinks of it: two transactions, both in the mempool then. */
export async function force(bitcoind: Bitcoind, params: Params, operation: SignedOperation): Promise<void> {
  const bytes = encodeSigned(operation)
  const key = coinKey(sha256(bytes))
  const outpoint = await bitcoind.fund(key.script, COSTS)
  const coin = { outpoint, value: COSTS, height: undefined, coinbase: false }
  const publication = { params, payload: encodeMessage({ kind: 'forced' }), bytes }
  const commit = buildCommit(publication, FEE_RATE, { key, coins: [coin], feeRate: FEE_RATE })
  await send(bitcoind, commit.raw)
  const { txid, outputs } = readTransaction(commit.raw)
  const last = outputs.length - 1
  const change = {
    outpoint: { txid, vout: last },
    value: outputs[last]?.value ?? 0n,
    height: undefined,
    coinbase: false,
  }
  await send(bitcoind, buildReveal(publication, commit.raw, { key, coins: [change], feeRate: FEE_RATE }).raw)
}

async function send({ rpc }: Bitcoind, raw: Uint8Array): Promise<void> {
  const sent = await sendTransaction(rpc, raw, 0n)
  if (!sent.ok) throw new Error(`a forced operation was refused: ${sent.detail}`)
}
