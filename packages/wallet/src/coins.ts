import {
  applyUnconfirmed,
  type Coins,
  callRpc,
  printHash,
  printOutpoint,
  RPC_CODES,
  type Rpc,
  readMempool,
  readScriptCoins,
  readTransaction,
  unlessCode,
} from '@kedge/bitcoin'
import { equalBytes, fromHex, type L1Transaction } from '@kedge/core'
import type { DepositRecord, WalletContent } from './content.ts'
import { readContent, type Wallet } from './wallet.ts'

/** The bitcoin that a wallet's one address owns. The wallet keeps no list of it: bitcoind looks each time. */

export interface OwnCoins {
  readonly coins: Coins
  readonly tip: number
}

/** Transactions of the wallet's own that may be in no block yet. */
export function ownTransactions({ deposits, publications }: WalletContent): DepositRecord[] {
  return [...publications.flatMap(({ commit, reveal }) => [commit, reveal]), ...deposits]
}

/** Coins after these transactions of the wallet's own, as far as they are not in a block yet. @throws as `callRpc`. */
export async function readOwnCoins(wallet: Wallet, rpc: Rpc, deposits: readonly DepositRecord[]): Promise<OwnCoins> {
  const { script } = wallet.keys.bitcoin
  const { coins, tip } = await readScriptCoins(rpc, script)
  return { coins: applyOwn(coins, deposits, script), tip }
}

/** Transactions of the mempool that are looked through, the rest unseen: one by one, as no bitcoind knows them by address. */
const LOOKED_THROUGH = 5_000

/** Satoshis that others pay to the wallet's address in the mempool. @throws as `callRpc` */
export async function readUnconfirmed(wallet: Wallet, rpc: Rpc): Promise<bigint> {
  const { script } = wallet.keys.bitcoin
  const own = new Set((await readContent(wallet)).deposits.map(({ txid }) => txid))
  let sum = 0n
  for (const txid of (await readMempool(rpc)).slice(0, LOOKED_THROUGH).map(printHash)) {
    if (own.has(txid)) continue
    // It may have been mined or replaced meanwhile.
    const raw = await unlessCode(RPC_CODES.notFound, callRpc(rpc, 'getrawtransaction', [txid]))
    if (typeof raw !== 'string') continue
    for (const output of readTransaction(fromHex(raw)).outputs)
      if (equalBytes(output.script, script)) sum += output.value
  }
  return sum
}

/**
 * What spends nothing of what is there was mined, or can never be. One may spend another's change, in whatever order they
 * were recorded.
 */
function applyOwn(coins: Coins, records: readonly DepositRecord[], script: Uint8Array): Coins {
  const transactions = records.map(({ raw }) => readTransaction(fromHex(raw)))
  const next = transactions.findIndex(({ inputs }) => inputs.some(({ previous }) => coins.has(printOutpoint(previous))))
  if (next < 0) return coins
  const after = applyUnconfirmed(coins, transactions[next] as L1Transaction, script)
  return applyOwn(after, records.toSpliced(next, 1), script)
}
