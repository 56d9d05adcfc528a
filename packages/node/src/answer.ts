import { answerParts, type Publisher } from '@kedge/commitment'
import {
  type AnchoredBatch,
  type Challenge,
  type DataKind,
  decodeHeader,
  decodePart,
  encodeHeaderPart,
  isOpen,
  isVouchedFor,
  publishesAll,
  toHex,
} from '@kedge/core'
import { headers, type Store, steps } from '@kedge/storage'
import type { Follower } from './follow.ts'
import { keptOperations } from './kept-operations.ts'

export interface AnswererParts {
  readonly store: Store
  readonly follower: Follower
  readonly publisher: Publisher
  /** Share of the time until the deadline to leave to others first: 0 for a sequencer, which answers at once. */
  readonly patience: number
  readonly mayServe: (headerHash: Uint8Array, data: DataKind) => boolean
}

/** Answers open challenges with what this node holds. Anybody may: an unanswered batch is void for all. */
export class Answerer {
  private readonly parts: AnswererParts
  /** Challenges answered already; the publisher keeps the answers alive. */
  private readonly answered = new Set<string>()

  constructor(parts: AnswererParts) {
    this.parts = parts
  }

  async act(): Promise<void> {
    for (const batch of this.parts.follower.chain.line) {
      for (const data of ['data', 'steps'] as const) {
        const challenge = batch.challenges[data]
        if (challenge !== undefined && this.isDue(batch, data, challenge)) await this.answer(batch, data, challenge)
      }
    }
  }

  private isDue(batch: AnchoredBatch, data: DataKind, challenge: Challenge): boolean {
    const { follower, patience, mayServe } = this.parts
    const from = challenge.raisedAt + Math.floor((challenge.deadline - challenge.raisedAt) * patience)
    // What a sequencer has to publish by rule is for it to pay: who stepped in would pay for all of it, for ever.
    if (patience > 0 && isByRule(follower, data)) return false
    const isNew = !this.answered.has(nameOf(batch, data, challenge))
    return isNew && isOpen(challenge) && follower.chain.height >= from && mayServe(batch.headerHash, data)
  }

  private async answer(batch: AnchoredBatch, data: DataKind, challenge: Challenge): Promise<void> {
    const bodies = await this.bodiesOf(batch.headerHash, data)
    if (bodies === undefined) return
    for (const body of bodies)
      await this.parts.publisher.publish({ kind: 'part', headerHash: batch.headerHash, data, body })
    this.answered.add(nameOf(batch, data, challenge))
  }

  /** What to publish; undefined where this node does not hold it. */
  private async bodiesOf(headerHash: Uint8Array, data: DataKind): Promise<Uint8Array[] | undefined> {
    const { store, follower } = this.parts
    const headerBytes = await store.get(headers, headerHash)
    const header = headerBytes && decodeHeader(headerBytes)
    if (headerBytes !== undefined && header !== undefined && isVouchedFor(follower.court.params, header))
      return [encodeHeaderPart(data, { headerBytes, pre: header.pre })]
    const whole = await (data === 'data' ? keptOperations(store, headerHash) : store.get(steps, headerHash))
    const part = whole && decodePart(data, headerHash, whole)
    return part && answerParts(data, { ...part, pre: part.header.pre })
  }
}

function isByRule({ court }: Follower, data: DataKind): boolean {
  return data === 'data' && publishesAll(court.params)
}

function nameOf(batch: AnchoredBatch, data: DataKind, challenge: Challenge): string {
  return `${toHex(batch.headerHash)}/${data}/${challenge.raisedAt}`
}
