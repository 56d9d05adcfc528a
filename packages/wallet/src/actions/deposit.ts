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
import { ownTransactions, readOwnCoins, readUnconfirmed } from '../coins.ts'
import type { DepositRecord } from '../content.ts'
import { readDepths, satsOf } from '../deposit-depth.ts'
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

export interface RecordedDeposit {
  /** Bitcoin's display order. */
  readonly txid: string
  readonly sats: bigint
  /** `missing`: Bitcoin has it neither in a block nor waiting for one, be it that it lost it. */
  readonly standing: 'mined' | 'waiting' | 'missing'
}

export interface ResumedDeposit {
  readonly txid: string
  readonly sats: bigint
  /** `gone`: what it spends is spent or missing, so it was given up. `refused`: bitcoind's `reason` says why; kept. */
  readonly outcome: 'waiting' | 'sent' | 'refused' | 'gone'
  readonly reason?: string
}

/** How Bitcoin has the deposits that are not so deep yet that they are forgotten here. */
export async function readRecordedDeposits(wallet: Wallet, rpc: Rpc): Promise<readonly RecordedDeposit[]> {
  const { deposits } = await readContent(wallet)
  const depths = await readDepths(wallet, rpc, deposits)
  return deposits.map((record) => {
    const depth = depths.get(record.txid)
    const standing = depth === undefined ? 'missing' : depth > 0 ? 'mined' : 'waiting'
    return { txid: record.txid, sats: satsOf(record), standing }
  })
}

/**
 * Sends recorded deposits again that Bitcoin lacks, and tells what became of those that are in no block. Forgets those that
 * are deep enough, or that can never be sent.
 */
export function resumeDeposits(wallet: Wallet, rpc: Rpc): Promise<readonly ResumedDeposit[]> {
  return inTurn(wallet.path, () => sendAgain(wallet, rpc))
}

async function sendNew(wallet: Wallet, rpc: Rpc, { feeRate, sats }: DepositRequest): Promise<SentDeposit> {
  const { coins, tip } = await readOwnCoins(wallet, rpc, ownTransactions(await readContent(wallet)))
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

async function sendAgain(wallet: Wallet, rpc: Rpc): Promise<ResumedDeposit[]> {
  const { deposits } = await readContent(wallet)
  const depths = await readDepths(wallet, rpc, deposits)
  const resumed: ResumedDeposit[] = []
  const done: string[] = []
  for (const record of deposits) {
    const depth = depths.get(record.txid)
    if (depth !== undefined && depth > keptFor(wallet)) done.push(record.txid)
    if (depth !== undefined && depth > 0) continue
    const outcome = depth === 0 ? ({ outcome: 'waiting' } as const) : await sendMissing(rpc, record)
    if (outcome?.outcome === 'gone') done.push(record.txid)
    if (outcome !== undefined) resumed.push({ txid: record.txid, sats: satsOf(record), ...outcome })
  }
  if (done.length > 0) await forget(wallet, done)
  return resumed
}

/** Undefined where Bitcoin has it in a block after all: it is swept, and the node has not read of it so far. */
async function sendMissing(
  rpc: Rpc,
  { raw }: DepositRecord,
): Promise<Pick<ResumedDeposit, 'outcome' | 'reason'> | undefined> {
  const sent = await sendTransaction(rpc, fromHex(raw), 0n)
  if (sent.ok) return { outcome: 'sent' }
  if (sent.reason === 'mined') return undefined
  return { outcome: sent.reason === 'inputs' ? 'gone' : 'refused', reason: sent.detail }
}

/** Blocks. bitcoind sends nothing again by itself that a deep reorganisation took out of its blocks. */
function keptFor({ params: { windows } }: Wallet): number {
  return windows.staleness + windows.dispute
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
