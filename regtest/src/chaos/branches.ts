import { setTimeout as sleep } from 'node:timers/promises'
import { callRpc, printHash, readBlockHash, readTip } from '@kedge/bitcoin'
import type { RegtestNetwork } from '../network.ts'

/** For nodes to see a block and send what they have to say about it. */
const PACE_MS = 250

export async function mineSlowly(network: RegtestNetwork, blocks: number): Promise<void> {
  for (let block = 0; block < blocks; block++) {
    await sleep(PACE_MS)
    await network.mine()
  }
}

/** A branch by its first block. */
export async function branchAt(network: RegtestNetwork, height: number): Promise<string> {
  const hash = await readBlockHash(network.bitcoind.rpc, height)
  if (hash === undefined) throw new RangeError(`there is no block ${height}`)
  return printHash(hash)
}

/** Leaves a branch for one that was left before. */
export async function goBack(network: RegtestNetwork, from: string, to: string): Promise<void> {
  await callRpc(network.bitcoind.rpc, 'invalidateblock', [from])
  await callRpc(network.bitcoind.rpc, 'reconsiderblock', [to])
  await network.synced()
}

/** Leaves everything from `height` on for a third branch, which may be shorter: it is the only one that is left. */
export async function goElsewhere(network: RegtestNetwork, height: number, blocks: number): Promise<void> {
  const tip = await readTip(network.bitcoind.rpc)
  await network.reorg(tip.height - height + 1, blocks)
}
