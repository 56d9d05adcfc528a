import {
  applyUnconfirmed,
  type Built,
  buildAnchor,
  type Coin,
  type Link,
  NO_COINS,
  printOutpoint,
} from '@kedge/bitcoin'
import type { Params } from '@kedge/core'
import type { SignedRecord } from '@kedge/storage'
import { buildPaying, descending, type FeePolicy, firstAffordable } from './fees.ts'
import type { Intent } from './intents.ts'
import type { Purse } from './purse.ts'
import { spentBy, transactionOf } from './signed.ts'

/** Satoshis that a link hands on at least: above the dust limit, and a little for the next one's fee. */
const LINK_FLOOR = 1_000n

/** What one refill pays for at least: it costs half an anchor more, so it should not be needed often. */
const ANCHORS_PER_REFILL = 20
const ANCHOR_VSIZE = 195
const LEAST_REFILL = 20_000n

/** Anchors that no block holds yet, each on the one before it, the lowest on the confirmed link. */
export interface Stack {
  readonly base: Link
  readonly path: readonly SignedRecord[]
}

/** The link that the next anchor spends. */
export function tipOf({ base, path }: Stack): Link {
  const newest = path.at(-1)
  if (newest === undefined) return base
  const next = transactionOf(newest).outputs[1]
  if (next === undefined) throw new Error('an anchor without a next link')
  return { outpoint: { txid: newest.txid, vout: 1 }, value: next.value }
}

export function withAnchor({ base, path }: Stack, anchor: SignedRecord): Stack {
  return { base, path: [...path, anchor] }
}

export function withoutNewest({ base, path }: Stack): Stack {
  return { base, path: path.slice(0, -1) }
}

/** Whether an anchor can stand on the stack: it spends the tip. */
export function fits(stack: Stack, anchor: SignedRecord): boolean {
  const first = transactionOf(anchor).inputs[0]
  return first !== undefined && printOutpoint(first.previous) === printOutpoint(tipOf(stack).outpoint)
}

/** What it takes to sign an anchor. */
export interface Signer {
  readonly params: Params
  /** Of the network's anchor key. */
  readonly secret: Uint8Array
  readonly purse: Purse
  readonly fees: FeePolicy
}

/** What an anchor is to pay, in sat/vB of it and everything below it together. */
export interface Price {
  readonly target: number
  /** What is worth having where the purse can't pay the target. */
  readonly least: number
}

/**
 * An anchor on the stack, or undefined when the purse can't pay even the least for it.
 * @param replaced the version in the mempool that it must be dear enough to replace
 */
export function buildOn(
  stack: Stack,
  signer: Signer,
  intent: Intent,
  price: Price,
  replaced?: SignedRecord,
): Built | undefined {
  const { path } = stack
  const attempts = descending(price.target, price.least).flatMap((rate) =>
    refills(signer, rate).map((refill) => ({ rate, refill })),
  )
  return firstAffordable(attempts, ({ rate, refill }) => {
    const build = (own: number) => sign(stack, signer, intent, own, refill, replaced)
    return buildPaying(build, rate, path, replaced)
  })
}

/** Satoshis to fill a link up to, by preference: what it holds can raise its anchors whatever coins are tied up. */
function refills({ purse, fees }: Signer, rate: number): bigint[] {
  const today = largest(LEAST_REFILL, priceOfRefill(rate))
  const spare = purse.balance / 10n
  const atWorst = priceOfRefill(fees.cap)
  return [largest(today, spare < atWorst ? spare : atWorst), today, LINK_FLOOR]
}

function priceOfRefill(rate: number): bigint {
  return BigInt(Math.ceil(ANCHORS_PER_REFILL * ANCHOR_VSIZE * rate))
}

function largest(a: bigint, b: bigint): bigint {
  return a > b ? a : b
}

function sign(
  stack: Stack,
  { params, secret, purse }: Signer,
  { record, versions }: Intent,
  rate: number,
  refill: bigint,
  replaced: SignedRecord | undefined,
): Built {
  const enough = refill + BigInt(Math.ceil(2 * ANCHOR_VSIZE * rate))
  const coins = [...purse.spendable(versions, enough), ...changeOf(stack, purse.key.script, replaced)]
  const funding = { key: purse.key, coins, feeRate: rate }
  const budget = { floor: LINK_FLOOR, refill }
  return buildAnchor({ params, link: tipOf(stack), payload: record.payload, budget, funding }, secret)
}

/** Change of the anchors below. A replacement must bring in no unconfirmed coin that is new (BIP125, rule 2). */
function changeOf({ path }: Stack, script: Uint8Array, replaced: SignedRecord | undefined): Coin[] {
  const coins = path.reduce((left, anchor) => applyUnconfirmed(left, transactionOf(anchor), script), NO_COINS)
  if (replaced === undefined) return [...coins.values()]
  const spent = spentBy(replaced)
  return [...coins].filter(([outpoint]) => spent.has(outpoint)).map(([, coin]) => coin)
}
