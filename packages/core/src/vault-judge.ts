import { equalBytes } from './bytes.ts'
import type { Chain } from './chain.ts'
import type { Claim } from './claim.ts'
import type { Deposit } from './deposit.ts'
import type { L1Facts } from './facts.ts'
import { comparePositions, type L1Transaction, type Outpoint, outpointKey } from './l1.ts'
import type { Params } from './params.ts'
import {
  maySweep,
  payoutOf,
  plannedVbytes,
  planPayout,
  planSweep,
  sweepBudget,
  sweepOf,
  type VaultPlan,
} from './payout.ts'
import { readMessage } from './tags.ts'
import { isPaid } from './vault.ts'
import { encodeProposal, type PayoutProposal, type SweepProposal, type VaultProposal } from './vault-proposal.ts'

/** What a watcher has derived for itself, up to one block: all that it lets decide what it signs. */
export interface VaultView {
  readonly params: Params
  readonly chain: Pick<Chain, 'height' | 'vault' | 'final'>
  readonly facts: Pick<L1Facts, 'depositAt' | 'unspentDeposits' | 'finalNumber'>
  /** Claims of batches that it has executed and that are final for k blocks; of exit steps that are k deep. */
  readonly payable: readonly PayableClaim[]
}

export interface PayableClaim extends Claim {
  /** Number of its batch; of the last final one, where it is a step's of the exit. */
  readonly batch: number
}

/**
 * - `head`: it spends another output than the vault's head, or the vault has ended
 * - `deposits`: one of them is none, is spent, too young or too old, or out of order
 * - `header`: the tag would name a header that is not final
 * - `claims`: one of them is not owed, not payable yet, paid, or not the header's to owe
 * - `dust`: the vault would be left with dust
 * - `fee`: above what deposits or claims allow, no equal share, or above the cap
 * - `choice`: it is owed, but not what this watcher would propose at that fee rate
 */
export type ProposalRefusal = 'head' | 'deposits' | 'header' | 'claims' | 'dust' | 'fee' | 'choice'

export type ProposalVerdict =
  | { readonly ok: true; readonly plan: VaultPlan }
  | { readonly ok: false; readonly refusal: ProposalRefusal }

/**
 * What another asks this watcher to sign: what it owes, chosen as it would choose itself. All that is left to the asker
 * is the fee rate. Who could leave others out, or name an older header, would have each head pay one claim; watchers who
 * know the same block make the same choice, so there is nothing to bind them to, and no two of them can be set apart.
 * @param cap satoshis for 1,000 virtual bytes, as the rate of a plan
 */
export function judgeAsked(view: VaultView, proposal: VaultProposal, cap: bigint): ProposalVerdict {
  const verdict = judgeProposal(view, proposal, cap)
  if (!verdict.ok) return verdict
  const own = proposeNext(view, [rateOf(view.params, verdict.plan)])
  const isOwn = own !== undefined && equalBytes(encodeProposal(own), encodeProposal(proposal))
  return isOwn ? verdict : refuse('choice')
}

/**
 * Satoshis for 1,000 virtual bytes: the highest rate that gives this fee, so that a plan is found again from it. Whoever
 * could not be paid at the rate that it was made at can't be at this one.
 */
function rateOf(params: Params, { inputs, outputs, fee }: VaultPlan): bigint {
  return (fee * 1000n) / BigInt(plannedVbytes(params, inputs, outputs))
}

/**
 * The transaction that a proposal stands for, to the byte, if this watcher's own state owes it: also where, meanwhile,
 * it would choose another one.
 * @param cap satoshis for 1,000 virtual bytes, as the rate of a plan
 */
export function judgeProposal(view: VaultView, proposal: VaultProposal, cap: bigint): ProposalVerdict {
  const { params, chain } = view
  const isHead = outpointKey(proposal.head) === outpointKey(chain.vault.head)
  if (!isHead || chain.vault.closedAt !== undefined) return refuse('head')
  const verdict = proposal.kind === 'sweep' ? judgeSweep(view, proposal) : judgePayout(view, proposal)
  if (!verdict.ok) return verdict
  return isAbove(params, verdict.plan, cap) ? refuse('fee') : verdict
}

/** Rounding up, to satoshis and to equal shares, adds less than a satoshi for each claim to what the rate asks for. */
function isAbove(params: Params, { inputs, outputs, fee, claims }: VaultPlan, cap: bigint): boolean {
  const rounding = BigInt(Math.max(claims.length, 1))
  return (fee - rounding) * 1000n >= cap * BigInt(plannedVbytes(params, inputs, outputs))
}

function judgeSweep({ params, chain, facts }: VaultView, { deposits, fee }: SweepProposal): ProposalVerdict {
  const due = deposits.flatMap((outpoint) => facts.depositAt(outpoint) ?? [])
  const isDue = due.every((deposit) => maySweep(params, deposit, chain.height + 1))
  if (due.length < deposits.length || !isDue || !isAscending(due)) return refuse('deposits')
  if (fee > sweepBudget(params, due.length)) return refuse('fee')
  return { ok: true, plan: sweepOf(params, chain.vault, due, fee) }
}

function isAscending(deposits: readonly Deposit[]): boolean {
  return deposits.every(
    ({ position }, at) => at === 0 || comparePositions((deposits[at - 1] as Deposit).position, position) < 0,
  )
}

function judgePayout(view: VaultView, { headerHash, claims, fee }: PayoutProposal): ProposalVerdict {
  const { params, chain, facts, payable } = view
  const { final, vault } = chain
  const number = equalBytes(headerHash, final.headerHash) ? final.number : facts.finalNumber(headerHash)
  if (number === undefined) return refuse('header')
  const named = new Set(claims)
  const owed = payable.filter(
    (claim) => named.has(claim.number) && claim.batch <= number && !isPaid(vault.paid, claim.number),
  )
  if (owed.length < claims.length) return refuse('claims')
  const count = BigInt(claims.length)
  const share = fee / count
  if (share * count !== fee || owed.some(({ payoutFee }) => share > payoutFee)) return refuse('fee')
  const plan = payoutOf(params, vault, owed, share, headerHash)
  return plan === undefined ? refuse('dust') : { ok: true, plan }
}

function refuse(refusal: ProposalRefusal): ProposalVerdict {
  return { ok: false, refusal }
}

/**
 * What should be signed next, at the first of the rates at which it can be; undefined where nothing is due. Sweeps and
 * payouts take turns by the vault's number, so that neither waits for ever for the other.
 * @param rates satoshis for 1,000 virtual bytes
 */
export function proposeNext(view: VaultView, rates: readonly bigint[]): VaultProposal | undefined {
  const kinds = [nextSweep, nextPayout]
  if (view.chain.vault.number % 2 === 1) kinds.reverse()
  for (const next of kinds) {
    for (const rate of rates) {
      const proposal = next(view, rate)
      if (proposal !== undefined) return proposal
    }
  }
  return undefined
}

function nextSweep({ params, chain, facts }: VaultView, rate: bigint): VaultProposal | undefined {
  const plan = planSweep(params, chain.vault, facts.unspentDeposits(), chain.height + 1, rate)
  if (plan === undefined) return undefined
  const [head, ...deposits] = plan.inputs.map(({ previous }) => previous) as [Outpoint, ...Outpoint[]]
  return { kind: 'sweep', head, fee: plan.fee, deposits }
}

function nextPayout({ params, chain, payable }: VaultView, rate: bigint): VaultProposal | undefined {
  const { vault, final } = chain
  const plan = planPayout(params, vault, payable, final.headerHash, rate)
  return plan && { kind: 'payout', head: vault.head, fee: plan.fee, headerHash: final.headerHash, claims: plan.claims }
}

/** The proposal that a spend of the head is made of, if it is one; to be judged, and its transaction compared. */
export function readProposal({ chain, facts }: VaultView, transaction: L1Transaction): VaultProposal | undefined {
  const [first, ...others] = transaction.inputs.map(({ previous }) => previous)
  const { head, value } = chain.vault
  if (first === undefined || outpointKey(first) !== outpointKey(head)) return undefined
  const swept = others.flatMap((outpoint) => facts.depositAt(outpoint) ?? [])
  const paid = transaction.outputs.reduce((sum, output) => sum + output.value, 0n)
  const fee = swept.reduce((sum, deposit) => sum + deposit.value, value) - paid
  if (fee < 0n) return undefined
  const tag = readMessage(transaction)
  if (tag?.kind === 'payout') return { kind: 'payout', head, fee, headerHash: tag.headerHash, claims: tag.claims }
  return swept.length === 0 || swept.length < others.length ? undefined : { kind: 'sweep', head, fee, deposits: others }
}
