import {
  type Built,
  buildChallenge,
  buildCommit,
  buildReveal,
  type Coin,
  type Funding,
  printOutpoint,
} from '@kedge/bitcoin'
import { INPUT_CAPACITY, type Params } from '@kedge/core'
import type { PublicationRecord, SignedRecord } from '@kedge/storage'
import { buildPaying, descending, firstAffordable } from './fees.ts'
import { payloadOf } from './publication.ts'
import type { Purse } from './purse.ts'
import { spentBy } from './signed.ts'

/** What a transaction of a publication is made from. */
export interface Making {
  readonly params: Params
  readonly purse: Purse
  readonly record: PublicationRecord
  /** sat/vB to pay with everything below it, and what is worth having where the purse can't pay that. */
  readonly target: number
  readonly least: number
  /** Unconfirmed transactions that it will stand on. */
  readonly ancestors: readonly SignedRecord[]
  /** In the mempool, to be replaced: the new one pays enough for that, and spends a coin of its. */
  readonly replaced: SignedRecord | undefined
}

/** A reveal's input of pieces, its output in the commit, and what surrounds them: measured, see the bitcoin package. */
const REVEAL_INPUT_VSIZE = 453
const COMMIT_OUTPUT_VSIZE = 43
const AROUND_VSIZE = 250

/**
 * @param change unconfirmed change of other commits that may pay for this one
 * @param share satoshis that this publication may tie up: what the reveal doesn't need comes back as its change
 * @param cap sat/vB
 */
export function makeCommit(making: Making, change: readonly Coin[], share: bigint, cap: number): Built | undefined {
  const { record, purse, params, replaced } = making
  const inputs = Math.ceil(record.body.length / INPUT_CAPACITY)
  const revealVsize = inputs * REVEAL_INPUT_VSIZE + AROUND_VSIZE
  const publication = { params, payload: payloadOf(record), bytes: record.body }
  const attempts = descending(making.target, making.least).flatMap((rate) => {
    const affordable = Math.min(cap, Number(share) / revealVsize)
    return [Math.max(rate, affordable), rate].map((reserve) => ({ rate, reserve }))
  })
  return firstAffordable(attempts, ({ rate, reserve }) => {
    const enough = BigInt(Math.ceil(reserve * revealVsize + rate * (inputs * COMMIT_OUTPUT_VSIZE + AROUND_VSIZE)))
    const coins = [...purse.spendable(record.commits, enough), ...usableChange(change, replaced)]
    const build = (own: number) => buildCommit(publication, reserve, { key: purse.key, coins, feeRate: own })
    return buildPaying(build, rate, making.ancestors, replaced)
  })
}

/** Stands on the publication's last commit. */
export function makeReveal(making: Making): Built | undefined {
  const { record, params } = making
  const commit = record.commits.at(-1)
  if (commit === undefined) throw new Error('a reveal without a commit')
  const publication = { params, payload: payloadOf(record), bytes: record.body }
  return makeTagged(making, (funding) => buildReveal(publication, commit.raw, funding))
}

export function makeChallenge(making: Making): Built | undefined {
  const { record, params } = making
  return makeTagged(making, (funding) => buildChallenge(params, payloadOf(record), funding))
}

function makeTagged(making: Making, build: (funding: Funding) => Built): Built | undefined {
  const { record, purse, ancestors, replaced } = making
  const instead = record.tagged === undefined ? [] : [record.tagged]
  return firstAffordable(descending(making.target, making.least), (rate) => {
    const enough = making.params.fees.challenge + BigInt(Math.ceil(rate * AROUND_VSIZE))
    const coins = purse.spendable(instead, enough)
    return buildPaying((own) => build({ key: purse.key, coins, feeRate: own }), rate, ancestors, replaced)
  })
}

/** A replacement must bring in no unconfirmed coin that is new (BIP125, rule 2). */
function usableChange(change: readonly Coin[], replaced: SignedRecord | undefined): readonly Coin[] {
  if (replaced === undefined) return change
  const spent = spentBy(replaced)
  return change.filter(({ outpoint }) => spent.has(printOutpoint(outpoint)))
}
