import type { AnchorKeeper } from '@kedge/commitment'
import { equalBytes, GENESIS_ROOT, type Origin, type SlotFields } from '@kedge/core'
import type { NodeParts } from '@kedge/node'
import { intendBatch, intendResume } from './anchoring.ts'
import { type Added, type Candidate, resolveRecipient, type Unready } from './candidate.ts'
import { Carried } from './carry.ts'
import { type Certifying, sealGrown } from './certify.ts'
import { findNextDue, isSilent } from './demand.ts'
import { readJournal } from './journal.ts'
import type { OpenBatch } from './open-batch.ts'
import { openAgain, openAt, openNew } from './opening.ts'
import type { OwnLinks } from './own-links.ts'
import { type Plan, planAhead } from './plan.ts'
import { isFull, mayAnchor, mayGrow } from './room.ts'
import { SealError, type Sealing, sealBatch, type Tamper } from './seal.ts'
import type { Slots } from './slots.ts'
import { findUnreadiness, isAging, isAtHead, isCoveredLong, lapses, mayEnd, nameOrigin, stands } from './standing.ts'
import type { Surplus, Ticks } from './ticks.ts'

export interface ProducerParts {
  readonly node: NodeParts
  readonly own: OwnLinks
  readonly keeper: AnchorKeeper
  readonly slots: Slots
  readonly sealAfterMs: number
  /** Where watchers vouch for batches above the cap. */
  readonly certifying?: Certifying
  readonly tamper?: Tamper
}

/**
 * Builds batches on the ledger: opens, fills, seals, and after a void goes on from the head with whatever was lost.
 * `reconcile` and `rolledBack` are called by the node's one loop, `add` by whoever takes transfers in.
 */
export class Producer {
  private readonly parts: ProducerParts
  private readonly carried: Carried
  /** The batch that takes transfers, with its promises. */
  private open: Ticks | undefined
  private unready: Unready | undefined = 'syncing'
  private nextGroup = 0
  private restored = false
  /** The ledger, or the batch that is open on it, is being changed: nobody adds meanwhile. */
  private turn: Promise<void> | undefined
  /** A batch was sealed and could not be written: memory is ahead of the disk, so the node must end. */
  private failure: Error | undefined
  /** The head's origin height: a child's is no lower. */
  private originFloor = 0

  constructor(parts: ProducerParts) {
    this.parts = parts
    this.carried = new Carried({
      node: parts.node,
      own: parts.own,
      add: (candidate) => this.place(candidate, () => undefined),
    })
  }

  /** The batch that takes transfers now, with its promises. */
  get openBatch(): Ticks | undefined {
    return this.open
  }

  /** Why transfers of others aren't taken now. */
  get reason(): Unready | undefined {
    return this.unready
  }

  plan(): Plan {
    const { follower } = this.parts.node
    const { own, slots } = this.parts
    const { number } = follower.chain.link
    const isLapsing = (origin: Origin) => lapses(follower, origin)
    const plan = planAhead(follower.chain, own.after(number), isLapsing, own.takenUpTo(number))
    // A batch without a table can promise nothing: a resume fixes one.
    const isBlocked = plan.mode === 'active' && !slots.has(plan.lastNumber + 1)
    return isBlocked ? { ...plan, mode: 'broken' } : plan
  }

  /** Takes a transfer of others. */
  add(candidate: Candidate): Promise<Added> {
    return this.place(candidate, () => this.unready)
  }

  /** Takes a transfer of others if that needs no waiting. */
  tryAdd(candidate: Candidate): Added | undefined {
    return this.placeNow(candidate, this.unready)
  }

  /** Brings the producer in line with Bitcoin. The node's loop calls it at Bitcoin's tip. */
  async reconcile(signal: AbortSignal): Promise<void> {
    this.throwIfFailed()
    await this.inTurn(() => this.move(signal))
    const { executor } = this.parts.node
    let plan = this.plan()
    const reason = findUnreadiness(executor, plan)
    if (reason !== undefined) this.unready = reason
    for (; plan.mode === 'broken' && isAtHead(executor, plan); plan = this.plan()) await intendResume(this.parts, plan)
    if (reason !== undefined) return
    await this.parts.slots.make(plan.lastNumber + 1)
    await this.restore()
    this.unready = !this.mayPromise(plan) ? 'chain-broken' : (await this.carry()) ? undefined : 'overloaded'
    if (this.open === undefined && this.isCalledFor()) this.begin()
    if (this.open !== undefined && this.isRipe(this.open) && mayAnchor(this.parts)) await this.seal()
  }

  /** Keeps the ledger at Bitcoin's tip, and signs nothing: in place of `reconcile`, before its first call. */
  async follow(signal: AbortSignal): Promise<void> {
    await this.inTurn(() => this.move(signal))
  }

  /** The chain stands at a fork: the ledger goes back to it, without the open batch where that lost its place. */
  async rolledBack(): Promise<void> {
    this.unready ??= 'syncing'
    await this.inTurn(async () => {
      await this.dropMisplaced()
      await this.parts.node.executor.rolledBack()
    })
  }

  /**
   * For a clean stop: takes nothing more, puts on disk what was accepted, and takes the open batch off the ledger. The
   * next start takes it up again.
   */
  async close(): Promise<void> {
    this.unready = 'syncing'
    await this.inTurn(async () => {
      this.throwIfFailed()
      await this.open?.finish()
      await this.open?.batch.abandon()
      this.open = undefined
    })
  }

  /** One after another. Whoever waits for a turn finds it over when he wakes. */
  private inTurn(work: () => Promise<void>): Promise<void> {
    const before = this.turn
    const mine = (async () => {
      await before
      await work()
    })().finally(() => {
      if (this.turn === mine) this.turn = undefined
    })
    this.turn = mine
    return mine
  }

  private throwIfFailed(): void {
    const failure = this.failure ?? this.open?.failure
    if (failure !== undefined) throw failure
  }

  /** Moves the ledger along Bitcoin. */
  private async move(signal: AbortSignal): Promise<void> {
    const { node, tamper } = this.parts
    const { executor, data, follower } = node
    await this.dropMisplaced()
    await executor.advance(signal)
    const header = await data.header(executor.head.headerHash)
    const isBatchs = tamper === undefined && !executor.hasExited
    if (isBatchs && !equalBytes(executor.ledger.root, header?.post ?? GENESIS_ROOT))
      throw new Error(
        `the ledger is not in the state that batch ${executor.head.number} ends with: its record is damaged`,
      )
    this.originFloor = header?.origin.height ?? follower.court.params.scanHeight
    const plan = this.plan()
    await this.carried.noteRevived(plan)
    // Before anybody who waits for this turn adds what a transfer that was accepted earlier can't stand beside.
    if (this.carried.isWaiting(plan)) this.unready ??= 'overloaded'
  }

  /**
   * Adds the next transfer to the open batch; opens one where there is none, and seals a full one first.
   * @param findRefusal asked before each step: what it says may change while this waits
   */
  private async place(candidate: Candidate, findRefusal: () => Unready | undefined): Promise<Added> {
    for (;;) {
      const placed = this.placeNow(candidate, findRefusal())
      if (placed !== undefined) return placed
      await (this.turn ?? this.makeRoom())
    }
  }

  /** Undefined where a turn is under way, or the open batch is to be sealed first. */
  private placeNow(candidate: Candidate, code: Unready | undefined): Added | undefined {
    this.throwIfFailed()
    if (code !== undefined) return { ok: false, code }
    if (this.turn !== undefined) return undefined
    if (this.open === undefined && !this.begin()) return { ok: false, code: 'syncing' }
    const { open } = this
    if (open === undefined) return undefined
    if (!isFull(this.parts, open)) return this.addNow(open, candidate)
    return !mayAnchor(this.parts) && !mayGrow(this.parts, open) ? { ok: false, code: 'overloaded' } : undefined
  }

  private addNow(promises: Ticks, candidate: Candidate): Added {
    const { operation, bytes, id, signedBy } = resolveRecipient(this.parts.node.executor, candidate)
    const refusal = promises.batch.add(operation, bytes, id, signedBy)
    return refusal === undefined
      ? { ok: true, promises, index: promises.batch.count - 1 }
      : { ok: false, code: refusal }
  }

  /** False where nothing can stand: the ledger is not at the head, or Bitcoin's tip not far enough above its origin. */
  private begin(): boolean {
    const { network, follower, executor } = this.parts.node
    const plan = this.plan()
    const origin = nameOrigin(follower, this.originFloor)
    if (findUnreadiness(executor, plan) !== undefined || !isCoveredLong(follower)) return false
    if (origin === undefined) return false
    const number = plan.lastNumber + 1
    if (!this.parts.slots.isOpen(number)) return false
    this.open = openNew(this.parts, { network, number, parent: plan.head.headerHash, origin }, this.nextGroup)
    return true
  }

  private seal(): Promise<void> {
    return this.inTurn(() => this.sealNow())
  }

  /** A full batch grows, where that may be; else it is sealed. */
  private makeRoom(): Promise<void> {
    return this.inTurn(async () => {
      const { open } = this
      if (open === undefined || !mayGrow(this.parts, open) || !(await open.grow())) await this.sealNow()
    })
  }

  /**
   * Order of effects: everything accepted is on disk and promised, while its steps are hashed; then one synced commit of
   * batch, intent and emptied journal; only then is the batch the head, announced, and its anchor sent.
   */
  private async sealNow(): Promise<void> {
    // A block may have come since it was found ripe.
    await this.dropMisplaced()
    const { open } = this
    if (open === undefined) return
    const { node } = this.parts
    const { built, honest } = await this.writeSealed(open)
    const { number, origin, opCount } = built.header
    this.nextGroup = open.nextGroup
    this.open = undefined
    if (open.surplus !== undefined) this.takeSurplus(open.surplus)
    this.originFloor = origin.height
    await node.executor.adopt({ number, headerHash: built.hash }, honest)
    node.options.log.info({ number, operations: opCount }, 'sealed')
    node.news.ring()
    node.host
      .announce(built.bytes)
      .catch((error: unknown) => node.options.log.info({ err: error }, 'nobody was told of the batch: Bitcoin will'))
  }

  private async writeSealed(open: Ticks): Promise<Sealing> {
    const { number, parent } = open.batch.place
    try {
      const sealing = await this.sealOpen(open, this.parts.slots.fieldsOf(number, parent))
      await intendBatch(this.parts, sealing)
      return sealing
    } catch (cause) {
      this.failure = new SealError(number, { cause })
      throw this.failure
    }
  }

  /** What was taken without a promise and has no place in the batch: nobody comes before it. */
  private takeSurplus({ operations, groups }: Surplus): void {
    this.unready ??= 'overloaded'
    this.carried.take(operations, groups)
  }

  private sealOpen(open: Ticks, fields: Promise<SlotFields>): Promise<Sealing> {
    const { node, tamper, certifying } = this.parts
    if (certifying !== undefined && open.batch.isGrown)
      return sealGrown({ node, certifying, openAt: (place) => openAt(this.parts, place) }, open, fields)
    return sealBatch(open, node, tamper, fields)
  }

  /**
   * An open batch can lose its parent, its number or its origin, and then never become what was promised: its transfers
   * go, in order, into the next one. An empty one only ages, and makes way for one that credits newer deposits.
   */
  private async dropMisplaced(): Promise<void> {
    const { open } = this
    if (open === undefined || this.stands(open.batch)) return
    await open.finish()
    this.nextGroup = open.nextGroup
    if (open.batch.count > 0) {
      this.unready ??= 'syncing'
      this.carried.take(open.batch.operations, open.groups)
      const fields = { number: open.batch.place.number, operations: open.batch.count }
      this.parts.node.options.log.warn(fields, 'the open batch lost its place: its transfers go into the next one')
    }
    await open.batch.abandon()
    this.open = undefined
  }

  /** What is promised already is sealed and anchored all the same. */
  private mayPromise(plan: Plan): boolean {
    const { follower } = this.parts.node
    return isCoveredLong(follower) && !mayEnd(follower) && !this.isAging(plan)
  }

  /** Whether something promised that is not anchored has not long to live: the oldest of it goes first. */
  private isAging({ oldest }: Plan): boolean {
    const origin = oldest ?? this.open?.batch.place.origin
    return origin !== undefined && isAging(this.parts.node.follower, origin)
  }

  private stands(batch: OpenBatch): boolean {
    return stands(this.parts.node.follower, this.plan(), batch, this.originFloor)
  }

  /** Once after a start: the batch that was open goes on where its promises were left, if it still has its place. */
  private async restore(): Promise<void> {
    if (this.restored) return
    this.restored = true
    const contents = await readJournal(this.parts.node.store)
    this.nextGroup = contents.nextSequence
    this.open = await openAgain(this.parts, contents, (batch) => this.stands(batch))
    const first = this.open === undefined ? this.nextGroup : (contents.open?.firstGroup ?? 0)
    const stale = contents.groups.filter(({ sequence }) => sequence < first)
    this.carried.take(
      stale.flatMap(({ operations }) => operations),
      stale.map(({ sequence }) => sequence),
    )
  }

  /** False while there is no room for what was accepted before. */
  private async carry(): Promise<boolean> {
    const plan = this.plan()
    if (!this.carried.isWaiting(plan)) return true
    if (this.open === undefined && !this.begin()) return false
    // A batch credits only so many deposits; a transfer that spends a later one would be refused for good.
    if (findNextDue(this.parts.node)?.kind === 'deposit') return false
    if (this.open !== undefined && isFull(this.parts, this.open) && !mayAnchor(this.parts)) return false
    return await this.carried.unload(plan)
  }

  /** Whether a batch is wanted that nobody's transfer asks for. */
  private isCalledFor(): boolean {
    return findNextDue(this.parts.node) !== undefined || isSilent(this.parts.node, this.plan())
  }

  private isRipe(open: Ticks): boolean {
    if (isFull(this.parts, open) && !mayGrow(this.parts, open)) return true
    const plan = this.plan()
    const isOld = performance.now() - open.batch.openedAt >= this.parts.sealAfterMs || this.isAging(plan)
    return isOld && (open.batch.count > 0 || isSilent(this.parts.node, plan))
  }
}
