import { type AnchorKeeper, MAX_UNCONFIRMED } from '@kedge/commitment'
import { mostOperations } from '@kedge/core'
import type { NodeParts } from '@kedge/node'
import type { Certifying } from './certify.ts'
import { mayPublishMore } from './pace.ts'
import type { Ticks } from './ticks.ts'

/** How much an open batch takes, and how many may wait for Bitcoin. */

export interface RoomParts {
  readonly node: Pick<NodeParts, 'options' | 'follower'>
  readonly keeper: Pick<AnchorKeeper, 'backlog'>
  /** Where watchers vouch for batches above the cap. */
  readonly certifying?: Pick<Certifying, 'isHopeful'>
}

/** With so many anchors that wait for a block, batches grow where they may. */
const GROW_FROM = MAX_UNCONFIRMED / 2

/** Anchors that no block holds yet. */
export function backlogOf({ keeper, node }: RoomParts): number {
  return keeper.backlog(node.follower.chain)
}

/** Whether Bitcoin will take one more anchor, and what has to go with it. */
export function mayAnchor(parts: RoomParts): boolean {
  const { options, follower } = parts.node
  const backlog = backlogOf(parts)
  return backlog < MAX_UNCONFIRMED && mayPublishMore(options.params, follower.chain, backlog)
}

/** Nothing more can be added, or promised. */
export function isFull({ node }: RoomParts, { batch: { count, isGrown }, hasSlot }: Ticks): boolean {
  const { params } = node.options
  return isGrown ? count >= mostOperations(params) : count >= params.caps.operations || !hasSlot
}

/** Anchors queue up, and watchers are there to vouch for more than a batch may hold without them. */
export function mayGrow(parts: RoomParts, { batch: { count, isGrown } }: Ticks): boolean {
  const { certifying, node } = parts
  const isAtCap = !isGrown && count === node.options.params.caps.operations
  return isAtCap && certifying?.isHopeful === true && backlogOf(parts) >= GROW_FROM
}
