import { createRequire } from 'node:module'
import { answer } from '@kedge/api'
import { printHash } from '@kedge/bitcoin'
import { type Chain, GENESIS_ROOT, headOf, toHex } from '@kedge/core'
import { isSynced, type QueryContext } from './query-context.ts'
import type { Responders } from './serve.ts'
import { solvencyOf } from './solvency.ts'
import { cappedOf, pinnedOf } from './upkeep.ts'

const { version }: { version: string } = createRequire(import.meta.url)('../package.json')

export function healthQueries(context: QueryContext): Pick<Responders, 'health' | 'params'> {
  const { node, role, tip } = context
  const { follower, executor, network } = node
  const { params } = node.options
  return {
    params: () => answer({ network: toHex(network), params }),
    health: async () => {
      const [bitcoin, synced] = [await tip.height(), await isSynced(context)]
      const { chain } = follower
      const { pending, rejection } = executor
      const balance = solvencyOf(params, follower, executor)
      const { exitFrom: from } = chain
      const watcher = context.watcher?.()
      const capped = cappedOf(context.upkeep())
      const pinned = pinnedOf(context.upkeep())
      const { evidence = [] } = context.upkeep()
      return answer({
        network: toHex(network),
        chain: params.chain,
        role,
        version,
        tip: { height: chain.height, blockHash: printHash(chain.hash) },
        // What the follower has read, the backend has told.
        bitcoin: { height: Math.max(bitcoin ?? 0, chain.height) },
        synced,
        mode: chain.mode,
        head: headView(context, chain),
        final: { number: chain.final.number },
        ...(balance && { balance }),
        ...(from !== undefined && { exit: { from, root: toHex(executor.ledger.root) } }),
        ...(watcher && { watcher }),
        ...(capped.length > 0 && {
          capped: capped.map(({ name, deadline }) => ({ what: name, ...(deadline !== undefined && { deadline }) })),
        }),
        ...(pinned.length > 0 && {
          pinned: pinned.map(({ name, pinnedBy }) => ({ what: name, vbytes: pinnedBy })),
        }),
        ...(evidence.length > 0 && { evidence: [...evidence] }),
        ...(pending && { pending: { number: pending.number, reason: pending.reason } }),
        ...(rejection && { rejected: { number: rejection.number, fault: rejection.fault } }),
        peers: node.host.peers().length,
        engine: node.verifier.engine,
      })
    },
  }
}

function headView({ node }: QueryContext, chain: Chain) {
  const { number, headerHash } = headOf(chain)
  const post = node.follower.links.get(number)?.post ?? GENESIS_ROOT
  return { number, hash: toHex(headerHash), post: toHex(post) }
}
