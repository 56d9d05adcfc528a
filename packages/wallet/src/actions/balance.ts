import type { Account } from '@kedge/api'
import type { Rpc } from '@kedge/bitcoin'
import { toHex } from '@kedge/core'
import { ownTransactions, readOwnCoins } from '../coins.ts'
import { readContent, type Wallet } from '../wallet.ts'
import { type RecordedDeposit, readRecordedDeposits } from './deposit.ts'
import { readUnplaced, type UnplacedSend } from './unplaced.ts'

/** Whatever is on Bitcoin only when a bitcoind was asked. */
export interface Balance extends Account {
  /** Satoshis on the wallet's Bitcoin address, without those in deposits that wait for a block. */
  readonly bitcoin?: bigint
  /** Deposits that are in no block. `resumeDeposits` sends those again that Bitcoin lacks. */
  readonly deposits?: readonly RecordedDeposit[]
  /** Payments that stand in no batch: what they move is part of the balance. */
  readonly unplaced: readonly UnplacedSend[]
}

/** Money on the rollup, as the node says, and on Bitcoin when there is a bitcoind to ask. */
export async function readBalance(wallet: Wallet, rpc?: Rpc): Promise<Balance> {
  const account = await wallet.client.account({ key: toHex(wallet.keys.rollup.key) })
  const unplaced = await readUnplaced(wallet)
  return rpc === undefined ? { ...account, unplaced } : { ...account, ...(await readOnBitcoin(wallet, rpc)), unplaced }
}

async function readOnBitcoin(wallet: Wallet, rpc: Rpc): Promise<Pick<Balance, 'bitcoin' | 'deposits'>> {
  const deposits = (await readRecordedDeposits(wallet, rpc)).filter(({ standing }) => standing !== 'mined')
  const waiting = new Set(deposits.filter(({ standing }) => standing === 'waiting').map(({ txid }) => txid))
  // What a missing deposit was to spend is still there.
  const content = await readContent(wallet)
  const records = ownTransactions({ ...content, deposits: content.deposits.filter(({ txid }) => waiting.has(txid)) })
  const { coins } = await readOwnCoins(wallet, rpc, records)
  return { bitcoin: [...coins.values()].reduce((sum, { value }) => sum + value, 0n), deposits }
}
