import { batchRpc, callRpc, printHash, type Rpc } from '@kedge/bitcoin'

/**
 * Blocks of the best chain, oldest first. bitcoind writes its index of blocks now and then, so one that is killed wakes
 * up some blocks behind. Another would have them from its peers; this one has them from here.
 */
export class MinedBlocks {
  /** Hex, as bitcoind gives and takes them. */
  private readonly blocks: unknown[] = []

  /** @param replaced how many of the newest blocks these stand in for */
  async remember(rpc: Rpc, hashes: readonly Uint8Array[], replaced = 0): Promise<void> {
    const calls = hashes.map((hash) => ({ method: 'getblock', params: [printHash(hash), 0] }))
    const blocks = calls.length === 0 ? [] : await batchRpc(rpc, calls)
    this.blocks.splice(Math.max(0, this.blocks.length - replaced), replaced, ...blocks)
  }

  /** Those that bitcoind has are duplicates to it. */
  async restore(rpc: Rpc): Promise<void> {
    for (const block of this.blocks) await callRpc(rpc, 'submitblock', [block])
  }
}
