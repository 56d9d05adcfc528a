import type { AnchorStatus, Waiting } from '@kedge/commitment'

/** What a node has on its way to Bitcoin, and what it pays for that with: of its role, at the last turn of its loop. */
export interface Upkeep {
  /** Satoshis that nothing is meant for yet. */
  readonly purse: bigint
  /** sat/vB that it pays at most. */
  readonly cap: number
  readonly waiting: readonly Waiting[]
  /** Of a sequencer. `backlog`: anchors that no block holds, sent or not. */
  readonly anchors?: AnchorStatus & { readonly backlog: number }
  /** Of a challenger: for what it slashes a bond. */
  readonly evidence?: readonly HeldEvidence[]
}

/** What a challenger holds against the sequencer, until no bond is left that answers for it. */
export interface HeldEvidence {
  readonly kind: 'equivocation' | 'broken-promise' | 'void-batch'
  /** Of the batch, where it is about one. */
  readonly number?: number
}

/** Those that the cap keeps from paying more, though no block has taken them yet. */
export function cappedOf({ waiting }: Upkeep): Waiting[] {
  return waiting.filter(({ isCapped, pinnedBy }) => isCapped && pinnedBy === undefined)
}

/** Those that what others have hung on them keeps from paying more: a higher cap would change nothing. */
export function pinnedOf({ waiting }: Upkeep): (Waiting & { readonly pinnedBy: number })[] {
  return waiting.flatMap((one) => (one.pinnedBy === undefined ? [] : [{ ...one, pinnedBy: one.pinnedBy }]))
}
