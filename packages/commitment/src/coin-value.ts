import { callRpc, printHash, type Rpc } from '@kedge/bitcoin'
import type { Outpoint } from '@kedge/core'

/**
 * Satoshis of an output that the best chain holds and no block spends, whatever the mempool says; else undefined.
 * @throws RpcUnreachableError
 */
export async function readCoinValue(rpc: Rpc, { txid, vout }: Outpoint): Promise<bigint | undefined> {
  const answer = await callRpc(rpc, 'gettxout', [printHash(txid), vout, false])
  if (answer === null) return undefined
  const value = typeof answer === 'object' && answer !== undefined && 'value' in answer ? answer.value : undefined
  if (typeof value !== 'number') throw new TypeError('gettxout: value is not a number')
  // 21e6 bitcoin in satoshis is below 2^53, so rounding is exact.
  return BigInt(Math.round(value * 1e8))
}
