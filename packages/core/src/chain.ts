import type { Bond } from './bonds.ts'
import { equalBytes } from './bytes.ts'
import { ZERO_HASH } from './hash.ts'
import type { AnchoredLink } from './header.ts'
import type { Outpoint } from './l1.ts'
import type { DataKind } from './message.ts'
import { publishesAll } from './mode.ts'
import { OPERATION_PUBLISHED, type Params, STEP_ROOT_PUBLISHED } from './params.ts'
import type { Runs } from './runs.ts'
import { genesisVault, type Vault } from './vault.ts'

/**
 * What Bitcoin alone says about the rollup at one height: the anchor chain, which batches live, what is challenged.
 * A plain value; `deriveBlock` gives the next one.
 */
export interface Chain {
  readonly height: number
  readonly hash: Uint8Array
  /**
   * `broken`: a batch is void (or nothing has begun), only a resume goes on. `closed`: for good, no link counts any
   * more: the anchor chain has ended, or nothing on it lived for too long.
   */
  readonly mode: 'broken' | 'active' | 'closed'
  /**
   * The output that the next link spends, and the number the last link took; where that was a resume, the table that it
   * fixes for the next batch.
   */
  readonly link: { readonly outpoint: Outpoint; readonly number: number; readonly nonceRoot?: Uint8Array }
  /** Live batches that are not final, in order. Each one's parent is the one before it. */
  readonly line: readonly AnchoredBatch[]
  /** The last final batch, or genesis (number 0, zeros, at the scan height). */
  readonly final: Head
  /** Answers to challenges queue up to this height. */
  readonly queue: number
  readonly vault: Vault
  /** The first block that is a step of the exit. */
  readonly exitFrom?: number
  /** Every bond that was funded since the scan height, in order. Each costs its owner what the network asks for. */
  readonly bonds: readonly Bond[]
}

/** A live batch that others may follow, or genesis. */
export interface Head {
  readonly number: number
  readonly headerHash: Uint8Array
  readonly anchorHeight: number
  /** Height of the first void since its anchor, whatever was anchored in between. */
  readonly firstVoid?: number
  /** Of the resume that is the link before it, if that is one. */
  readonly nonceRoot?: Uint8Array
}

export interface AnchoredBatch extends AnchoredLink, Head {
  readonly challenges: Readonly<Partial<Record<DataKind, Challenge>>>
}

export interface Challenge {
  readonly raisedAt: number
  readonly deadline: number
  /** Leaves already answered for. */
  readonly covered: Runs
  readonly answeredAt?: number
}

/** The chain before the first block that is read. */
export function genesisChain(params: Params, parentHash: Uint8Array): Chain {
  return {
    height: params.scanHeight - 1,
    hash: parentHash,
    mode: 'broken',
    link: { outpoint: params.genesis, number: 0 },
    line: [],
    final: { number: 0, headerHash: ZERO_HASH, anchorHeight: params.scanHeight },
    queue: 0,
    vault: genesisVault(params),
    bonds: [],
  }
}

/** The last live header: what the next batch or resume must name as its parent. */
export function headOf(chain: Chain): Head {
  return chain.line.at(-1) ?? chain.final
}

/**
 * A: what the exit's clock runs from. A batch that is void does not set it forward, nor does the next one in its place:
 * else a chain of batches that nobody can have would never end.
 */
export function aliveSince(chain: Chain): number {
  const { anchorHeight, firstVoid } = headOf(chain)
  return firstVoid ?? anchorHeight
}

export function findInLine(chain: Chain, headerHash: Uint8Array): AnchoredBatch | undefined {
  return chain.line.find((batch) => equalBytes(batch.headerHash, headerHash))
}

/** f: the height at which a batch becomes final unless a challenge is open. Evidence counts up to it. */
export function finalHeight(params: Params, batch: AnchoredBatch): number {
  const { dispute, proof } = params.windows
  const answers = challengesOf(batch).map((challenge) => (challenge.answeredAt ?? 0) + proof)
  return Math.max(batch.anchorHeight + dispute, ...answers)
}

export function isOpen(challenge: Challenge): boolean {
  return challenge.answeredAt === undefined
}

export function challengesOf(batch: AnchoredBatch): readonly Challenge[] {
  return [batch.challenges.data, batch.challenges.steps].filter((challenge) => challenge !== undefined)
}

/**
 * The last height at which a challenge of this kind counts. Steps can be judged once the operations are known, the
 * batch's and its ancestors': without theirs nobody knows the state that the batch starts from.
 */
export function challengeLimit(params: Params, chain: Chain, batch: AnchoredBatch, data: DataKind): number {
  const { challenge: window } = params.windows
  if (data === 'data') return batch.anchorHeight + window
  let known = batch.anchorHeight
  for (const { number, challenges } of chain.line) {
    if (number <= batch.number) known = Math.max(known, challenges.data?.answeredAt ?? 0)
  }
  return known + window
}

/**
 * What is challenged from a batch's anchor on. Where all data go to Bitcoin nobody need ask for them: they are due by
 * rule, as an answer would be, but behind no queue: who publishes decides himself how much he does at a time.
 */
export function challengedByRule(params: Params, anchorHeight: number): AnchoredBatch['challenges'] {
  if (!publishesAll(params)) return {}
  return { data: { raisedAt: anchorHeight, deadline: anchorHeight + params.windows.answer, covered: [] } }
}

/** Blocks that the largest answer of a kind takes at the rate that the network counts on. */
export function answerBlocks(params: Params, data: DataKind): number {
  const leafBytes = data === 'data' ? OPERATION_PUBLISHED : STEP_ROOT_PUBLISHED
  return Math.ceil((params.caps.operations * leafBytes) / params.caps.answerVbytesPerBlock)
}
