import { isZero, ZERO_HASH } from '@kedge/core'
import type { LinkRecord } from '@kedge/storage'
import type { BatchData } from './data.ts'
import type { Executor } from './execute.ts'
import type { Follower } from './follow.ts'
import type { BatchLink, LinkIndex } from './links.ts'
import type { Head } from './snapshot.ts'

export interface LineParts {
  readonly follower: Pick<Follower, 'links'>
  readonly executor: Pick<Executor, 'head' | 'rejection'>
  readonly data: Pick<BatchData, 'header'>
}

/** A batch that the ledger contains, and how far up the ladder it has come. */
export type Standing =
  | { readonly rung: 'sequenced'; readonly number: number; readonly headerHash: Uint8Array }
  | {
      readonly rung: 'anchored' | 'final'
      readonly number: number
      readonly headerHash: Uint8Array
      readonly link: BatchLink
    }

export const GENESIS_HEAD: Head = { number: 0, headerHash: ZERO_HASH }

/**
 * The batches that the ledger contains and that nothing speaks against: live ones on Bitcoin, then the node's own that
 * are not anchored yet. What is void and not yet taken back is left out, and so is what this node found faulty.
 */
export class Line {
  private readonly links: LinkIndex
  private readonly tail: ReadonlyMap<number, Uint8Array>
  private readonly lastAnchored: number
  /** Whether it holds every batch that the ledger contains: what isn't found in it was never there. */
  readonly isWhole: boolean

  constructor(links: LinkIndex, tail: ReadonlyMap<number, Uint8Array>, lastAnchored: number, isWhole: boolean) {
    this.links = links
    this.tail = tail
    this.lastAnchored = lastAnchored
    this.isWhole = isWhole
  }

  at(number: number): Standing | undefined {
    const own = this.tail.get(number)
    if (own !== undefined) return { rung: 'sequenced', number, headerHash: own }
    const link = number <= this.lastAnchored ? this.links.get(number) : undefined
    if (link === undefined || !isLiveBatch(link)) return undefined
    return { rung: link.finalAt === undefined ? 'anchored' : 'final', number, headerHash: link.headerHash, link }
  }
}

/** @param hasTail whether the node builds batches of its own */
export async function readLine(parts: LineParts, hasTail: boolean): Promise<Line> {
  const { links } = parts.follower
  const { rejection } = parts.executor
  const tail = new Map<number, Uint8Array>()
  let at = parts.executor.head
  let isWhole = rejection === undefined
  while (at.number > 0 && !links.isLive(at.number, at.headerHash)) {
    if (hasTail && links.get(at.number) === undefined) tail.set(at.number, at.headerHash)
    else isWhole = false
    at = await parentOf(parts, at)
  }
  return new Line(links, tail, Math.min(at.number, (rejection?.number ?? Number.POSITIVE_INFINITY) - 1), isWhole)
}

/** The batch below one that the ledger contains, or contained. From memory where that is live. */
export async function parentOf({ follower, data }: LineParts, head: Head): Promise<Head> {
  const { links } = follower
  if (links.isLive(head.number, head.headerHash)) return liveBelow(links, head.number)
  const parent = (await headerOf(data, head.headerHash)).parent
  if (isZero(parent)) return GENESIS_HEAD
  return { number: (await headerOf(data, parent)).number, headerHash: parent }
}

function liveBelow(links: LinkIndex, above: number): Head {
  for (let number = above - 1; number > 0; number--) {
    const link = links.get(number)
    if (link !== undefined && isLiveBatch(link)) return { number, headerHash: link.headerHash }
  }
  return GENESIS_HEAD
}

async function headerOf(data: LineParts['data'], hash: Uint8Array) {
  const header = await data.header(hash)
  if (header === undefined) throw new Error('the header of a batch that was executed is missing')
  return header
}

function isLiveBatch(link: LinkRecord): link is BatchLink {
  return link.outcome === 'batch' && link.voided === undefined
}
