import type { Publisher } from '@kedge/commitment'
import { challengeLimit, type DataKind, findInLine, isVouchedFor } from '@kedge/core'
import type { ChallengeTurns } from './challenge-turns.ts'
import type { BatchData } from './data.ts'
import type { Executor } from './execute.ts'
import type { Follower } from './follow.ts'

export interface AccuserParts {
  readonly follower: Follower
  readonly executor: Executor
  readonly data: BatchData
  readonly publisher: Publisher
  readonly turns: ChallengeTurns
}

/**
 * Puts on Bitcoin what this node knows against a batch. It proves only what it found with a ledger that it derived itself
 * up to that batch. Data it asks for also behind the first batch that it lacks them of: once that one is answered for,
 * the time to ask may be over.
 */
export async function accuse(parts: AccuserParts): Promise<void> {
  const { rejection, missing } = parts.executor
  if (rejection?.evidence !== undefined) await prove(parts, rejection.headerHash, rejection.evidence)
  else if (rejection !== undefined) await challenge(parts, rejection.headerHash, 'steps')
  else for (const { headerHash } of missing) await challenge(parts, headerHash, 'data')
}

/** A batch whose sequencer lapsed by itself needs no challenge, only its own header. */
export async function proveRejection(parts: Pick<AccuserParts, 'follower' | 'executor' | 'publisher'>): Promise<void> {
  const { rejection } = parts.executor
  if (rejection?.evidence !== undefined) await prove(parts, rejection.headerHash, rejection.evidence)
}

async function prove(
  { follower, publisher }: Pick<AccuserParts, 'follower' | 'executor' | 'publisher'>,
  headerHash: Uint8Array,
  body: Uint8Array,
): Promise<void> {
  if (findInLine(follower.chain, headerHash) !== undefined)
    await publisher.publish({ kind: 'evidence', headerHash, body })
}

/** In the second half of the window: most of what is missing is only late, and a challenge costs its sender. */
async function challenge(parts: AccuserParts, headerHash: Uint8Array, data: DataKind): Promise<void> {
  const { follower, publisher, turns } = parts
  const { params } = follower.court
  const header = await parts.data.header(headerHash)
  // The header is all that anybody would have to show.
  if (header !== undefined && isVouchedFor(params, header)) return
  const batch = findInLine(follower.chain, headerHash)
  if (batch === undefined || batch.challenges[data] !== undefined || !parts.data.wasSought(headerHash, data)) return
  const limit = challengeLimit(params, follower.chain, batch, data)
  const from = limit - Math.ceil(params.windows.challenge / 2)
  const { height } = follower.chain
  // One that no block up to `limit` can hold any more would burn its payment for nothing.
  if (height < from || height >= limit) return
  if (await turns.isDue(headerHash, data, { from, limit }, height))
    await publisher.publish({ kind: 'challenge', headerHash, data })
}
