import type { FraudClaim } from '@kedge/bond'
import {
  type Bond,
  type BrokenPromise,
  type Chain,
  covers,
  decodeReceipt,
  judgePromise,
  type Params,
  type PromiseFacts,
  type ShownLink,
  type Tick,
} from '@kedge/core'
import type { LinkRecord } from '@kedge/storage'

/** What a node derived from Bitcoin itself, by which its watcher judges whether the sequencer lied. */
export interface Witnessed {
  readonly chain: () => Chain
  readonly link: (number: number) => LinkRecord | undefined
  readonly blockHash: (height: number) => Uint8Array | undefined
  /** Whether that block was dropped from the best chain once, and maybe brought back since. */
  readonly hasLeft: (hash: Uint8Array) => boolean
}

/**
 * Why a bond does not answer for what the sequencer is said to have done; undefined where it does. All of it must have
 * stood in Bitcoin for k blocks.
 */
export function findInnocence(params: Params, node: Witnessed, bond: Bond, claim: FraudClaim): string | undefined {
  return claim.kind === 'batch'
    ? findBatchInnocence(params, node.chain(), bond, node.link(claim.number))
    : findPromiseInnocence(params, node, bond, claim.shown)
}

/**
 * A bond answers for a batch that it covered, and that is void by what Bitcoin says, for a lie or for data that nobody
 * showed. What a reorganisation did is nobody's fault, and a batch that is void for its ancestor is the ancestor's.
 */
export function findBatchInnocence(
  params: Params,
  chain: Chain,
  bond: Bond,
  link: LinkRecord | undefined,
): string | undefined {
  if (link?.outcome !== 'batch') return 'the link is no batch here'
  const { voided, height } = link
  if (voided === undefined) return 'the batch is not void'
  if (voided.cause === 'ancestor' || voided.fault === 'lapsed') return 'the batch is void by no fault of its own'
  if (chain.height - voided.height < params.windows.originDepth) return 'what made the batch void is not deep enough'
  return covers(params, bond, height) ? undefined : 'the bond does not cover the batch'
}

/** And for a promise that was broken. */
function findPromiseInnocence(params: Params, node: Witnessed, bond: Bond, shown: BrokenPromise): string | undefined {
  const verdict = judgePromise(params, factsOf(params, node), shown)
  if (!verdict.ok) return verdict.reason
  const { tick } = decodeReceipt(shown.receipt) ?? {}
  if (tick !== undefined && node.hasLeft(tick.origin.hash))
    return 'its origin left the best chain: the promise has ended'
  const isCovered = tick !== undefined && answersFor(params, bond, tick)
  return isCovered ? undefined : 'the bond does not cover the batch'
}

/** Whether the bond answers for the promise: it would have covered the batch, had that come at once. */
export function answersFor(params: Params, bond: Bond, { origin }: Tick): boolean {
  return covers(params, bond, origin.height + params.windows.originDepth)
}

/** Bitcoin as it was k blocks ago. */
export function factsOf({ windows }: Params, { chain, link, blockHash }: Witnessed): PromiseFacts {
  const height = chain().height - windows.originDepth
  return {
    height,
    blockHash: (at) => (at <= height ? blockHash(at) : undefined),
    link(number) {
      const record = link(number)
      return record !== undefined && record.height <= height ? shownOf(record, height) : undefined
    },
  }
}

function shownOf(record: LinkRecord, height: number): ShownLink {
  const { outcome, voided } = record
  const isVoided = voided !== undefined && voided.height <= height
  return {
    anchor: anchorOf(record),
    height: record.height,
    isNull: outcome === 'null',
    ...(isVoided && { voided: { cause: voided.cause, ...(voided.fault && { fault: voided.fault }) } }),
  }
}

function anchorOf({ outcome, headerHash, post, nonceRoot, said }: LinkRecord): ShownLink['anchor'] {
  if (outcome === 'null') return said
  const word = outcome === 'batch' ? post : nonceRoot
  const kind = outcome === 'batch' ? 'batch' : 'resume'
  return outcome === 'close' || headerHash === undefined || word === undefined ? undefined : { kind, headerHash, word }
}
