import { InsufficientFundsError } from '@kedge/bitcoin'

/** What the node is willing to pay. */
export interface FeePolicy {
  /** sat/vB that a package of own transactions never pays more than. */
  readonly cap: number
  /** sat/vB where bitcoind has seen too little to estimate. */
  readonly fallback: number
}

/** What a transaction pays. */
export interface Paid {
  /** Satoshis. */
  readonly fee: bigint
  readonly vsize: number
}

/** Blocks that bitcoind's estimate is asked for. Later than that, age raises the rate by itself. */
export const ESTIMATE_BLOCKS = 3

/**
 * A replacement is relayed to every node again, so it must be worth it. It also keeps a rate that rises a little with
 * each block from making a replacement with each.
 */
export const BUMP_STEP = 1.25

/** What Core asks of a replacement for its own relay, in sat/vB: its highest default, of before version 30. */
const INCREMENTAL_RATE = 1

/** sat/vB that is worth replacing a transaction of the same size for, and that relay takes for it. */
export function leastRaise(rate: number): number {
  return Math.max(rate * BUMP_STEP, rate + INCREMENTAL_RATE)
}

/** Satoshis at which relay takes something in place of others: what those paid, and its own relay. */
export function replacementFee(vsize: number, replaced: bigint): bigint {
  return replaced + BigInt(Math.ceil(INCREMENTAL_RATE * vsize))
}

/** sat/vB below which no default policy relays. */
export const LEAST_RATE = 1

/**
 * sat/vB for something that has waited for `age` of the `deadline` blocks it has: the estimate at first, by equal
 * factors up to the cap at the deadline. What is late pays the cap.
 */
export function feeRate(estimate: number, age: number, deadline: number, cap: number): number {
  if (age >= deadline) return cap
  const base = Math.min(estimate, cap)
  return base * (cap / base) ** (Math.max(age, 0) / deadline)
}

/** sat/vB of transactions together, as a miner counts a package. */
export function rateOf(transactions: readonly Paid[]): number {
  const { fee, vsize } = sum(transactions)
  return Number(fee) / vsize
}

/** How often `buildPaying` tries, and what part of a fee may be too much for it to stop before. */
const TRIES = 10
const SLACK = 0.05

/**
 * Builds a transaction that pays `target` for itself, and with its unconfirmed ancestors too, and enough to replace
 * `replaced`. Paying for others takes a rate of its own, which depends on the size, and the size on the coins that the
 * rate takes: so it is searched for between a rate that is too low and one that is too high.
 * @param build a transaction at a rate of its own, in sat/vB
 * @throws InsufficientFundsError
 */
export function buildPaying<T extends Paid>(
  build: (rate: number) => T,
  target: number,
  ancestors: readonly Paid[],
  replaced?: Paid,
): T {
  const missing = (built: Paid) => feeNeeded(built.vsize, target, ancestors, replaced) - Number(built.fee)
  const first = build(target)
  if (missing(first) <= 0) return first
  let best: T | undefined
  // Between a rate that pays too little and one that the coins can't pay, or that pays more than enough.
  let [low, high] = [target, Number.POSITIVE_INFINITY]
  let rate = target + missing(first) / first.vsize
  for (let tries = 0; tries < TRIES; tries++) {
    const built = firstAffordable([rate], build)
    const short = built === undefined ? 0 : missing(built)
    if (short > 0) low = rate
    else high = rate
    if (short <= 0) best = built ?? best
    if (built !== undefined && short <= 0 && -short <= SLACK * Number(built.fee)) return built
    rate = built !== undefined && high === Number.POSITIVE_INFINITY ? rate + short / built.vsize : (low + high) / 2
  }
  return best ?? build(high)
}

/** Satoshis, rounded down as a transaction's fee is rounded up. */
function feeNeeded(vsize: number, target: number, ancestors: readonly Paid[], replaced: Paid | undefined): number {
  const below = sum(ancestors)
  const together = target * (vsize + below.vsize) - Number(below.fee)
  const instead = replaced === undefined ? 0 : Number(replaced.fee) + INCREMENTAL_RATE * vsize
  return Math.floor(Math.max(target * vsize, together, instead))
}

/** The first attempt that the coins at hand pay for; undefined when they pay for none. */
export function firstAffordable<A, T>(attempts: readonly A[], build: (attempt: A) => T): T | undefined {
  for (const attempt of attempts) {
    try {
      return build(attempt)
    } catch (error) {
      if (!(error instanceof InsufficientFundsError)) throw error
    }
  }
  return undefined
}

/** Rates to try from `target` down to `least`: a little is better than nothing while the purse is low. */
export function descending(target: number, least: number): number[] {
  const rates: number[] = []
  for (let rate = target; rate > least; rate /= 1.5) rates.push(rate)
  return [...rates, least]
}

function sum(transactions: readonly Paid[]): Paid {
  return {
    fee: transactions.reduce((total, { fee }) => total + fee, 0n),
    vsize: transactions.reduce((total, { vsize }) => total + vsize, 0),
  }
}
