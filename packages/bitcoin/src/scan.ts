import { toHex } from '@kedge/core'
import { asHash, asInteger, asList, asRecord, asSatoshis } from './answer.ts'
import { type Coins, printOutpoint } from './coins.ts'
import { callRpc, type Rpc } from './rpc.ts'

const SCAN_TIMEOUT_MS = 120_000

/**
 * bitcoind's `scantxoutset`: all confirmed and unspent outputs of a script, from its whole set (seconds on mainnet).
 * @throws as `callRpc`; one scan at a time
 */
export async function readScriptCoins(rpc: Rpc, script: Uint8Array): Promise<{ coins: Coins; tip: number }> {
  const answer = await callRpc(rpc, 'scantxoutset', ['start', [`raw(${toHex(script)})`]], SCAN_TIMEOUT_MS)
  const scan = asRecord(answer, 'scantxoutset')
  if (scan.success !== true) throw new TypeError('scantxoutset did not succeed')
  const coins = asList(scan.unspents, 'unspents').map((each) => {
    const output = asRecord(each, 'an unspent output')
    const outpoint = { txid: asHash(output.txid, 'txid'), vout: asInteger(output.vout, 'vout') }
    const value = asSatoshis(output.amount, 'amount')
    const height = asInteger(output.height, 'height')
    return [printOutpoint(outpoint), { outpoint, value, height, coinbase: output.coinbase === true }] as const
  })
  return { coins: new Map(coins), tip: asInteger(scan.height, 'height') }
}
