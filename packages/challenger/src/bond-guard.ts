import { type Built, estimateFeeRate, printHash, type Rpc } from '@kedge/bitcoin'
import {
  isSignedBy,
  noteSignature,
  parentSigned,
  type Reward,
  type Signatures,
  type SlashPlan,
  slashByEquivocation,
} from '@kedge/bond'
import { feeRate, type Waiting } from '@kedge/commitment'
import { type Bond, type BondStake, type Chain, type Header, type Params, stakeOf, toHex } from '@kedge/core'
import { FALLBACK_FEE_RATE, type NodeOptions } from '@kedge/node'
import type { LinkRecord } from '@kedge/storage'
import { findBatchInnocence } from './innocence.ts'
import { type AskBond, collectVotes, isSlashable, planSlash, sendSlash, slashWithVotes } from './slash.ts'

export interface GuardParts {
  readonly params: Params
  readonly rpc: Rpc
  /** Gets the rewards. */
  readonly script: Uint8Array
  readonly maxFeeRate: number
  /** Links from the newest down. */
  readonly links: () => Iterable<LinkRecord>
  readonly ask: AskBond
  readonly log: NodeOptions['log']
}

/** Messages of the slot key that are remembered: two for one slot are what it looks for. */
const MAX_SIGNED = 100_000

/** Until watchers are asked again for words that were lacking. */
const RETRY_MS = 2000

/** Blocks in which the fee of a slash rises to the cap: others may be after the same reward. */
const PATIENCE = 6

/**
 * Slashes the bond by itself, once this node holds what it takes: two messages of the slot key for one slot; or a batch
 * that a bond covered and that is void for a lie, with the words of enough watchers. It tries at each block.
 */
export class BondGuard {
  private readonly parts: GuardParts
  private readonly seen: Signatures = new Map()
  private slotSecret: Uint8Array | undefined
  private triedAt = 0
  private askAgainAt = 0
  /** By the bond's funding: since when it is to be slashed. */
  private readonly since = new Map<string, number>()
  /** Slashes that were due at the last block. */
  private due: Waiting[] = []

  constructor(parts: GuardParts) {
    this.parts = parts
  }

  /** What a header shows of its parent's slot, wherever the header was seen; anybody can make one up. */
  note(header: Header | undefined): void {
    const signed = header && parentSigned(header)
    const key = this.parts.params.keys.slot
    if (this.slotSecret !== undefined || signed === undefined || !isSignedBy(key, signed)) return
    this.slotSecret = noteSignature(this.seen, key, signed)
    if (this.slotSecret !== undefined) this.parts.log.warn('the sequencer signed two messages for one slot')
    const oldest = this.seen.keys().next()
    if (this.seen.size > MAX_SIGNED && oldest.done !== true) this.seen.delete(oldest.value)
  }

  get waiting(): readonly Waiting[] {
    return this.due
  }

  /**
   * Slashes what is to be slashed, when the chain stands at another block than the last time; within a block again where
   * words were lacking: watchers read a new block one after another.
   */
  async act(chain: Chain, signal: AbortSignal): Promise<void> {
    if (chain.height === this.triedAt && performance.now() < this.askAgainAt) return
    this.triedAt = chain.height
    this.askAgainAt = Number.POSITIVE_INFINITY
    this.due = []
    for (const bond of chain.bonds.filter(isSlashable)) await this.slash(chain, bond, signal)
  }

  private async slash(chain: Chain, bond: Bond, signal: AbortSignal): Promise<void> {
    const guilty = this.slotSecret === undefined ? this.findGuilty(chain, bond) : undefined
    if (this.slotSecret === undefined && guilty === undefined) return
    const reward = await this.rewardAt(chain.height, bond)
    const plan = planSlash(this.parts.params, bond, reward)
    const built =
      guilty === undefined ? this.slashByKey(plan) : await this.slashByVotes(plan, bond, guilty.number, signal)
    if (built === undefined) {
      this.askAgainAt = performance.now() + RETRY_MS
      this.due.push(this.waitingFor(bond, reward.feeRate, false))
      return
    }
    const sent = await sendSlash(this.parts.rpc, plan, built)
    const fields = { bond: toHex(bond.bond.outpoint.txid), batch: guilty?.number, ...sent }
    this.due.push(this.waitingFor(bond, reward.feeRate, sent.ok))
    if (sent.ok) this.parts.log.warn(fields, 'the bond is being slashed')
    else this.parts.log.info(fields, 'the slash was not taken: somebody else may have been faster')
  }

  /** Until T: then the bond may go home. */
  private waitingFor({ bond, fundedAt }: Bond, rate: number, isSent: boolean): Waiting {
    const { params, maxFeeRate } = this.parts
    const name = `the slash of bond ${printHash(bond.outpoint.txid)}`
    const deadline = params.bond && fundedAt + params.bond.returnDelay - 1
    return { kind: 'slash', name, deadline, feeRate: isSent ? rate : undefined, isCapped: rate >= maxFeeRate }
  }

  private slashByKey(plan: SlashPlan): Built | undefined {
    return this.slotSecret && slashByEquivocation(plan, this.slotSecret)
  }

  private async slashByVotes(plan: SlashPlan, bond: Bond, number: number, signal: AbortSignal) {
    const votes = await collectVotes(this.parts.ask, { bond, claim: { kind: 'batch', number }, plan }, signal)
    const { signatures, refusals } = votes
    this.parts.log.info({ number, signatures: signatures.length, refusals }, 'watchers were asked for their word')
    return slashWithVotes(plan, votes)
  }

  /** The newest batch that the bond answers for. */
  private findGuilty(chain: Chain, bond: Bond): LinkRecord | undefined {
    for (const link of this.parts.links()) {
      if (link.height < bond.fundedAt) return undefined
      if (findBatchInnocence(this.parts.params, chain, bond, link) === undefined) return link
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

/** No slash is larger. */
const SLASH_VSIZE = 600
const DUST = 330n

/** sat/vB that a reward can pay, and be worth sending. */
function mostOf({ bond, detectors, forfeit }: BondStake): number {
  const left = detectors.reduce((sum, { value }) => sum + value, bond.value) - forfeit.value - DUST
  return Math.max(1, Number(left) / SLASH_VSIZE)
}
