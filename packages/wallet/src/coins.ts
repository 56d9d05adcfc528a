import {
  applyUnconfirmed,
  type Coins,
  callRpc,
  printHash,
  printOutpoint,
  RPC_CODES,
  type Rpc,
  readMempool,
  readTransaction,
  unlessCode,
} from '@kedge/bitcoin'
import { equalBytes, fromHex, type L1Transaction, type Outpoint, reverseBytes, toHex } from '@kedge/core'
import { z } from 'zod'
import type { DepositRecord, WalletContent } from './content.ts'
import { readContent, type Wallet } from './wallet.ts'

/** The bitcoin that a wallet's one address owns. The wallet keeps no list of it: bitcoind looks each time. */

export interface OwnCoins {
  readonly coins: Coins
  readonly tip: number
}

/** bitcoind's `scantxoutset`: all unspent outputs of a script, from its whole set (seconds on mainnet). */
const scan = z.object({
  success: z.literal(true),
  height: z.int().min(0),
  unspents: z.array(
    z.object({
      txid: z.string().regex(/^[0-9a-f]{64}$/),
      vout: z.int().min(0),
      amount: z.number().min(0),
      coinbase: z.boolean(),
      height: z.int().min(0),
    }),
  ),
})

const SCAN_TIMEOUT_MS = 120_000

/** Transactions of the wallet's own that may be in no block yet. */
export function ownTransactions({ deposits, publications }: WalletContent): DepositRecord[] {
  return [...publications.flatMap(({ commit, reveal }) => [commit, reveal]), ...deposits]
}

/** Coins after these transactions of the wallet's own, as far as they are not in a block yet. @throws as `callRpc`. */
export async function readOwnCoins(wallet: Wallet, rpc: Rpc, deposits: readonly DepositRecord[]): Promise<OwnCoins> {
  const { script } = wallet.keys.bitcoin
  const answer = await callRpc(rpc, 'scantxoutset', ['start', [`raw(${toHex(script)})`]], SCAN_TIMEOUT_MS)
  const { height, unspents } = scan.parse(answer)
  const confirmed = unspents.map((output) => {
    const outpoint: Outpoint = { txid: reverseBytes(fromHex(output.txid)), vout: output.vout }
    // Bitcoin amounts as JSON numbers: 21e14 satoshis are below 2^53, so rounding is exact.
    const value = BigInt(Math.round(output.amount * 1e8))
    return [printOutpoint(outpoint), { outpoint, value, height: output.height, coinbase: output.coinbase }] as const
  })
  return { coins: applyOwn(new Map(confirmed), deposits, script), tip: height }
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
