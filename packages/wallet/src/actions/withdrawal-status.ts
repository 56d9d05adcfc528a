import { ApiError, type Forced, type WithdrawalStatus } from '@kedge/api'
import { printHash, type Rpc, readBlock, readBlockHash, readRawBlock } from '@kedge/bitcoin'
import { equalBytes, fromHex, type Withdrawal } from '@kedge/core'
import { signedOf } from '../content.ts'
import { type Check, fails, holds, unchecked } from '../proof.ts'
import { isAcknowledged } from '../receipt.ts'
import { follow } from '../records.ts'
import { readContent, type Wallet } from '../wallet.ts'

export interface CheckedWithdrawal {
  /** As the node says. */
  readonly said: WithdrawalStatus
  /** Where it was forced on Bitcoin. */
  readonly forced: readonly Forced[]
  /** What this wallet has looked at itself. */
  readonly checks: readonly Check[]
  /** No check fails. What is `unchecked` takes the node's word. */
  readonly holds: boolean
}

/**
 * Where a withdrawal stands; undefined where the node has not heard of one with this id. With a bitcoind the payout is
 * looked up there. @throws ApiError, RpcError, RpcUnreachableError
 */
export async function readWithdrawal(wallet: Wallet, id: string, rpc?: Rpc): Promise<CheckedWithdrawal | undefined> {
  const said = await findWithdrawal(wallet, id)
  if (said === undefined) return undefined
  const record = (await readContent(wallet)).sends.find((sent) => sent.id === id)
  if (record !== undefined) await follow(wallet, record, said, true)
  const { forced } = await wallet.client.forced({ id })
  const signed = record && signedOf(record)
  const own = signed?.kind === 'withdrawal' ? signed : undefined
  const checks = 'amount' in said ? [...checkTerms(wallet, said, own), ...(await checkPayout(said, rpc))] : []
  return { said, forced, checks, holds: checks.every(({ verdict }) => verdict !== 'fails') }
}

/** Where a payment or a withdrawal was forced on Bitcoin. @throws ApiError */
export async function readForced({ client }: Wallet, id: string): Promise<readonly Forced[]> {
  return (await client.forced({ id })).forced
}

/** Undefined where the node has not heard of it. @throws ApiError */
export async function findWithdrawal({ client }: Wallet, id: string): Promise<WithdrawalStatus | undefined> {
  try {
    return await client.withdrawal({ id })
  } catch (error) {
    if (error instanceof ApiError && error.code === 'not-found') return undefined
    throw error
  }
}

type Placed = Extract<WithdrawalStatus, { amount: bigint }>

function checkTerms(wallet: Wallet, said: Placed, own: Withdrawal | undefined): Check[] {
  if (own === undefined)
    return [unchecked('withdrawal', 'this wallet has no record of it: its terms are the node’s word')]
  const isSame = said.amount === own.amount && equalBytes(fromHex(said.script), own.script)
  const terms = isSame
    ? holds('withdrawal', 'this wallet signed it, to this address')
    : fails('withdrawal', 'the node shows other terms than this wallet signed')
  // Nobody promised what a block carried by itself.
  if (said.rung === 'exit') return [terms]
  const { acknowledgement } = said
  if (acknowledgement === undefined)
    return [terms, unchecked('receipt', 'there is no receipt here; the sequencer has it, if it promised anything')]
  const verdict = isAcknowledged(wallet, said.id, own, acknowledgement)
  return [terms, verdict.ok ? holds('receipt', 'the sequencer signed for it') : fails('receipt', verdict.reason)]
}

async function checkPayout({ payout, script, amount, payoutFee }: Placed, rpc: Rpc | undefined): Promise<Check[]> {
  if (payout === undefined) return []
  if (rpc === undefined) return [unchecked('payout', 'without a bitcoind, that it was paid is the node’s word')]
  const hash = await readBlockHash(rpc, payout.height)
  if (hash === undefined) return [fails('payout', `bitcoind has no block ${payout.height}`)]
  const { transactions } = readBlock(await readRawBlock(rpc, hash), payout.height)
  const paying = transactions.find(({ txid }) => printHash(txid) === payout.txid)
  const paid = paying?.outputs.find(
    ({ value, script: to }) => equalBytes(to, fromHex(script)) && value <= amount && value >= amount - payoutFee,
  )
  return [
    paid === undefined
      ? fails('payout', `block ${payout.height} has no such transaction that pays it`)
      : holds('payout', `${paid.value} sat in transaction ${payout.txid} of block ${payout.height}`),
  ]
}
