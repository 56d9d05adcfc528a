import { RpcError, RpcUnreachableError, UnfitBackendError } from '@kedge/bitcoin'
import { HostError } from '@kedge/p2p'
import { StoreError } from '@kedge/storage'
import { TooShortChainError } from './follow.ts'
import { ListenError } from './serve.ts'

/**
 * What an operator can mend when a node does not start, in one sentence: a folder in use or damaged, a port that is
 * taken, a bitcoind that is away, on another chain, pruned or not synced. Undefined for everything else.
 */
export function explainStart(error: unknown): string | undefined {
  if (error instanceof RpcUnreachableError) return `bitcoind does not answer: ${error.message}`
  if (error instanceof RpcError) return `bitcoind refuses: ${error.message}`
  const known = [StoreError, HostError, ListenError, TooShortChainError, UnfitBackendError]
  return error instanceof Error && known.some((kind) => error instanceof kind) ? error.message : undefined
}
