import { answerParts, type Publisher } from '@kedge/commitment'
import { type AnchoredBatch, type Challenge, type DataKind, decodePart, isOpen, toHex } from '@kedge/core'
import { operations, type Store, steps } from '@kedge/storage'
import type { Follower } from './follow.ts'

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
    const isNew = !this.answered.has(nameOf(batch, data, challenge))
    return isNew && isOpen(challenge) && follower.chain.height >= from && mayServe(batch.headerHash, data)
  }

  private async answer(batch: AnchoredBatch, data: DataKind, challenge: Challenge): Promise<void> {
    const whole = await this.parts.store.get(data === 'data' ? operations : steps, batch.headerHash)
    const part = whole && decodePart(data, batch.headerHash, whole)
    if (part === undefined) return
    const source = {
      headerBytes: part.headerBytes,
      pre: part.header.pre,
      operations: part.operations,
      stepRoots: part.stepRoots,
    }
    for (const body of answerParts(data, source))
      await this.parts.publisher.publish({ kind: 'part', headerHash: batch.headerHash, data, body })
    this.answered.add(nameOf(batch, data, challenge))
  }
}

function nameOf(batch: AnchoredBatch, data: DataKind, challenge: Challenge): string {
  return `${toHex(batch.headerHash)}/${data}/${challenge.raisedAt}`
}
