import { PAGE_LIMIT_MAX } from '@kedge/api'
import { type Rpc, readDepth, readTip, readTransaction } from '@kedge/bitcoin'
import { fromHex, reverseBytes, toHex } from '@kedge/core'
import type { DepositRecord } from './content.ts'
import type { Wallet } from './wallet.ts'

/** Of a deposit's transaction, the output that is swept into the vault. */
const DEPOSIT_OUTPUT = 1

/**
 * How deep in Bitcoin recorded deposits are, by txid: 0 in the mempool, absent where Bitcoin lacks them. bitcoind knows
 * of an output until it is spent; of a deposit that was swept the node tells.
 */
export async function readDepths(
  wallet: Wallet,
  rpc: Rpc,
  records: readonly DepositRecord[],
): Promise<ReadonlyMap<string, number>> {
  const depths = new Map<string, number>()
  for (const { txid } of records) {
    const depth = await readDepth(rpc, { txid: reverseBytes(fromHex(txid)), vout: DEPOSIT_OUTPUT })
    if (depth !== undefined) depths.set(txid, depth)
  }
  if (depths.size === records.length) return depths
  const key = toHex(wallet.keys.rollup.key)
  const [{ deposits }, tip] = await Promise.all([wallet.client.deposits({ key, limit: PAGE_LIMIT_MAX }), readTip(rpc)])
  for (const { txid, position } of deposits)
    if (!depths.has(txid)) depths.set(txid, Math.max(1, tip.height - position.height + 1))
  return depths
}

/** Satoshis that it deposits. */
export function satsOf({ raw }: DepositRecord): bigint {
  return readTransaction(fromHex(raw)).outputs[DEPOSIT_OUTPUT]?.value ?? 0n
}
