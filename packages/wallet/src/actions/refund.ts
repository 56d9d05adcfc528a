import { type Deposit as DepositView, PAGE_LIMIT_MAX } from '@kedge/api'
import {
  buildRefund,
  estimateFeeRate,
  InsufficientFundsError,
  printHash,
  type Rpc,
  readTip,
  sendTransaction,
} from '@kedge/bitcoin'
import { type Deposit, fromHex, reverseBytes, toHex } from '@kedge/core'
import { WalletError } from '../errors.ts'
import { inTurn } from '../turn.ts'
import type { Wallet } from '../wallet.ts'

export interface RefundRequest {
  /** The deposit's transaction, as `deposit` gave it; all that can be taken back when not given. */
  readonly txid?: string
  /** sat/vB; bitcoind's estimate when not given. */
  readonly feeRate?: number
}

export interface Refund {
  /** Of the transaction that takes it back, in Bitcoin's display order. */
  readonly txid: string
  readonly deposit: string
  /** Satoshis: what the deposit held, and what of it goes to Bitcoin's miners. */
  readonly sats: bigint
  readonly fee: bigint
}

const CONFIRM_WITHIN = 6
const FEE_RATE_FALLBACK = 2

/**
 * Takes deposits back to the wallet's own address that nobody swept in time; nobody else's consent is needed. The same
 * deposit makes the same transaction each time, and is spent once: a run that was interrupted is simply repeated.
 *
 * @throws WalletError `nothing-to-refund`, `too-early` or `refund-refused`; ApiError, RpcError, RpcUnreachableError.
 */
export function refund(wallet: Wallet, rpc: Rpc, { txid, feeRate }: RefundRequest = {}): Promise<readonly Refund[]> {
  return inTurn(wallet.path, async () => {
    const unswept = await findUnswept(wallet, txid)
    const { height } = await readTip(rpc)
    // Bitcoin looks at the block that would hold it.
    const ripe = unswept.filter(({ refundableAt }) => refundableAt <= height + 1)
    if (ripe.length === 0) throw tooEarly(unswept, height)
    const rate = feeRate ?? (await estimateFeeRate(rpc, CONFIRM_WITHIN, FEE_RATE_FALLBACK))
    const refunds: Refund[] = []
    for (const view of ripe) refunds.push(await takeBack(wallet, rpc, view, rate))
    return refunds
  })
}

async function findUnswept({ client, keys }: Wallet, txid: string | undefined): Promise<DepositView[]> {
  const key = toHex(keys.rollup.key)
  const unswept: DepositView[] = []
  let page = await client.deposits({ key, limit: PAGE_LIMIT_MAX })
  for (;;) {
    unswept.push(...page.deposits.filter(({ dueAt, refunded }) => dueAt === undefined && refunded !== true))
    if (page.next === undefined) break
    page = await client.deposits({ key, limit: PAGE_LIMIT_MAX, before: page.next })
  }
  const wanted = txid === undefined ? unswept : unswept.filter((deposit) => deposit.txid === txid)
  if (wanted.length > 0) return wanted
  throw new WalletError(
    txid === undefined
      ? 'There is no deposit to take back: all are in the vault, or taken back already.'
      : `The deposit ${txid} can’t be taken back: it is in the vault, taken back already, or not this wallet’s.`,
    { code: 'nothing-to-refund' },
  )
}

function tooEarly(unswept: readonly DepositView[], height: number): WalletError {
  const from = Math.min(...unswept.map(({ refundableAt }) => refundableAt))
  return new WalletError(
    `It is too early: a deposit that is not swept can be taken back in block ${from} or later, and Bitcoin is at ${height}. Until then the watchers may still move it into the vault.`,
    { code: 'too-early', details: { height: String(from) } },
  )
}

async function takeBack(wallet: Wallet, rpc: Rpc, view: DepositView, feeRate: number): Promise<Refund> {
  const built = build(wallet, view, feeRate)
  const sent = await sendTransaction(rpc, built.raw, 0n)
  if (!sent.ok && sent.reason !== 'mined')
    throw new WalletError(
      `Bitcoin’s node refuses to take back the deposit ${view.txid}: ${sent.detail}. Try again, with a higher fee rate if that is the reason.`,
      { code: 'refund-refused', details: { reason: sent.reason } },
    )
  return { txid: printHash(built.txid), deposit: view.txid, sats: view.sats, fee: built.fee }
}

function build(wallet: Wallet, view: DepositView, feeRate: number) {
  const { bitcoin } = wallet.keys
  const deposit: Deposit = {
    ...{ position: view.position, txid: reverseBytes(fromHex(view.txid)), value: view.sats },
    ...{ key: wallet.keys.rollup.key, refundKey: bitcoin.publicKey },
  }
  try {
    return buildRefund(wallet.params, deposit, bitcoin.secret, { key: bitcoin, coins: [], feeRate })
  } catch (error) {
    if (!(error instanceof InsufficientFundsError)) throw error
    throw new WalletError(`The deposit ${view.txid} does not pay for its own way back: ${error.message}.`, {
      code: 'refund-refused',
      cause: error,
    })
  }
}
