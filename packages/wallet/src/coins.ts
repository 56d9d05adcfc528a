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
import { equalBytes, fromHex, type Outpoint, reverseBytes, toHex } from '@kedge/core'
import { z } from 'zod'
import type { DepositRecord } from './content.ts'
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

/** Coins after these deposits of the wallet's own, as far as they are not in a block yet. @throws as `callRpc`. */
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
  return { coins: applyDeposits(new Map(confirmed), deposits, script), tip: height }
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

/** A recorded deposit that spends nothing of what is there was mined, or can never be. */
function applyDeposits(coins: Coins, deposits: readonly DepositRecord[], script: Uint8Array): Coins {
  return deposits.reduce((left, { raw }) => {
    const transaction = readTransaction(fromHex(raw))
    const spends = transaction.inputs.some(({ previous }) => left.has(printOutpoint(previous)))
    return spends ? applyUnconfirmed(left, transaction, script) : left
  }, coins)
}
