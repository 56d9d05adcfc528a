import type { AnchorKeeper } from '@kedge/commitment'
import { type Anchor, resumeAnchor } from '@kedge/core'
import type { NodeParts } from '@kedge/node'
import type { Write } from '@kedge/storage'
import { delOpenMark } from './journal.ts'
import { type OwnLinks, ownBatchOf } from './own-links.ts'
import type { OwnLink, Plan } from './plan.ts'
import type { Sealing } from './seal.ts'
import type { Slots } from './slots.ts'

/** What this sequencer binds itself to: one anchor under each number, with whatever must not be without it. */

export interface AnchoringParts {
  readonly node: Pick<NodeParts, 'store' | 'options'>
  readonly own: OwnLinks
  readonly keeper: AnchorKeeper
  readonly slots: Slots
}

/** Order of effects: one synced commit of batch, intent, the header's slot and the emptied journal; then that is signed. */
export async function intendBatch(parts: AnchoringParts, { anchor, built, writes }: Sealing): Promise<void> {
  const { number, origin } = built.header
  const claimed = await parts.slots.claimHeader(number, built.hash)
  const all = [...writes, ...claimed.writes, delOpenMark()]
  await intend(parts, anchor, { link: ownBatchOf(built.header, built.hash), writes: all, originHeight: origin.height })
  await claimed.keep()
}

/** From the plan's head, with a table for the batch behind it. */
export async function intendResume(parts: AnchoringParts, { lastNumber, head }: Plan): Promise<void> {
  const { number, headerHash } = { number: lastNumber + 1, headerHash: head.headerHash }
  const table = await parts.slots.fixBehindResume(number + 1)
  const anchor = resumeAnchor(headerHash, table.nonceRoot)
  await intend(parts, anchor, { link: { kind: 'resume', number, headerHash }, writes: table.writes })
  await table.keep()
  parts.node.options.log.info({ number }, 'resuming from the head')
}

interface Intended {
  readonly link: OwnLink
  readonly writes: readonly Write[]
  /** A batch's. */
  readonly originHeight?: number
}

async function intend(
  { keeper, own, node }: AnchoringParts,
  anchor: Anchor,
  { link, writes, originHeight }: Intended,
): Promise<void> {
  await node.store.commit([...keeper.intent(link.number, anchor, originHeight), ...writes])
  keeper.noted(link.number, anchor)
  own.add(link)
}
