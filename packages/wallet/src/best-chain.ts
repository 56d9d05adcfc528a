import { printHash, type Rpc, readHeader, readTip } from '@kedge/bitcoin'
import { BLOCK_HEADER_BYTES, type Checkpoint, hashTwice } from '@kedge/core'
import { type Check, fails, holds, unchecked } from './proof.ts'

/** What only somebody who follows Bitcoin can say: here, the user's own bitcoind. */

export const withoutBitcoind = unchecked(
  'best-chain',
  'without a bitcoind, that the block is in Bitcoin’s best chain is the node’s word',
)

/** Absence can't be shown by headers and paths: whoever wants to know reads the blocks of the window. */
export const noVoid = unchecked(
  'final',
  'that no evidence made the batch void is the node’s word; run a challenger to know',
)

/** Whether a block is in the best chain, at this height. @throws RpcError, RpcUnreachableError */
export async function checkBestChain(rpc: Rpc, blockHash: Uint8Array, height: number): Promise<Check> {
  const header = await readHeader(rpc, blockHash)
  if (header === undefined || header.confirmations < 1) {
    return fails('best-chain', 'bitcoind does not have the block in its best chain')
  }
  if (header.height !== height) {
    return fails('best-chain', `the block stands at height ${header.height}, not ${height}`)
  }
  return holds('best-chain', `block ${printHash(blockHash)} at height ${height}, ${header.confirmations} deep`)
}

/** Whether the dispute window can be over. @throws RpcError, RpcUnreachableError */
export async function checkWindow(rpc: Rpc, finalFrom: number): Promise<Check> {
  const tip = await readTip(rpc)
  return tip.height < finalFrom ? fails('final', `it can’t be final before height ${finalFrom}`) : noVoid
}

export interface KnownBlocks {
  readonly checkpoint: Checkpoint
  /** Those that were given, without any that left the best chain. */
  readonly blockHeaders: Uint8Array
}

/** The last of some block headers that bitcoind has in its best chain. @throws RpcError, RpcUnreachableError */
export async function findKnownBlock(rpc: Rpc, blockHeaders: Uint8Array): Promise<KnownBlocks | undefined> {
  for (let end = blockHeaders.length; end >= BLOCK_HEADER_BYTES; end -= BLOCK_HEADER_BYTES) {
    const hash = hashTwice(blockHeaders.slice(end - BLOCK_HEADER_BYTES, end))
    const header = await readHeader(rpc, hash)
    if (header !== undefined && header.confirmations >= 1)
      return { checkpoint: { height: header.height, hash }, blockHeaders: blockHeaders.slice(0, end) }
  }
  return undefined
}
