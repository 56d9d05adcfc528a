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
import { spentBy, transactionOf } from './signed.ts'

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

/** A reveal's full input of pieces, its output in the commit (see the bitcoin package), and what surrounds them. */
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
  const inputs = inputsOf(record)
  const shared = Math.min(cap, Number(share) / (inputs * REVEAL_INPUT_VSIZE + AROUND_VSIZE))
  const leastCost = (rate: number, reserve: number) =>
    reserve * piecesVsize(record) + rate * inputs * COMMIT_OUTPUT_VSIZE
  const usable = usableChange(change, replaced)
  const publication = { params, payload: payloadOf(record), bytes: record.body }
  const attempts = descending(making.target, making.least).flatMap((rate) =>
    [Math.max(rate, shared), rate].map((reserve) => {
      const enough = satoshis(leastCost(rate, reserve) + AROUND_VSIZE * (rate + reserve))
      return { rate, reserve, coins: [...purse.spendable(record.commits, enough), ...usable] }
    }),
  )
  // To find out by building that a large one is too dear takes a fifth of a second each time.
  const likely = attempts.filter(({ rate, reserve, coins }) => totalOf(coins) > satoshis(leastCost(rate, reserve)))
  return firstAffordable(likely, ({ rate, reserve, coins }) => {
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
  const reserved = totalOf(transactionOf(commit).outputs.slice(0, inputsOf(record)))
  return makeTagged(making, reserved, (funding) => buildReveal(publication, commit.raw, funding))
}

export function makeChallenge(making: Making): Built | undefined {
  const { record, params } = making
  return makeTagged(making, 0n, (funding) => buildChallenge(params, payloadOf(record), funding))
}

function makeTagged(making: Making, reserved: bigint, build: (funding: Funding) => Built): Built | undefined {
  const { record, purse, ancestors, replaced, params } = making
  const instead = record.tagged === undefined ? [] : [record.tagged]
  const attempts = descending(making.target, making.least).map((rate) => {
    const enough = params.fees.challenge + satoshis(rate * AROUND_VSIZE)
    return { rate, coins: purse.spendable(instead, enough) }
  })
  const leastCost = (rate: number) => satoshis(rate * piecesVsize(record))
  const likely = attempts.filter(({ rate, coins }) => reserved + totalOf(coins) > leastCost(rate))
  return firstAffordable(likely, ({ rate, coins }) =>
    buildPaying((own) => build({ key: purse.key, coins, feeRate: own }), rate, ancestors, replaced),
  )
}

function inputsOf({ body }: PublicationRecord): number {
  return Math.ceil(body.length / INPUT_CAPACITY)
}

/** Of the reveal: rather less than it is, as an input that is not full costs more a byte. */
function piecesVsize({ body }: PublicationRecord): number {
  return (body.length / INPUT_CAPACITY) * REVEAL_INPUT_VSIZE
}

function totalOf(list: readonly { readonly value: bigint }[]): bigint {
  return list.reduce((sum, { value }) => sum + value, 0n)
}

function satoshis(amount: number): bigint {
  return BigInt(Math.ceil(amount))
}

/** A replacement must bring in no unconfirmed coin that is new (BIP125, rule 2). */
function usableChange(change: readonly Coin[], replaced: SignedRecord | undefined): readonly Coin[] {
  if (replaced === undefined) return change
  const spent = spentBy(replaced)
  return change.filter(({ outpoint }) => spent.has(printOutpoint(outpoint)))
}
