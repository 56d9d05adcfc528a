import type { AnchorKeeper } from '@kedge/commitment'
import {
  type Anchor,
  type BatchPlace,
  buildHeader,
  type DataKind,
  decodeTransfer,
  encodeTransfer,
  encodeWhole,
  equalBytes,
  type Ledger,
  type Receipt,
  type Refusal,
  readWhole,
  resumeAnchor,
  type SealedBatch,
  TRANSFER_BYTES,
  type Transfer,
  transferMessage,
} from '@kedge/core'
import { checkSignatures, droppedMark, type NodeParts } from '@kedge/node'
import { marks, operations as operationsTable, type Write } from '@kedge/storage'
import { delGroups, delOpenMark, type JournalContents, putOpenMark, readJournal } from './journal.ts'
import { OpenBatch } from './open-batch.ts'
import type { OwnLinks } from './own-links.ts'
import { type Plan, planAhead } from './plan.ts'
import { Ticks } from './ticks.ts'

/** Unconfirmed anchors at which the open batch stays open: relay allows 25 in a chain. */
export const MAX_BACKLOG = 20

/** What a lying sequencer of the test network does to what it commits to and serves. */
export interface Tamper {
  seal(sealed: SealedBatch, ledger: Ledger, place: BatchPlace): SealedBatch
  mayServe(headerHash: Uint8Array, kind: 'header' | DataKind): boolean
}

export interface ProducerParts {
  readonly node: NodeParts
  readonly own: OwnLinks
  readonly keeper: AnchorKeeper
  readonly sign: (message: Uint8Array) => Uint8Array
  readonly sealAfterMs: number
  readonly tamper?: Tamper
}

/** A transfer that was found signed by `owner`, or wasn't. */
export interface Candidate {
  readonly transfer: Transfer
  readonly bytes: Uint8Array
  readonly id: Uint8Array | undefined
  readonly signedBy: Uint8Array | undefined
}

export type Added =
  | { readonly ok: true; readonly batch: OpenBatch; readonly index: number }
  | { readonly ok: false; readonly code: Refusal | Unready }

/** `syncing`: behind Bitcoin. `chain-broken`: a batch is void or lapsing, or the chain is closed. `overloaded`: come again. */
export type Unready = 'syncing' | 'chain-broken' | 'overloaded'

/**
 * Builds batches on the ledger: opens, fills, seals, and after a void goes on from the head with whatever was lost.
 * `reconcile` runs in the node's one loop; `add` and `promise` are called by whoever takes transfers in.
 */
export class Producer {
  private readonly parts: ProducerParts
  private open: OpenBatch | undefined
  private ticks: Ticks | undefined
  private sealing: Promise<void> | undefined
  private unready: Unready | undefined = 'syncing'
  private carried: readonly Uint8Array[] = []
  private staleGroups: number[] = []
  private nextGroup = 0
  private restored = false
  /** The ledger is being moved along Bitcoin. */
  private moving: Promise<void> | undefined
  /** The head's origin height: a child's is no lower. */
  private originFloor = 0

  constructor(parts: ProducerParts) {
    this.parts = parts
  }

  get openBatch(): OpenBatch | undefined {
    return this.open
  }

  /** Why transfers of others aren't taken now. */
  get reason(): Unready | undefined {
    return this.unready
  }

  plan(): Plan {
    return planAhead(this.parts.node.follower.chain, this.parts.own.all)
  }

  /** Takes a transfer of others. */
  add(candidate: Candidate): Promise<Added> {
    return this.unready === undefined ? this.place(candidate) : Promise.resolve({ ok: false, code: this.unready })
  }

  /** The receipt of an operation of the open batch, once it is on disk; undefined if that was sealed meanwhile. */
  promise(batch: OpenBatch, index: number): Promise<Receipt | undefined> {
    return this.open === batch && this.ticks !== undefined ? this.ticks.promise(index) : Promise.resolve(undefined)
  }

  /** Brings the producer in line with Bitcoin. The node's loop calls it at Bitcoin's tip. */
  async reconcile(signal: AbortSignal): Promise<void> {
    await this.move(signal)
    const plan = this.plan()
    const reason = this.findUnreadiness(plan)
    if (reason !== undefined) this.unready = reason
    if (plan.mode === 'broken' && this.isAtHead(plan) && this.parts.node.executor.rejection === undefined) {
      await this.intend(resumeAnchor(plan.lastNumber + 1, plan.head.headerHash), undefined, [])
    }
    if (reason !== undefined) return
    await this.restore()
    if (!(await this.carry(plan))) return
    this.unready = undefined
    if (this.open === undefined && this.isDepositDue()) this.begin()
    if (this.open !== undefined && this.isRipe(this.open) && this.backlog() < MAX_BACKLOG) await this.seal()
  }

  /** The chain stands at a fork: the ledger goes back to it, without the open batch if that lost its place. */
  async rolledBack(): Promise<void> {
    await this.sealing
    if (this.open !== undefined && !this.stands(this.open, this.plan())) this.drop(this.open)
    await this.parts.node.executor.rolledBack()
  }

  /** Moves the ledger along Bitcoin. Nothing is opened or sealed meanwhile; an open batch that keeps its place goes on. */
  private async move(signal: AbortSignal): Promise<void> {
    await this.sealing
    if (this.open !== undefined && !this.stands(this.open, this.plan())) this.drop(this.open)
    const { executor, data, follower } = this.parts.node
    this.moving = executor.advance(signal)
    try {
      await this.moving
      const header = await data.header(executor.head.headerHash)
      this.originFloor = header?.origin.height ?? follower.court.params.scanHeight
    } finally {
      this.moving = undefined
    }
  }

  /** Adds the next transfer to the open batch; opens one where there is none, and seals a full one first. */
  private async place(candidate: Candidate): Promise<Added> {
    for (;;) {
      if (this.sealing !== undefined) await this.sealing
      else if (this.open === undefined && this.moving !== undefined) await this.moving
      else if (this.open === undefined) {
        if (!this.begin()) return { ok: false, code: 'syncing' }
      } else if (this.open.count < this.parts.node.options.params.caps.operations)
        return this.addNow(this.open, candidate)
      else if (this.backlog() >= MAX_BACKLOG) return { ok: false, code: 'overloaded' }
      else await this.seal()
    }
  }

  /** Seals what is open; for a clean stop it stays open and is taken up again. */
  async settle(): Promise<void> {
    await this.sealing
    await this.ticks?.settle()
  }

  /** For the ledger to be written to disk as it stands: takes the open batch's steps off it. */
  suspend(): void {
    this.open?.abandon()
    this.open = undefined
    this.unready = 'syncing'
  }

  private addNow(open: OpenBatch, candidate: Candidate): Added {
    const { transfer, bytes, id } = this.resolveRecipient(candidate)
    const refusal = open.add(transfer, bytes, id, candidate.signedBy)
    return refusal === undefined ? { ok: true, batch: open, index: open.count - 1 } : { ok: false, code: refusal }
  }

  /** The recipient's cell isn't signed: whatever the wallet named, it becomes the key's cell, or the next new one. */
  private resolveRecipient(candidate: Candidate): Pick<Candidate, 'transfer' | 'bytes' | 'id'> {
    const { ledger, owners } = this.parts.node.executor
    const { transfer } = candidate
    const named = transfer.toCell < ledger.tree.count ? ledger.tree.account(transfer.toCell).owner : undefined
    if (named !== undefined && equalBytes(named, transfer.to)) return candidate
    const toCell = owners.find(transfer.to) ?? ledger.totals.count
    if (toCell === transfer.toCell) return candidate
    const resolved = { ...transfer, toCell }
    return { transfer: resolved, bytes: encodeTransfer(resolved), id: undefined }
  }

  /** False when no origin can be named: Bitcoin's tip lies below the head's. */
  private begin(): boolean {
    const { node, sign } = this.parts
    const { follower, store, network, options } = node
    const { height } = follower.chain
    const originHeight = Math.max(height - options.params.windows.originDepth, this.originFloor)
    const hash = follower.facts.blockHash(originHeight)
    if (hash === undefined) return false
    const plan = this.plan()
    const place = {
      network,
      number: plan.lastNumber + 1,
      parent: plan.head.headerHash,
      origin: { height: originHeight, hash },
    }
    this.openAt(place)
    const { number, parent, origin } = place
    const mark = putOpenMark({ number, parent, origin, firstGroup: this.nextGroup })
    this.ticks = new Ticks({ store, network, sign }, this.open as OpenBatch, this.nextGroup, this.nextGroup, [mark])
    return true
  }

  private openAt(place: BatchPlace): void {
    const { executor } = this.parts.node
    this.open = new OpenBatch(
      place,
      executor.contextOf(place),
      executor.ledger,
      (key) => executor.owners.find(key),
      performance.now(),
    )
  }

  private seal(): Promise<void> {
    this.sealing ??= this.sealNow().finally(() => {
      this.sealing = undefined
    })
    return this.sealing
  }

  /**
   * Order of effects: everything accepted is promised; then one synced commit of batch, intent and emptied journal;
   * only then is the batch the head, announced, and its anchor sent.
   */
  private async sealNow(): Promise<void> {
    await this.moving
    await this.ticks?.settle()
    const open = this.open
    if (open === undefined) return
    const { node, tamper } = this.parts
    const honest = open.seal()
    const sealed = tamper === undefined ? honest : tampered(tamper, honest, node.executor.ledger, open.place)
    const wholes = {
      data: encodeWhole('data', { ...sealed, headerBytes: sealed.bytes }),
      steps: encodeWhole('steps', { ...sealed, headerBytes: sealed.bytes }),
    }
    const anchor: Anchor = { kind: 'batch', number: open.place.number, headerHash: sealed.hash, word: sealed.post }
    this.nextGroup = this.ticks?.nextGroup ?? this.nextGroup
    const groups = this.groupsSince(this.ticks?.firstGroup ?? this.nextGroup)
    await this.intend(anchor, open.place.origin.height, [
      ...node.executor.writesOf(sealed.hash, sealed.bytes, sealed, wholes),
      ...delGroups(groups),
      delOpenMark(),
    ])
    this.open = undefined
    this.ticks = undefined
    this.originFloor = open.place.origin.height
    await node.executor.adopt({ number: anchor.number, headerHash: sealed.hash }, honest)
    node.options.log.info({ number: anchor.number, operations: sealed.operations.length }, 'sealed')
    node.news.ring()
    node.host
      .announce(sealed.bytes)
      .catch((error: unknown) => node.options.log.info({ err: error }, 'nobody was told of the batch: Bitcoin will'))
  }

  private groupsSince(first: number): number[] {
    return Array.from({ length: this.nextGroup - first }, (_, at) => first + at)
  }

  /** A durable intent, with whatever must not be without it. */
  private async intend(anchor: Anchor, originHeight: number | undefined, writes: readonly Write[]): Promise<void> {
    const { keeper, own, node } = this.parts
    await node.store.commit([...keeper.intent(anchor.number, anchor, originHeight), ...writes])
    keeper.noted(anchor.number, anchor)
    own.add(anchor)
    if (anchor.kind === 'resume') node.options.log.info({ number: anchor.number }, 'resuming from the head')
  }

  private stands({ place }: OpenBatch, plan: Plan): boolean {
    const hash = this.parts.node.follower.facts.blockHash(place.origin.height)
    return (
      plan.mode === 'active' &&
      place.number === plan.lastNumber + 1 &&
      equalBytes(place.parent, plan.head.headerHash) &&
      hash !== undefined &&
      equalBytes(hash, place.origin.hash)
    )
  }

  /** The open batch can't become what was promised: its transfers go, in order, into the next one. */
  private drop(open: OpenBatch): void {
    this.parts.node.options.log.warn(
      { number: open.place.number, operations: open.count },
      'the open batch lost its place: its transfers go into the next one',
    )
    this.carried = [...this.carried, ...open.operations]
    this.nextGroup = this.ticks?.nextGroup ?? this.nextGroup
    this.staleGroups.push(...this.groupsSince(this.ticks?.firstGroup ?? this.nextGroup))
    open.abandon()
    this.open = undefined
    this.ticks = undefined
  }

  private findUnreadiness(plan: Plan): Unready | undefined {
    const { executor } = this.parts.node
    if (plan.mode !== 'active' || executor.rejection !== undefined) return 'chain-broken'
    return this.isAtHead(plan) ? undefined : 'syncing'
  }

  private isAtHead(plan: Plan): boolean {
    const { executor } = this.parts.node
    return (
      executor.isCaughtUp &&
      executor.head.number === plan.head.number &&
      equalBytes(executor.head.headerHash, plan.head.headerHash)
    )
  }

  /** Once after a start: the batch that was open goes on where its promises were left, if it still has its place. */
  private async restore(): Promise<void> {
    if (this.restored) return
    this.restored = true
    const contents = await readJournal(this.parts.node.store)
    this.nextGroup = (contents.groups.at(-1)?.sequence ?? -1) + 1
    const reopened = contents.open !== undefined && (await this.reopen(contents))
    const first = reopened ? (contents.open?.firstGroup ?? 0) : this.nextGroup
    const stale = contents.groups.filter(({ sequence }) => sequence < first)
    this.carried = stale.flatMap(({ operations }) => operations)
    this.staleGroups = stale.map(({ sequence }) => sequence)
  }

  private async reopen({ open: mark, groups }: JournalContents): Promise<boolean> {
    if (mark === undefined) return false
    const { node, sign } = this.parts
    const { number, parent, origin, firstGroup } = mark
    const mine = groups.filter(({ sequence }) => sequence >= firstGroup)
    const bytes = mine.flatMap(({ operations }) => operations).filter(isTransfer)
    const { signers } = await checkSignatures(node.verifier, node.executor.ledger.tree, bytes)
    this.openAt({ network: node.network, number, parent, origin })
    const open = this.open as OpenBatch
    const fits = this.stands(open, this.plan()) && bytes.every((each, at) => readd(open, each, signers[at]))
    if (!fits) {
      open.abandon()
      this.open = undefined
      return false
    }
    open.resumeTicks(mine.length)
    this.ticks = new Ticks({ store: node.store, network: node.network, sign }, open, firstGroup, this.nextGroup, [])
    node.options.log.info({ number, operations: open.count }, 'took up the open batch again')
    return true
  }

  /**
   * Puts what lost batches and a dropped open batch held into the open one, in its old order, before anybody else's.
   * False when there was no room for all of it: what went in already is found used at the next turn.
   */
  private async carry(plan: Plan): Promise<boolean> {
    const { node, own } = this.parts
    for (const { number, headerHash } of own.lost(node.follower.links, node.follower.chain.final.number, plan.tail)) {
      const whole = await node.store.get(operationsTable, headerHash)
      const dropped = whole === undefined ? [] : await this.addAgain(readWhole(whole))
      if (dropped === undefined) return false
      await node.store.commit([own.settle(number), ...dropped])
    }
    if (this.carried.length === 0) return true
    const dropped = await this.addAgain(this.carried)
    if (dropped === undefined) return false
    await node.store.commit([...delGroups(this.staleGroups), ...dropped])
    this.carried = []
    this.staleGroups = []
    return true
  }

  /**
   * Adds transfers that were accepted before, and waits until they are promised anew; others' operations follow from
   * rules. Gives the marks of those that can't stand any more; undefined when there is no room.
   */
  private async addAgain(operations: readonly Uint8Array[]): Promise<Write[] | undefined> {
    const { node } = this.parts
    const bytes = operations.filter(isTransfer)
    const { ids, signers } = await checkSignatures(node.verifier, node.executor.ledger.tree, bytes)
    const dropped: Write[] = []
    let last: Added | undefined
    for (const [at, each] of bytes.entries()) {
      const added = await this.place({
        transfer: decodeTransfer(each) as Transfer,
        bytes: each,
        id: ids[at],
        signedBy: signers[at],
      })
      if (added.ok) last = added
      else if (added.code === 'overloaded' || added.code === 'syncing') return undefined
      else if (added.code !== 'nonce-used') dropped.push(putDropped(node.network, each, added.code))
    }
    if (last?.ok) await this.promise(last.batch, last.index)
    return dropped
  }

  private isDepositDue(): boolean {
    const { follower, executor, options } = this.parts.node
    const next = follower.facts.depositAfter(executor.ledger.totals.depositCursor)
    return next !== undefined && next.position.height <= follower.chain.height - options.params.windows.originDepth
  }

  private isRipe(open: OpenBatch): boolean {
    return open.count > 0 && performance.now() - open.openedAt >= this.parts.sealAfterMs
  }

  private backlog(): number {
    return this.parts.keeper.backlog(this.parts.node.follower.chain)
  }
}

/** A transfer that was accepted, lost its batch, and can't stand in a later one. */
function putDropped(network: Uint8Array, bytes: Uint8Array, code: string): Write {
  const id = transferMessage(network, decodeTransfer(bytes) as Transfer)
  return marks.put(droppedMark(id), new TextEncoder().encode(code))
}

function isTransfer(bytes: Uint8Array): boolean {
  return bytes.length === TRANSFER_BYTES && decodeTransfer(bytes) !== undefined
}

function readd(open: OpenBatch, bytes: Uint8Array, signedBy: Uint8Array | undefined): boolean {
  const transfer = decodeTransfer(bytes)
  return (
    transfer !== undefined && signedBy !== undefined && open.add(transfer, bytes, undefined, signedBy) === undefined
  )
}

function tampered(tamper: Tamper, honest: SealedBatch, ledger: Ledger, place: BatchPlace) {
  const sealed = tamper.seal(honest, ledger, place)
  return { ...sealed, ...buildHeader(place, sealed) }
}
