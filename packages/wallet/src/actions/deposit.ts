import {
  buildDeposit,
  estimateFeeRate,
  InsufficientFundsError,
  printHash,
  type Rpc,
  sendTransaction,
  spendableCoins,
} from '@kedge/bitcoin'
import { fromHex, toHex } from '@kedge/core'
import { readOwnCoins, readUnconfirmed } from '../coins.ts'
import type { DepositRecord } from '../content.ts'
import { WalletError } from '../errors.ts'
import { addressesOf } from '../keys.ts'
import { inTurn } from '../turn.ts'
import { changeContent, readContent, type Wallet } from '../wallet.ts'

export interface DepositRequest {
  /** What the deposit's output holds; the network's deposit fee is taken from it. */
  readonly sats: bigint
  /** sat/vB; bitcoind's estimate when not given. */
  readonly feeRate?: number
}

export interface SentDeposit {
  /** Bitcoin's display order. The deposit is output 1. */
  readonly txid: string
  readonly sats: bigint
  /** Satoshis for Bitcoin's miners. */
  readonly fee: bigint
}

/** Within about an hour; where bitcoind has seen too little to tell, twice the least that relays. */
const CONFIRM_WITHIN = 6
const FEE_RATE_FALLBACK = 2

/**
 * Pays from the wallet's bitcoin into the vault, to be credited to its rollup key. Order of effects: deposits that an
 * earlier run may not have sent are sent; the new transaction is recorded; then it is sent. So a crash in between
 * sends it later, and never makes a second one out of other coins.
 *
 * @throws WalletError `bad-amount`, `no-coins` or `deposit-refused`; RpcError, RpcUnreachableError.
 */
export function deposit(wallet: Wallet, rpc: Rpc, request: DepositRequest): Promise<SentDeposit> {
  const { minDeposit } = wallet.params.fees
  if (request.sats < minDeposit) {
    const message = `The network takes no deposit below ${minDeposit} sat.`
    return Promise.reject(new WalletError(message, { code: 'bad-amount' }))
  }
  return inTurn(wallet.path, async () => {
    await sendAgain(wallet, rpc)
    return await sendNew(wallet, rpc, request)
  })
}

/** Sends recorded deposits again; forgets those that Bitcoin has, or that can never be sent. */
export function resumeDeposits(wallet: Wallet, rpc: Rpc): Promise<void> {
  return inTurn(wallet.path, () => sendAgain(wallet, rpc))
}

async function sendNew(wallet: Wallet, rpc: Rpc, { feeRate, sats }: DepositRequest): Promise<SentDeposit> {
  const { coins, tip } = await readOwnCoins(wallet, rpc)
  const rate = feeRate ?? (await estimateFeeRate(rpc, CONFIRM_WITHIN, FEE_RATE_FALLBACK))
  const key = wallet.keys.bitcoin
  const owner = { key: wallet.keys.rollup.key, refundKey: key.publicKey }
  const funding = { key, coins: spendableCoins(coins, tip), feeRate: rate }
  const built = await orNoCoins(wallet, rpc, () => buildDeposit(wallet.params, owner, sats, funding))
  const record = { txid: printHash(built.txid), raw: toHex(built.raw) }
  await changeContent(wallet, (content) => ({ ...content, deposits: [...content.deposits, record] }))
  await sendRecorded(wallet, rpc, record)
  return { txid: record.txid, sats, fee: built.fee }
}

async function sendAgain(wallet: Wallet, rpc: Rpc): Promise<void> {
  const { deposits } = await readContent(wallet)
  const done: string[] = []
  for (const { txid, raw } of deposits) {
    const sent = await sendTransaction(rpc, fromHex(raw), 0n)
    if (!sent.ok && (sent.reason === 'mined' || sent.reason === 'inputs')) done.push(txid)
  }
  if (done.length > 0) await forget(wallet, done)
}

async function sendRecorded(wallet: Wallet, rpc: Rpc, { txid, raw }: DepositRecord): Promise<void> {
  const sent = await sendTransaction(rpc, fromHex(raw), 0n)
  if (sent.ok || sent.reason === 'mined') return
  await forget(wallet, [txid])
  throw new WalletError(
    `Bitcoin’s node refuses the deposit: ${sent.detail}. Try again, with a higher fee rate if that is the reason.`,
    {
      code: 'deposit-refused',
      details: { reason: sent.reason },
    },
  )
}

async function forget(wallet: Wallet, txids: readonly string[]): Promise<void> {
  await changeContent(wallet, (content) => ({
    ...content,
    deposits: content.deposits.filter(({ txid }) => !txids.includes(txid)),
  }))
}

async function orNoCoins<T>(wallet: Wallet, rpc: Rpc, build: () => T): Promise<T> {
  try {
    return build()
  } catch (error) {
    if (!(error instanceof InsufficientFundsError)) throw error
    const { bitcoin } = addressesOf(wallet.keys, wallet.params.chain)
    const onItsWay = await readUnconfirmed(wallet, rpc)
    const advice =
      onItsWay === 0n
        ? 'Send bitcoin there first, and wait until it is in a block.'
        : `${onItsWay} sat more are on their way there: try again when they are in a block.`
    throw new WalletError(`There is too little bitcoin on ${bitcoin}: ${error.message}. ${advice}`, {
      code: 'no-coins',
      cause: error,
    })
  }
}
