import { type AnchoredBatch, equalBytes, toHex } from '@kedge/core'
import type { BatchData } from './data.ts'
import type { Follower } from './follow.ts'
import type { BatchLink } from './links.ts'
import type { Head } from './snapshot.ts'

/** A batch whose data this node can't get. */
export interface Pending extends Head {
  readonly anchorHeight: number
  readonly reason: string
}

/** Between two looks within one block. */
const LOOK_MS = 2000

/** A look waits no longer for peers: the node has blocks to read. What they send later the next one finds. */
const BUDGET_MS = 1_000

export interface MissingParts {
  readonly follower: Follower
  readonly data: BatchData
}

/**
 * Batches without data behind the first such one. They can't be checked before that one is, but the time to challenge
 * them runs from their own anchors: else a batch could be hidden behind another one that is shown late.
 */
export class MissingBatches {
  private readonly parts: MissingParts
  private found: readonly Pending[] = []
  /** By header hash, as hex. */
  private held = new Set<string>()
  private looked: { readonly hash: Uint8Array; readonly first: Uint8Array; readonly at: number } | undefined

  constructor(parts: MissingParts) {
    this.parts = parts
  }

  /** Those behind `first` for which there is time to be challenged, in their order. */
  async behind(first: BatchLink, signal: AbortSignal): Promise<readonly Pending[]> {
    const { chain } = this.parts.follower
    const now = performance.now()
    const isSame =
      this.looked && equalBytes(this.looked.hash, chain.hash) && equalBytes(this.looked.first, first.headerHash)
    if (this.looked !== undefined && isSame && now - this.looked.at < LOOK_MS) return this.found
    const open = this.challengeable(first)
    const lacking = await this.fetch(open, now + BUDGET_MS, signal)
    this.found = lacking.map(({ number, headerHash, anchorHeight }) => {
      return { number, headerHash, anchorHeight, reason: 'nobody at hand has the operations' }
    })
    this.held = new Set(open.filter((batch) => !lacking.includes(batch)).map(nameOf))
    this.looked = { hash: chain.hash, first: first.headerHash, at: performance.now() }
    return this.found
  }

  private challengeable({ number }: BatchLink): AnchoredBatch[] {
    const { chain, court } = this.parts.follower
    const { challenge } = court.params.windows
    return chain.line.filter((batch) => batch.number > number && chain.height < batch.anchorHeight + challenge)
  }

  /** Gives those that nobody at hand has, or that have not come so far. */
  private async fetch(batches: readonly AnchoredBatch[], until: number, signal: AbortSignal): Promise<AnchoredBatch[]> {
    const lacking: AnchoredBatch[] = []
    for (const batch of batches) {
      if (this.held.has(nameOf(batch))) continue
      const body = await this.parts.data.body(batch.headerHash, signal, Math.max(0, until - performance.now()))
      if (body === undefined) lacking.push(batch)
    }
    return lacking
  }
}

function nameOf({ headerHash }: AnchoredBatch): string {
  return toHex(headerHash)
}
