import { anchorScript, dataCarrierScript, type L1Output, type Outpoint, type Params } from '@kedge/core'
import { type Built, build, buildFunded, type Funding, feeOf, type Spend } from './transaction.ts'

/** A link of the anchor chain that is not spent yet. */
export interface Link {
  readonly outpoint: Outpoint
  /** Satoshis. */
  readonly value: bigint
}

/** Satoshis that links hold, to pay their own fees from. */
export interface LinkBudget {
  /** A link never hands on less than this; at least the dust limit. */
  readonly floor: bigint
  /** What a link is filled up to when it can't pay any more. */
  readonly refill: bigint
}

/** What the next link says, and what pays for it. */
export interface LinkPlan {
  readonly params: Params
  readonly link: Link
  /** Of a batch or resume message. */
  readonly payload: Uint8Array
  readonly budget: LinkBudget
  /** Its coins are touched only when the link can't pay. */
  readonly funding: Funding
}

export interface BuiltLink extends Built {
  readonly next: Link
}

/**
 * Spends the link as input 0, with the payload at vout 0 and the next link at vout 1 (spec §6: anything else closes
 * the chain). @throws InsufficientFundsError
 */
export function buildLink(plan: LinkPlan, spend: Spend): BuiltLink {
  const { link, budget, funding } = plan
  const fee = feeOf([spend], outputs(plan, link.value), funding.feeRate)
  const remaining = link.value - fee
  if (remaining >= budget.floor) return withNext(build([spend], outputs(plan, remaining)), remaining)
  const refilled = link.value > budget.refill ? link.value : budget.refill
  return withNext(buildFunded([spend], outputs(plan, refilled), funding), refilled)
}

function outputs({ params, payload }: LinkPlan, next: bigint): L1Output[] {
  return [
    { script: dataCarrierScript(payload), value: 0n },
    { script: anchorScript(params), value: next },
  ]
}

function withNext(built: Built, value: bigint): BuiltLink {
  return { ...built, next: { outpoint: { txid: built.txid, vout: 1 }, value } }
}
