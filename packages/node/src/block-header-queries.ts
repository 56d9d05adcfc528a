import { answer, overloaded, PAGE_LIMIT, refuse } from '@kedge/api'
import { RpcUnreachableError } from '@kedge/bitcoin'
import { toHex } from '@kedge/core'
import { type QueryContext, RETRY_MS } from './query-context.ts'
import type { Responders } from './serve.ts'

/** Of the blocks that this node has followed, and no others: they are those that its other answers rest on. */
export function blockHeaderQueries({ node, blockHeaders }: QueryContext): Pick<Responders, 'blockHeaders'> {
  return {
    blockHeaders: async ({ height, limit = PAGE_LIMIT }) => {
      const { facts } = node.follower
      const hashes: Uint8Array[] = []
      for (let at = height; hashes.length < limit; at++) {
        const hash = facts.blockHash(at)
        if (hash === undefined) break
        hashes.push(hash)
      }
      if (hashes.length === 0) return refuse('not-found')
      try {
        const headers = await blockHeaders.read(hashes)
        return headers === undefined ? overloaded(RETRY_MS) : answer({ headers: toHex(headers) })
      } catch (error) {
        if (error instanceof RpcUnreachableError) return refuse('syncing')
        throw error
      }
    },
  }
}
