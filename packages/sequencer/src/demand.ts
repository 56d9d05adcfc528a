import { aliveSince, batchLimits, type Due, findDue } from '@kedge/core'
import type { NodeParts } from '@kedge/node'
import type { Plan } from './plan.ts'

/** Why a batch is wanted that nobody's transfer asks for. */

type DemandParts = Pick<NodeParts, 'options' | 'follower' | 'executor'>

/** What a batch with the newest origin would have to begin with. */
export function findNextDue({ follower, executor, options }: DemandParts): Due | undefined {
  const { params } = options
  const newest = follower.chain.height - params.windows.originDepth
  return findDue(batchLimits(params), follower.facts, newest, executor.ledger.totals, 0)
}

/** Half of what ends the chain has passed without a batch, and none is on its way: an empty one keeps it alive. */
export function isSilent({ follower, options }: Pick<DemandParts, 'options' | 'follower'>, { tail }: Plan): boolean {
  const silence = follower.chain.height - aliveSince(follower.chain)
  return 2 * silence >= options.params.windows.exit && tail.length === 0
}
