import { aliveSince, equalBytes, isCovered, type Origin, type Params } from '@kedge/core'
import type { Executor, Follower } from '@kedge/node'
import type { Unready } from './candidate.ts'
import type { OpenBatch } from './open-batch.ts'
import type { Plan } from './plan.ts'

/** What a batch can stand on, as Bitcoin is now. */

/** Whether a batch with this origin will be void, should the next block or a later one hold its anchor. */
export function lapses({ chain, facts, court }: Follower, origin: Origin): boolean {
  const hash = facts.blockHash(origin.height)
  const isTooOld = chain.height + 1 - origin.height > court.params.windows.staleness
  return isTooOld || hash === undefined || !equalBytes(hash, origin.hash)
}

/**
 * Blocks that a batch's anchor has after the last promise in it: a quarter of those that it has at all. Where something
 * keeps it out of them, those promises are broken.
 */
export function blocksToAnchor({ windows: { staleness, originDepth } }: Params): number {
  return Math.floor((staleness - originDepth) / 4)
}

/** Whether a batch with this origin has so few blocks left that nothing more is promised in it, nor in one on top of it. */
export function isAging({ chain, court: { params } }: Follower, { height }: Origin): boolean {
  return height + params.windows.staleness - chain.height <= blocksToAnchor(params)
}

/**
 * The origin for a new batch: undefined while Bitcoin's tip is not far enough above the head's.
 * @param floor the head's origin height
 */
export function nameOrigin(follower: Follower, floor: number): Origin | undefined {
  const { chain, facts, court } = follower
  const height = newestOrigin(follower, floor)
  const isDeep = height <= chain.height + 1 - court.params.windows.originDepth
  const hash = isDeep ? facts.blockHash(height) : undefined
  return hash && { height, hash }
}

/** Whether the open batch can still become what was promised; one without operations promises nothing, and is to be young. */
export function stands(follower: Follower, plan: Plan, { place, count }: OpenBatch, floor: number): boolean {
  return (
    plan.mode === 'active' &&
    place.number === plan.lastNumber + 1 &&
    equalBytes(place.parent, plan.head.headerHash) &&
    !lapses(follower, place.origin) &&
    (count > 0 || place.origin.height === newestOrigin(follower, floor))
  )
}

/**
 * Whether a bond covers a batch that is opened now, however late its anchor is mined. Whoever took transfers for one that
 * no bond covers any more would break its promise, without having lied. What is promised by then is covered for long enough.
 */
export function isCoveredLong({ chain, court: { params } }: Follower): boolean {
  const heights = Array.from({ length: params.windows.staleness }, (_, at) => chain.height + 1 + at)
  return params.bond === undefined || heights.every((anchor) => isCovered(params, chain.bonds, anchor))
}

/** Whether the chain may end (exit.ts) while the anchor of a batch that is opened now could still be mined. */
export function mayEnd({ chain, court }: Follower): boolean {
  const { staleness, exit } = court.params.windows
  return chain.height + staleness > aliveSince(chain) + exit
}

/** Why nothing can stand on the ledger now; undefined when it stands at the head of a chain that goes on. */
export function findUnreadiness(executor: Executor, plan: Plan): Unready | undefined {
  if (plan.mode !== 'active') return 'chain-broken'
  if (executor.rejection !== undefined) return 'batch-rejected'
  return isAtHead(executor, plan) ? undefined : 'syncing'
}

export function isAtHead({ head, isCaughtUp }: Executor, plan: Plan): boolean {
  return isCaughtUp && head.number === plan.head.number && equalBytes(head.headerHash, plan.head.headerHash)
}

function newestOrigin({ chain, court }: Follower, floor: number): number {
  return Math.max(chain.height - court.params.windows.originDepth, floor)
}
