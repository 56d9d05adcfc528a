import { estimateFeeRate, printHash, type Rpc } from '@kedge/bitcoin'
import {
  type FraudClaim,
  isSignedBy,
  parentSigned,
  type Reward,
  type SlashPlan,
  slashByEquivocation,
} from '@kedge/bond'
import { feeRate, type Waiting } from '@kedge/commitment'
import { type Bond, type BondStake, type Chain, type Header, type Params, stakeOf, toHex } from '@kedge/core'
import { FALLBACK_FEE_RATE, type HeldEvidence, type NodeOptions } from '@kedge/node'
import type { Store } from '@kedge/storage'
import { findBatchInnocence, findInnocence, type Witnessed } from './innocence.ts'
import type { KeptTicks } from './kept-ticks.ts'
import { type Broken, PromiseWatch } from './promise-watch.ts'
import { type AskBond, collectVotes, isSlashable, planSlash, sendSlash, slashWithVotes } from './slash.ts'
import type { SlotWatch } from './slot-watch.ts'

export interface GuardParts {
  readonly params: Params
  readonly rpc: Rpc
  /** Gets the rewards. */
  readonly script: Uint8Array
  readonly maxFeeRate: number
  readonly node: Witnessed
  readonly store: Store
  readonly slots: SlotWatch
  readonly kept: KeptTicks
  readonly ask: AskBond
  readonly log: NodeOptions['log']
}

/** Until watchers are asked again for words that were lacking. */
const RETRY_MS = 2000

/** Blocks in which the fee of a slash rises to the cap: others may be after the same reward. */
const PATIENCE = 6

/**
 * Slashes the bond by itself, once this node holds what it takes: two messages of the slot key for one slot, which Script
 * takes; or, with the words of enough watchers, a batch that a bond covered and that is void for a lie, or a promise that
 * was broken. It tries at each block, and at once when the key has given itself away.
 */
export class BondGuard {
  private readonly parts: GuardParts
  private readonly promises: PromiseWatch
  private triedAt = 0
  private askAgainAt = 0
  private broken: Broken | undefined
  private guilty: number | undefined
  /** By the bond's funding: since when it is to be slashed. */
  private readonly since = new Map<string, number>()
  /** Slashes that were due at the last block. */
  private due: Waiting[] = []
  private told = new Set<string>()

  constructor(parts: GuardParts) {
    this.parts = parts
    this.promises = new PromiseWatch(parts)
  }

  /** What a header shows of its parent's slot, wherever the header was seen; anybody can make one up. */
  note(header: Header | undefined): void {
    const { slots, params } = this.parts
    const signed = header && parentSigned(header)
    if (signed === undefined || slots.has(signed) || !isSignedBy(params.keys.slot, signed)) return
    slots.note(signed)
  }

  get waiting(): readonly Waiting[] {
    return this.due
  }

  /** What it would slash a bond for, were there one that answers for it. */
  get evidence(): readonly HeldEvidence[] {
    const { slots } = this.parts
    return [
      ...(slots.secret === undefined ? [] : [{ kind: 'equivocation' as const }]),
      ...(this.broken === undefined ? [] : [{ kind: 'broken-promise' as const, number: this.broken.number }]),
      ...(this.guilty === undefined ? [] : [{ kind: 'void-batch' as const, number: this.guilty }]),
    ]
  }

  /**
   * Slashes what is to be slashed, when the chain stands at another block than the last time; within a block again where
   * words were lacking: watchers read a new block one after another. Order of effects: what was seen is on disk before
   * anything is made of it.
   */
  async act(chain: Chain, signal: AbortSignal): Promise<void> {
    if (await this.write()) this.triedAt = 0
    if (chain.height === this.triedAt && performance.now() < this.askAgainAt) return
    this.triedAt = chain.height
    this.askAgainAt = Number.POSITIVE_INFINITY
    this.due = []
    const bonds = chain.bonds.filter(isSlashable)
    this.broken = await this.promises.find(bonds)
    this.guilty = undefined
    for (const bond of bonds) await this.slash(chain, bond, signal)
    this.tell()
    await this.write()
  }

  /** @returns whether the slot key gave itself away since the last time */
  async write(): Promise<boolean> {
    const { slots, kept, store } = this.parts
    const pair = slots.takeWrites()
    await store.commit([...kept.takeWrites(), ...pair])
    return pair.length > 0
  }

  private async slash(chain: Chain, bond: Bond, signal: AbortSignal): Promise<void> {
    const { secret } = this.parts.slots
    const claim = secret === undefined ? this.findClaim(chain, bond) : undefined
    if (secret === undefined && claim === undefined) return
    this.tell()
    const reward = await this.rewardAt(chain.height, bond)
    const plan = planSlash(this.parts.params, bond, reward)
    const built = secret && slashByEquivocation(plan, secret)
    const voted = claim && (await this.slashByVotes(plan, bond, claim, signal))
    const slash = built ?? voted
    if (slash === undefined) {
      this.askAgainAt = performance.now() + RETRY_MS
      this.due.push(this.waitingFor(bond, reward.feeRate, false))
      return
    }
    const sent = await sendSlash(this.parts.rpc, plan, slash)
    const fields = { bond: printHash(bond.bond.outpoint.txid), for: claim?.kind ?? 'equivocation', ...sent }
    this.due.push(this.waitingFor(bond, reward.feeRate, sent.ok))
    if (sent.ok) this.parts.log.warn(fields, 'the bond is being slashed')
    else this.parts.log.info(fields, 'the slash was not taken: somebody else may have been faster')
  }

  /** Once for each thing that it holds. */
  private tell(): void {
    const { log } = this.parts
    const held = this.evidence.map((one) => ({
      ...one,
      ...(one.kind === 'broken-promise' && { breach: this.broken?.breach }),
    }))
    for (const one of held.filter((each) => !this.told.has(JSON.stringify(each)))) log.warn(one, TOLD[one.kind])
    this.told = new Set(held.map((one) => JSON.stringify(one)))
  }

  /** Until T: then the bond may go home. */
  private waitingFor({ bond, fundedAt }: Bond, rate: number, isSent: boolean): Waiting {
    const { params, maxFeeRate } = this.parts
    const name = `the slash of bond ${printHash(bond.outpoint.txid)}`
    const deadline = params.bond && fundedAt + params.bond.returnDelay - 1
    return { kind: 'slash', name, deadline, feeRate: isSent ? rate : undefined, isCapped: rate >= maxFeeRate }
  }

  private async slashByVotes(plan: SlashPlan, bond: Bond, claim: FraudClaim, signal: AbortSignal) {
    const votes = await collectVotes(this.parts.ask, { bond, claim, plan }, signal)
    const { signatures, refusals } = votes
    this.parts.log.info(
      { for: claim.kind, signatures: signatures.length, refusals },
      'watchers were asked for their word',
    )
    return slashWithVotes(plan, votes)
  }

  /** The newest batch that the bond answers for, or a promise. */
  private findClaim(chain: Chain, bond: Bond): FraudClaim | undefined {
    const number = this.findGuilty(chain, bond)
    this.guilty ??= number
    if (number !== undefined) return { kind: 'batch', number }
    const { params, node } = this.parts
    const claim = this.broken?.claim
    return claim !== undefined && findInnocence(params, node, bond, claim) === undefined ? claim : undefined
  }

  private findGuilty(chain: Chain, bond: Bond): number | undefined {
    const { params, node } = this.parts
    for (let number = chain.link.number; number > 0; number--) {
      const link = node.link(number)
      if (link !== undefined && link.height < bond.fundedAt) return undefined
      if (findBatchInnocence(params, chain, bond, link) === undefined) return number
    }
    return undefined
  }

  /** The fee rises up to what the reward leaves: whoever slashes must be left with something. */
  private async rewardAt(height: number, bond: Bond): Promise<Reward> {
    const { params, rpc, script, maxFeeRate } = this.parts
    const name = toHex(bond.bond.outpoint.txid)
    const since = this.since.get(name) ?? height
    this.since.set(name, since)
    const estimate = await estimateFeeRate(rpc, 1, FALLBACK_FEE_RATE)
    const most = Math.min(maxFeeRate, mostOf(stakeOf(params, bond)))
    return { script, feeRate: feeRate(estimate, height - since, PATIENCE, most) }
  }
}

const TOLD: Readonly<Record<HeldEvidence['kind'], string>> = {
  equivocation: 'the sequencer signed two messages for one slot: whoever has both has its key',
  'broken-promise': 'the sequencer broke a promise that it signed',
  'void-batch': 'a batch that the bond answers for is void for a lie, or for data that nobody showed',
}

/** No slash is larger. */
const SLASH_VSIZE = 600
const DUST = 330n

/** sat/vB that a reward can pay, and be worth sending. */
function mostOf({ bond, detectors, forfeit }: BondStake): number {
  const left = detectors.reduce((sum, { value }) => sum + value, bond.value) - forfeit.value - DUST
  return Math.max(1, Number(left) / SLASH_VSIZE)
}
