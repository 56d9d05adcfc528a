import { estimateFeeRate, type Rpc, readMempoolEntry } from '@kedge/bitcoin'
import { type Anchor, type Chain, equalBytes } from '@kedge/core'
import { links, type SignedRecord, type Store, type Write } from '@kedge/storage'
import { readCoinValue } from './coin-value.ts'
import { type Delivered, deliver, ELSEWHERE, send } from './deliver.ts'
import { BUMP_STEP, ESTIMATE_BLOCKS, feeRate, rateOf } from './fees.ts'
import { type Intent, Intents } from './intents.ts'
import type { CommitmentLog } from './log.ts'
import { isSame, signedAt } from './signed.ts'
import { buildOn, fits, type Price, type Signer, type Stack, tipOf, withAnchor, withoutNewest } from './stack.ts'
import type { Waiting } from './waiting.ts'

/** Default relay takes 25 transactions in a chain (Core before 31, Knots); some room is left for what was not foreseen. */
export const MAX_UNCONFIRMED = 20

export interface AnchorParts extends Signer {
  readonly store: Store
  readonly rpc: Rpc
  readonly log: CommitmentLog
}

/**
 * - `sent`: bitcoind holds everything that is to be sent now
 * - `waiting`: it does not, for this reason; the next call tries again
 * - `conflict`: Bitcoin holds another transaction than this node's under a number that it is bound to. Somebody else
 *   signs with the anchor key, or this store is an old copy: nothing more may be sealed or sent from it
 * - `closed`: the anchor chain has ended
 */
export type AnchorOutcome =
  | { readonly kind: 'sent' }
  | { readonly kind: 'waiting'; readonly reason: string }
  | { readonly kind: 'conflict'; readonly number: number; readonly txid: Uint8Array }
  | { readonly kind: 'closed' }

/** For metrics. */
export interface AnchorStatus {
  /** Anchors in bitcoind's mempool. */
  readonly unconfirmed: number
  /** Blocks that the oldest of them has waited. */
  readonly oldestAge: number
  /** sat/vB that they pay together; 0 without any. */
  readonly feeRate: number
  /** Satoshis that the newest link holds; undefined until it was looked up. */
  readonly linkValue: bigint | undefined
  /** Satoshis that are free in the purse. */
  readonly purse: bigint
  /** The oldest of those that no block holds, for which all are raised. */
  readonly waiting: Waiting | undefined
}

/** What one reconciliation goes by. */
interface Round {
  readonly chain: Chain
  /** sat/vB that all the waiting anchors should pay together. */
  readonly target: number
}

/**
 * Keeps every anchor alive that this node has bound itself to. Order of effects: the intent is on disk before anything
 * is signed for it, a transaction is on disk before bitcoind sees it. So a crash between any two repeats the intent,
 * and never invents a second one.
 *
 * The store and Bitcoin decide everything; what is in memory is a copy. `advance` and the purse's other users must not
 * run at the same time.
 */
export class AnchorKeeper {
  private readonly parts: AnchorParts
  private intents: Intents | undefined
  private stack: Stack | undefined
  private oldestAge = 0
  private oldest: Pick<Waiting, 'name' | 'deadline' | 'isCapped'> | undefined
  /** What the last complete `advance` saw: the same again needs no more than a look. */
  private settled: { readonly hash: Uint8Array; readonly last: number; readonly outcome: AnchorOutcome } | undefined

  constructor(parts: AnchorParts) {
    this.parts = parts
  }

  /** Reads what was stored. Before anything else. */
  async load(): Promise<void> {
    this.intents = await Intents.load(this.parts.store)
    this.holdCoins(0)
  }

  /**
   * Writes that bind this node to an anchor, for the commit that seals its batch. Numbers rise by one.
   * @param originHeight of a batch: its anchor is worth nothing S blocks later
   * @throws Error when the number is bound to another anchor, or out of turn
   */
  intent(number: number, anchor: Anchor, originHeight?: number): Write[] {
    return [this.loaded.propose(number, anchor, originHeight)]
  }

  /** That commit is on disk: the next `advance` sends the anchor. */
  noted(number: number, anchor: Anchor): void {
    this.loaded.noted(number, anchor)
  }

  /** Intents that no block holds yet. At `MAX_UNCONFIRMED` no more should be added. */
  backlog(chain: Chain): number {
    return Math.max(0, this.loaded.last - chain.link.number)
  }

  get status(): AnchorStatus {
    const { stack, oldestAge } = this
    const path = stack?.path ?? []
    const feeRate = path.length === 0 ? undefined : rateOf(path)
    return {
      unconfirmed: path.length,
      oldestAge,
      feeRate: feeRate ?? 0,
      waiting: this.oldest && { kind: 'anchor', ...this.oldest, feeRate },
      linkValue: stack && tipOf(stack).value,
      purse: this.parts.purse.balance,
    }
  }

  /**
   * Brings bitcoind's mempool in line with the intents above the confirmed link: builds what is missing, sends again
   * what fell out, raises what waits too long. Call it after every change of the chain, and as often as you like.
   * @throws RpcUnreachableError; nothing is lost, call again
   */
  async advance(chain: Chain): Promise<AnchorOutcome> {
    const { last } = this.loaded
    const { settled } = this
    const same = settled !== undefined && settled.last === last && equalBytes(settled.hash, chain.hash)
    if (same && (await this.isAlive())) return settled.outcome
    this.settled = undefined
    const outcome = await this.reconcile(chain, last)
    // Bitcoind may come back to this block without the node ever leaving it.
    const passing = outcome.kind === 'waiting' && outcome.reason === ELSEWHERE
    if (!passing) this.settled = { hash: chain.hash, last, outcome }
    return outcome
  }

  private get loaded(): Intents {
    if (this.intents === undefined) throw new Error('load() comes first')
    return this.intents
  }

  /** Whether the mempool still has the newest anchor, and so all of them. */
  private async isAlive(): Promise<boolean> {
    const newest = this.stack?.path.at(-1)
    return newest === undefined || (await readMempoolEntry(this.parts.rpc, newest.txid)) !== undefined
  }

  /** What is not mined yet keeps its coins, in every version: any of them may be mined. */
  private holdCoins(linked: number): void {
    const waiting = this.loaded.all.filter(({ number }) => number > linked)
    this.parts.purse.hold(
      'anchors',
      waiting.flatMap(({ versions }) => versions),
    )
  }

  private async reconcile(chain: Chain, last: number): Promise<AnchorOutcome> {
    const { rpc, fees } = this.parts
    this.loaded.sawLinks(chain.link.number)
    this.holdCoins(chain.link.number)
    this.stack = undefined
    this.oldestAge = 0
    this.oldest = undefined
    if (chain.mode === 'closed') return { kind: 'closed' }
    const foreign = await this.findForeign(chain)
    if (foreign !== undefined) return { kind: 'conflict', ...foreign }
    await this.loaded.forgetBuried(chain.final.number)
    const value = await readCoinValue(rpc, chain.link.outpoint)
    if (value === undefined) return { kind: 'waiting', reason: ELSEWHERE }
    this.stack = { base: { outpoint: chain.link.outpoint, value }, path: [] }
    if (last <= chain.link.number) return { kind: 'sent' }
    const estimate = await estimateFeeRate(rpc, ESTIMATE_BLOCKS, fees.fallback)
    const { age, deadline } = this.timeOf(chain, chain.link.number + 1)
    const round = { chain, target: feeRate(estimate, age, deadline, fees.cap) }
    this.oldest = {
      name: `anchor ${chain.link.number + 1}`,
      deadline: Number.isFinite(deadline) ? chain.height + 1 + deadline - age : undefined,
      isCapped: round.target >= fees.cap,
    }
    const reason = await this.sendAll(round, last)
    await this.raiseNewest(round, this.present)
    if (this.present.path.length > 0) this.oldestAge = age - 1
    return reason === undefined ? { kind: 'sent' } : { kind: 'waiting', reason }
  }

  /** The link under the highest number that both this node and Bitcoin have, where it is not this node's. */
  private async findForeign({ link }: Chain): Promise<{ number: number; txid: Uint8Array } | undefined> {
    const number = Math.min(this.loaded.last, link.number)
    const intent = this.loaded.get(number)
    if (intent === undefined) return undefined
    const txid = number === link.number ? link.outpoint.txid : (await this.parts.store.get(links, number))?.txid
    if (txid === undefined) throw new Error(`the record of link ${number} is missing`)
    return intent.versions.some((version) => equalBytes(version.txid, txid)) ? undefined : { number, txid }
  }

  /**
   * Blocks that an anchor will have waited when the next block holds it, and those it has. A batch's time runs from its
   * origin. Once that is over it has lapsed, with all that stand on it, and haste is pointless.
   */
  private timeOf({ height }: Chain, number: number): { readonly age: number; readonly deadline: number } {
    const { originDepth, staleness } = this.parts.params.windows
    const intent = this.loaded.get(number)
    const origin = intent?.record.originHeight
    const since = origin === undefined ? (intent?.versions[0]?.sentAt ?? height) : origin + originDepth
    const age = Math.max(1, height + 1 - since)
    const deadline = staleness - originDepth
    return { age, deadline: origin !== undefined && age > deadline ? Number.POSITIVE_INFINITY : deadline }
  }

  /** Upwards from the confirmed link. Gives the reason why it came to a stop before the last. */
  private async sendAll(round: Round, last: number): Promise<string | undefined> {
    const linked = round.chain.link.number
    for (let number = linked + 1; number <= Math.min(last, linked + MAX_UNCONFIRMED); number++) {
      const intent = this.loaded.get(number)
      if (intent === undefined) return `link ${number} was another signer's, and a reorganisation took it`
      const step = await this.place(round, this.present, intent)
      if (!step.ok) return step.reason
      this.stack = withAnchor(this.present, step.signed)
    }
    return undefined
  }

  private get present(): Stack {
    if (this.stack === undefined) throw new Error('the confirmed link was not looked up')
    return this.stack
  }

  /** Gets a version of an intent into the mempool: the one that is there or was signed before, else a new one. */
  private async place(round: Round, stack: Stack, intent: Intent): Promise<Delivered> {
    const { target, chain } = round
    return deliver(this.parts, chain.hash, {
      name: nameOf(intent),
      burn: 0n,
      current: await this.choose(stack, intent),
      below: stack.path,
      target,
      sign: (least) => this.sign(round, stack, intent, { target, least }),
    })
  }

  /** Of the versions that fit, the one that bitcoind knows, else the newest. */
  private async choose(stack: Stack, { versions }: Intent): Promise<SignedRecord | undefined> {
    const fitting = versions.filter((version) => fits(stack, version)).reverse()
    for (const version of fitting.length > 1 ? fitting : []) {
      if ((await readMempoolEntry(this.parts.rpc, version.txid)) !== undefined) return version
    }
    return fitting[0]
  }

  /** Signs and stores. The same transaction as before is that one. Undefined when the purse can't pay. */
  private async sign(
    { chain }: Round,
    stack: Stack,
    intent: Intent,
    price: Price,
    replaced?: SignedRecord,
  ): Promise<SignedRecord | undefined> {
    const built = buildOn(stack, this.parts, intent, price, replaced)
    if (built === undefined) return undefined
    const version = signedAt(chain.height, built)
    const known = intent.versions.find((other) => isSame(other, version))
    if (known !== undefined) return known
    await this.loaded.addVersion(intent, version)
    this.holdCoins(chain.link.number)
    return version
  }

  /**
   * Replaces the newest anchor by one that pays for all of them, once they pay too little together; once a block at
   * most. Only the newest: a replacement further down would throw out everything above it.
   */
  private async raiseNewest(round: Round, { path }: Stack): Promise<void> {
    const newest = path.at(-1)
    const intent = this.loaded.get(round.chain.link.number + path.length)
    if (newest === undefined || intent === undefined || newest.sentAt >= round.chain.height) return
    const least = rateOf(path) * BUMP_STEP
    if (least > round.target) return
    const below = withoutNewest(this.present)
    const raised = await this.sign(round, below, intent, { target: round.target, least }, newest)
    if (raised === undefined) {
      this.parts.log.warn({ number: intent.number, target: round.target }, "the purse can't pay to raise the anchors")
    } else if ((await send(this.parts, { name: nameOf(intent), burn: 0n }, raised)).ok) {
      this.stack = withAnchor(below, raised)
      this.parts.log.info({ number: intent.number, rate: rateOf(this.stack.path) }, 'raised the anchors')
    }
  }
}

function nameOf({ number }: Intent): string {
  return `anchor ${number}`
}
