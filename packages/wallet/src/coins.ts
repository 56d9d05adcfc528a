import { applyUnconfirmed, type Coins, callRpc, printOutpoint, type Rpc, readTransaction } from '@kedge/bitcoin'
import { fromHex, type Outpoint, reverseBytes, toHex } from '@kedge/core'
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

/** Coins after the wallet's own deposits that are not in a block yet. @throws as `callRpc`. */
export async function readOwnCoins(wallet: Wallet, rpc: Rpc): Promise<OwnCoins> {
  const { script } = wallet.keys.bitcoin
  const answer = await callRpc(rpc, 'scantxoutset', ['start', [`raw(${toHex(script)})`]], SCAN_TIMEOUT_MS)
  const { height, unspents } = scan.parse(answer)
  const confirmed = unspents.map((output) => {
    const outpoint: Outpoint = { txid: reverseBytes(fromHex(output.txid)), vout: output.vout }
    // Bitcoin amounts as JSON numbers: 21e14 satoshis are below 2^53, so rounding is exact.
    const value = BigInt(Math.round(output.amount * 1e8))
    return [printOutpoint(outpoint), { outpoint, value, height: output.height, coinbase: output.coinbase }] as const
  })
  const { deposits } = await readContent(wallet)
  return { coins: applyDeposits(new Map(confirmed), deposits, script), tip: height }
}

/** A recorded deposit that spends nothing of what is there was mined, or can never be. */
function applyDeposits(coins: Coins, deposits: readonly DepositRecord[], script: Uint8Array): Coins {
  return deposits.reduce((left, { raw }) => {
    const transaction = readTransaction(fromHex(raw))
    const spends = transaction.inputs.some(({ previous }) => left.has(printOutpoint(previous)))
    return spends ? applyUnconfirmed(left, transaction, script) : left
  }, coins)
}
