import {
  type AnchoredLink,
  type BatchContext,
  type BatchFault,
  type Checked,
  type CommittedBatch,
  checkBatch,
  decodeHeader,
  encodeEvidence,
  encodeWhole,
  equalBytes,
  findFirstDifference,
  type Header,
  hasLapsed,
  headerHash,
  isExit,
  isVouchedFor,
  isZero,
  judgeHeader,
  Ledger,
  merkleRoot,
  type Params,
  type Position,
  proveEnd,
  proveStep,
  type SealedBatch,
  stepLeaves,
  ZERO_HASH,
} from '@kedge/core'
import type { Verifier } from '@kedge/signatures'
import { deltas, headers, idles, type Store, steps, verdicts, type Write } from '@kedge/storage'
import { readAncestry } from './ancestry.ts'
import { ClaimIndex } from './claim-index.ts'
import type { BatchBody, BatchData } from './data.ts'
import { type ExitEntry, ExitSteps } from './exit-steps.ts'
import type { Follower } from './follow.ts'
import type { BatchLink } from './links.ts'
import { MissingBatches, type Pending } from './missing.ts'
import { OwnerIndex } from './owners.ts'
import { checkSignatures } from './presign.ts'
import { type Head, Snapshot } from './snapshot.ts'

/** A batch that this node found faulty. It follows no further until Bitcoin shows the batch void. */
export interface Rejection extends Head {
  readonly fault: string
  /** What to put on Bitcoin; undefined while the committed step roots, which it needs, are hidden. */
  readonly evidence: Uint8Array | undefined
}

export interface ExecutorParts {
  readonly store: Store
  readonly follower: Follower
  readonly data: BatchData
  readonly verifier: Verifier
  /** Batches of this node's own, sealed and not anchored yet: the ledger goes on along them behind the anchored ones. */
  readonly ownTail: () => readonly Head[]
}

/**
 * Moves the ledger along the live batches: back over what is void, forward over what checks. It acts on nothing but
 * what the follower derived from Bitcoin.
 */
export class Executor {
  private readonly parts: ExecutorParts
  private readonly snapshot: Snapshot
  readonly ledger = new Ledger()
  readonly owners: OwnerIndex
  readonly claims: ClaimIndex
  private readonly exit: ExitSteps
  head: Head = { number: 0, headerHash: ZERO_HASH }
  rejection: Rejection | undefined
  /** Batches whose data nobody at hand has: the ledger stops at the first one. */
  missing: readonly Pending[] = []
  private readonly behind: MissingBatches
  /** Up to this number the live batches were found not to have lapsed. Only a rollback changes that. */
  private inTime = 0
  /** How many batches were taken back since the start. */
  undone = 0

  constructor(parts: ExecutorParts) {
    this.parts = parts
    this.owners = new OwnerIndex(this.ledger.tree)
    this.snapshot = new Snapshot(parts.store, this.ledger)
    this.behind = new MissingBatches(parts)
    this.claims = new ClaimIndex(parts.store)
    const { follower } = parts
    const { ledger, owners, claims } = this
    this.exit = new ExitSteps({ follower, ledger, owners, claims, contextOf: (place) => this.contextOf(place) })
  }

  /** Whether Bitcoin alone has moved the ledger on, behind the last batch of a chain that has ended. */
  get hasExited(): boolean {
    return this.exit.isUnderWay
  }

  /** What became of what was forced at a position, behind the last batch. */
  exitEntry(position: Position): ExitEntry | undefined {
    return this.exit.find(position)
  }

  get pending(): Pending | undefined {
    return this.missing[0]
  }

  /** Loads the last snapshot; `advance` replays the rest. */
  async load(): Promise<void> {
    this.head = (await this.snapshot.load()) ?? this.head
    await this.rolledBack()
    const { links } = this.parts.follower
    const { number: last } = this.head
    await this.claims.load(({ number, headerHash: hash }) => number <= last && links.isLive(number, hash))
    this.claims.expectCount(this.ledger.totals.withdrawals)
  }

  /**
   * The follower went back to a fork, and must not go on before this: batches that left the chain there may come back
   * on another parent, and a ledger that still held them would take them for its own. So the snapshot goes back too.
   * What was found of a batch may not hold any more either: its origin's depth, its parent.
   */
  async rolledBack(): Promise<void> {
    this.rejection = undefined
    this.inTime = 0
    if (await this.retreat()) await this.flush()
  }

  /** Moves as far as Bitcoin, data and faults allow. */
  async advance(signal: AbortSignal): Promise<void> {
    await this.retreat()
    this.missing = []
    for (let next = this.next(); next !== undefined && !signal.aborted; next = this.next()) {
      if (!(await this.enter(next, signal))) return
    }
    for (const own of this.parts.ownTail()) if (own.number > this.head.number) await this.redoOwn(own)
    await this.findLapsed()
    await this.goOnWithoutBatches()
  }

  private async goOnWithoutBatches(): Promise<void> {
    const { chain } = this.parts.follower
    if (!isExit(chain) || !equalBytes(this.head.headerHash, chain.final.headerHash)) return
    // From the first step on the ledger is no batch's, and the snapshot stays that of the last one.
    await this.flush()
    this.exit.advance()
  }

  /** Whether every live batch is in the ledger, and every step of the exit. */
  get isCaughtUp(): boolean {
    return (
      this.exit.isDone &&
      this.rejection === undefined &&
      this.pending === undefined &&
      this.parts.follower.links.nextLive(this.head.number) === undefined
    )
  }

  /** What surrounds operations of a batch with this origin. */
  contextOf(header: Pick<Header, 'origin'>): BatchContext {
    const { params, network, facts, isSigned } = this.parts.follower.court
    return { params, network, facts, isSigned, origin: header.origin, originHeight: header.origin.height }
  }

  /**
   * Writes that record a batch which this node has executed: with its data, in the caller's one commit.
   * @param kept writes that keep its operations; its step roots as a whole part
   */
  writesOf(
    hash: Uint8Array,
    headerBytes: Uint8Array,
    sealed: SealedBatch,
    kept: { readonly operations: readonly Write[]; readonly steps: Uint8Array },
  ): Write[] {
    return [
      headers.put(hash, headerBytes),
      ...kept.operations,
      steps.put(hash, kept.steps),
      deltas.put(hash, sealed.delta),
      ...idleOf(hash, sealed),
      verdicts.put(hash, { verdict: 'checked' }),
      ...ClaimIndex.writesOf({ number: (decodeHeader(headerBytes) as Header).number, headerHash: hash }, sealed.claims),
    ]
  }

  /** After the commit of a batch that was built on this ledger: it is the head now. */
  async adopt(head: Head, sealed: SealedBatch): Promise<void> {
    this.head = head
    this.claims.append(head, sealed.claims)
    await this.snapshot.changed(head, sealed.delta)
  }

  /** Writes what the next start would have to replay. */
  async flush(): Promise<void> {
    if (!this.exit.isUnderWay) await this.snapshot.flush(this.head)
  }

  private next(): BatchLink | undefined {
    const next = this.parts.follower.links.nextLive(this.head.number)
    if (
      this.rejection !== undefined &&
      !this.parts.follower.links.isLive(this.rejection.number, this.rejection.headerHash)
    )
      this.rejection = undefined
    return next
  }

  /** Back to the last batch that is live (or this node's own and not anchored yet). Whether there was anything to undo. */
  private async retreat(): Promise<boolean> {
    const { store, data, follower, ownTail } = this.parts
    this.exit.retreat()
    const from = this.head
    const isOwn = ({ number, headerHash }: Head) =>
      ownTail().some((own) => own.number === number && equalBytes(own.headerHash, headerHash))
    while (
      this.head.number > 0 &&
      !follower.links.isLive(this.head.number, this.head.headerHash) &&
      !isOwn(this.head)
    ) {
      const header = await data.header(this.head.headerHash)
      const delta = await store.get(deltas, this.head.headerHash)
      const parent = header && (await data.header(header.parent))
      if (header === undefined || delta === undefined || (parent === undefined && !isZero(header.parent)))
        throw new Error(`the record of batch ${this.head.number}, which is to be undone, is missing`)
      this.ledger.undo(delta)
      this.undone++
      this.claims.truncate(this.ledger.totals.withdrawals)
      this.head = { number: parent?.number ?? 0, headerHash: header.parent }
      await this.snapshot.changed(this.head, delta)
    }
    return this.head !== from
  }

  /** Whether looking at a rejected batch again could give more than before. */
  private async isSettled(link: BatchLink, signal: AbortSignal): Promise<boolean> {
    if (this.rejection === undefined || !equalBytes(this.rejection.headerHash, link.headerHash)) return false
    return (
      this.rejection.evidence !== undefined || (await this.parts.data.stepRoots(link.headerHash, signal)) === undefined
    )
  }

  private async enter(link: BatchLink, signal: AbortSignal): Promise<boolean> {
    if (await this.isSettled(link, signal)) return false
    const { store, data, follower } = this.parts
    const { end, ...shown } = await readAncestry(this.parts, link.number, this.head.headerHash)
    const anchored: AnchoredLink = {
      number: link.number,
      headerHash: link.headerHash,
      post: link.post,
      anchorHeight: link.height,
      parent: this.head.headerHash,
    }
    const headerBytes = await data.headerBytes(link.headerHash, signal, headerHash)
    if (headerBytes === undefined) return this.wait(link, 'nobody at hand has the header', signal)
    const header = await data.header(link.headerHash)
    const { params, network, facts } = follower.court
    const fault = judgeHeader(params, network, facts, anchored, end, header)
    if (fault !== undefined || header === undefined)
      return this.reject(link, fault ?? 'malformed', encodeEvidence({ claim: 'header', header: headerBytes, ...shown }))
    const delta = await store.get(deltas, link.headerHash)
    if (delta === undefined) return this.execute(link, header, signal)
    this.ledger.redo(delta)
    if (equalBytes(this.ledger.root, header.post)) return this.redone(link, delta)
    // Not what its header promises: only its operations tell whether the record is wrong or the batch.
    this.ledger.undo(delta)
    return this.execute(link, header, signal)
  }

  /** A batch of this node's own that it sealed before. */
  private async redoOwn(own: Head): Promise<void> {
    const delta = await this.parts.store.get(deltas, own.headerHash)
    if (delta === undefined) throw new Error(`the record of batch ${own.number}, which was sealed here, is missing`)
    this.ledger.redo(delta)
    await this.redone(own, delta)
  }

  private async redone({ number, headerHash: hash }: Head, delta: Uint8Array): Promise<true> {
    this.head = { number, headerHash: hash }
    await this.claims.restore(this.head, this.ledger.totals.withdrawals)
    await this.snapshot.changed(this.head, delta)
    return true
  }

  /**
   * A batch that was in order when it was sealed lapses when its origin leaves the best chain, or when it was anchored
   * late. Whoever holds its header shows so, its sequencer included.
   */
  private async findLapsed(): Promise<void> {
    const { data, follower, store } = this.parts
    const { params, facts } = follower.court
    for (const batch of follower.chain.line) {
      if (batch.number <= this.inTime) continue
      const header = await data.header(batch.headerHash)
      if (header === undefined) return
      if (!hasLapsed(params, facts, batch.anchorHeight, header.origin)) {
        this.inTime = batch.number
        continue
      }
      if (this.rejection?.number === batch.number) return
      const bytes = (await store.get(headers, batch.headerHash)) as Uint8Array
      const { end: _, ...shown } = await readAncestry(this.parts, batch.number, batch.parent)
      await this.reject(batch, 'lapsed', encodeEvidence({ claim: 'header', header: bytes, ...shown }))
      return
    }
  }

  private async execute(link: BatchLink, header: Header, signal: AbortSignal): Promise<boolean> {
    const { store, data, verifier, follower } = this.parts
    const body = await data.body(link.headerHash, signal)
    if (body === undefined) return this.wait(link, reasonOf(follower.court.params, header), signal)
    if (!equalBytes(this.ledger.root, header.pre))
      throw new Error(`the ledger is not in the state that batch ${link.number} begins with: its record is damaged`)
    const { ids, signers } = await checkSignatures(verifier, this.ledger.tree, body.operations)
    const checked = checkBatch(this.contextOf(header), this.ledger, header, body.operations, ids, signers)
    if (!checked.ok) return this.rejectBody(link, body, checked, signal)
    const head = { number: link.number, headerHash: link.headerHash }
    const { headerBytes } = body
    await store.commit([
      // Not sent by those who know that re-execution gives them; but a challenge can ask for them.
      steps.put(link.headerHash, encodeWhole('steps', { ...checked.sealed, headerBytes })),
      deltas.put(link.headerHash, checked.sealed.delta),
      ...idleOf(link.headerHash, checked.sealed),
      verdicts.put(link.headerHash, { verdict: 'checked' }),
      ...ClaimIndex.writesOf(head, checked.sealed.claims),
    ])
    await this.adopt(head, checked.sealed)
    return true
  }

  private async rejectBody(
    link: BatchLink,
    body: BatchBody,
    checked: Checked & { ok: false },
    signal: AbortSignal,
  ): Promise<boolean> {
    const name = checked.fault?.refusal ?? 'wrong-root'
    const committed = await this.committedSteps(link, body.header, checked.stepRoots, signal)
    if (committed === undefined) return this.reject(link, name, undefined)
    const batch: CommittedBatch = {
      headerBytes: body.headerBytes,
      pre: body.header.pre,
      operations: body.operations,
      stepRoots: committed,
    }
    const context = this.contextOf(body.header)
    const at = placeOfFault(committed, checked.stepRoots, checked.fault)
    const evidence = at === 'end' ? proveEnd(context, this.ledger, batch) : proveStep(context, this.ledger, batch, at)
    return this.reject(link, name, encodeEvidence(evidence))
  }

  /** Peers need not send step roots that re-execution gives. */
  private committedSteps(
    link: BatchLink,
    header: Header,
    truth: Uint8Array,
    signal: AbortSignal,
  ): Promise<Uint8Array | undefined> {
    // A root over fewer leaves than the header counts is nobody's list of steps.
    const isWhole = truth.length === 32 * header.opCount
    if (isWhole && equalBytes(merkleRoot(stepLeaves(header.pre, truth)), header.stepsRoot))
      return Promise.resolve(truth)
    return this.parts.data.stepRoots(link.headerHash, signal)
  }

  private async reject(link: Head, fault: string, evidence: Uint8Array | undefined): Promise<false> {
    this.rejection = { number: link.number, headerHash: link.headerHash, fault, evidence }
    await this.parts.store.commit([
      verdicts.put(link.headerHash, { verdict: 'rejected', fault, ...(evidence && { evidence }) }),
    ])
    return false
  }

  private async wait(link: BatchLink, reason: string, signal: AbortSignal): Promise<false> {
    const { number, headerHash: hash, height } = link
    const first = { number, headerHash: hash, anchorHeight: height, reason }
    this.missing = [first]
    this.missing = [first, ...(await this.behind.behind(link, signal))]
    return false
  }
}

/** Where the committed trace first leaves the true one; where it doesn't, the operation that can't stand. */
function placeOfFault(committed: Uint8Array, truth: Uint8Array, fault: BatchFault | undefined): number | 'end' {
  return findFirstDifference(committed, truth) ?? fault?.at ?? 'end'
}

function reasonOf(params: Params, header: Header): string {
  const nobody = 'nobody at hand has the operations'
  return isVouchedFor(params, header) ? `${nobody}, although watchers vouch for them` : nobody
}

function idleOf(headerHash: Uint8Array, { idle }: SealedBatch): Write[] {
  return idle.length === 0 ? [] : [idles.put(headerHash, idle)]
}
