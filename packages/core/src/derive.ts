import { type BondStep, isCovered, readBondOutputs, readBondTag } from './bonds.ts'
import { equalBytes } from './bytes.ts'
import {
  type AnchoredBatch,
  aliveSince,
  answerBlocks,
  type Chain,
  type Challenge,
  challengedByRule,
  challengeLimit,
  challengesOf,
  finalHeight,
  findInLine,
  type Head,
  headOf,
  isOpen,
} from './chain.ts'
import { type Deposit, outpointOf, readDeposits, type SweptDeposit } from './deposit.ts'
import type { ChainEvent, VoidCause } from './events.ts'
import { type Court, decodeEvidence, type EvidenceFault, verifyEvidence } from './evidence.ts'
import { isExit } from './exit.ts'
import type { BlockFacts, FinalBatch } from './facts.ts'
import { type ForcedEntry, readForced } from './forced.ts'
import { isOfAge, isVouchedFor, type Origin } from './header.ts'
import { type L1Block, type L1Transaction, outpointKey } from './l1.ts'
import {
  type Anchor,
  type BatchAnchor,
  type BondTag,
  type ChallengeTag,
  type DataKind,
  type EvidenceTag,
  markedHeight,
  markOf,
  marksOrigin,
  type PartTag,
} from './message.ts'
import type { Params } from './params.ts'
import { readPieces } from './pieces.ts'
import { decodePart } from './publication.ts'
import { cover } from './runs.ts'
import { burntValue, isNextLink, paysSignal, readAnchor, readMessage, type Tag } from './tags.ts'
import { findVaultInput, spendVault } from './vault.ts'

export interface Derived {
  readonly chain: Chain
  readonly facts: BlockFacts
  readonly events: readonly ChainEvent[]
}

/**
 * The chain after one more block. `court.facts` holds the blocks before it. Order: deadlines that have passed, the
 * block's transactions, finality, the clock of the exit.
 */
export function deriveBlock(court: Court, chain: Chain, block: L1Block): Derived {
  if (block.height !== chain.height + 1 || !equalBytes(block.parent, chain.hash))
    throw new Error(`block ${block.height} does not follow block ${chain.height}`)
  const step = new BlockStep(court, chain, block)
  step.expireChallenges()
  for (const [index, transaction] of block.transactions.entries()) step.read(transaction, index)
  step.finalize()
  step.close()
  if (isExit(step.chain) && !isExit(chain)) step.beginExit()
  return { chain: step.chain, facts: step.facts, events: step.events }
}

class BlockStep {
  private readonly court: Court
  private readonly params: Params
  private readonly height: number
  readonly events: ChainEvent[] = []
  private readonly made = new Map<string, Deposit>()
  private readonly swept: SweptDeposit[] = []
  private readonly refunded: Deposit[] = []
  private readonly forced: ForcedEntry[] = []
  private readonly final: FinalBatch[] = []
  chain: Chain

  constructor(court: Court, chain: Chain, block: L1Block) {
    this.court = court
    this.params = court.params
    this.height = block.height
    this.chain = { ...chain, height: block.height, hash: block.hash }
  }

  get facts(): BlockFacts {
    const { made, swept, refunded, forced, final } = this
    return { deposits: [...made.values()], swept, refunded, forced, final }
  }

  expireChallenges(): void {
    const late = (challenge: Challenge) => isOpen(challenge) && challenge.deadline < this.height
    const at = this.chain.line.findIndex((batch) => challengesOf(batch).some(late))
    if (at >= 0) this.void(at, 'unanswered')
  }

  /** Reads one transaction: a link, or at most one message; and what it spends of vault and deposits. */
  read(transaction: L1Transaction, index: number): void {
    this.noteBonds(readBondOutputs(this.params, this.chain.bonds, transaction, this.height), transaction.txid)
    const message = this.readLinkOrMessage(transaction)
    this.readSpends(transaction, index, message)
    if (message?.kind === 'bond') this.readBond(transaction, message)
    if (message?.kind === 'forced') this.readForced(transaction, index)
    if (message?.kind !== 'deposit') return
    const made = readDeposits(this.params, transaction, { height: this.height, tx: index }, message)
    for (const deposit of made) this.made.set(outpointKey(outpointOf(deposit)), deposit)
  }

  /** Gives the message, unless the transaction is a link. */
  private readLinkOrMessage(transaction: L1Transaction): Tag | undefined {
    const { txid, vout } = this.chain.link.outpoint
    const input = transaction.inputs.findIndex(
      ({ previous }) => previous.vout === vout && equalBytes(previous.txid, txid),
    )
    if (input >= 0 && this.chain.mode !== 'closed') {
      this.readLink(transaction, input)
      return undefined
    }
    const message = readMessage(transaction)
    if (message !== undefined && 'headerHash' in message && message.kind !== 'payout')
      this.readTag(transaction, message)
    return message
  }

  private readBond(transaction: L1Transaction, tag: BondTag): void {
    const step = paysSignal(this.params, transaction)
      ? readBondTag(this.params, this.chain.bonds, tag, this.height)
      : undefined
    const reason = 'it does not pay the signal script, or signs for no bond that waits for it'
    if (step === undefined) this.events.push({ kind: 'ignored', message: 'bond', reason, txid: transaction.txid })
    else this.noteBonds(step, transaction.txid)
  }

  private noteBonds({ bonds, changes }: BondStep, txid: Uint8Array): void {
    if (changes.length === 0) return
    this.chain = { ...this.chain, bonds }
    for (const change of changes) this.events.push({ kind: 'bond', ...change, txid })
  }

  private readForced(transaction: L1Transaction, tx: number): void {
    const { txid } = transaction
    const operation = paysSignal(this.params, transaction) ? readForced(transaction) : undefined
    if (operation === undefined) {
      const reason = 'it does not pay the signal script, or carries no signed operation'
      this.events.push({ kind: 'ignored', message: 'forced', reason, txid })
      return
    }
    const entry = { position: { height: this.height, tx, index: 0 }, operation }
    this.forced.push(entry)
    this.events.push({ kind: 'forced', entry, txid })
  }

  private readSpends(transaction: L1Transaction, index: number, message: Tag | undefined): void {
    const spent = this.findSpentDeposits(transaction, index)
    const input = findVaultInput(this.chain.vault, transaction)
    if (input < 0) return void this.refunded.push(...spent.map(({ deposit }) => deposit))
    const tag = message?.kind === 'payout' && this.isOfThisChain(message.headerHash) ? message : undefined
    const { vault, sweeps, claims } = spendVault(this.params, this.chain.vault, transaction, input, this.height, tag)
    this.chain = { ...this.chain, vault }
    if (sweeps) this.swept.push(...spent)
    else this.refunded.push(...spent.map(({ deposit }) => deposit))
    const swept = sweeps ? spent.length : 0
    const outcome = !sweeps ? 'close' : claims.length > 0 ? 'payout' : swept > 0 ? 'sweep' : 'other'
    this.events.push({ kind: 'vault', number: vault.number, outcome, swept, claims, txid: transaction.txid })
  }

  /**
   * Whether a payout's header is final here, or at least alive. Claims are counted along the batches that it ends, so on
   * a branch where it does not stand their numbers are other people's. It may be final later than it was where the payout
   * was signed: a reorganisation that delays a batch must not make the same claims be paid once more.
   */
  private isOfThisChain(headerHash: Uint8Array): boolean {
    const { final } = this.chain
    if (equalBytes(headerHash, final.headerHash) || findInLine(this.chain, headerHash) !== undefined) return true
    return this.court.facts.finalNumber(headerHash) !== undefined
  }

  /** The deposits that a transaction spends, made in earlier blocks or in this one. */
  private findSpentDeposits(transaction: L1Transaction, tx: number): SweptDeposit[] {
    return transaction.inputs.flatMap(({ previous }, index) => {
      const deposit = this.made.get(outpointKey(previous)) ?? this.court.facts.depositAt(previous)
      return deposit === undefined ? [] : [{ position: { height: this.height, tx, index }, deposit }]
    })
  }

  finalize(): void {
    const waits = (batch: AnchoredBatch) =>
      this.height < finalHeight(this.params, batch) || challengesOf(batch).some(isOpen)
    const first = this.chain.line.findIndex(waits)
    const done = first < 0 ? this.chain.line : this.chain.line.slice(0, first)
    for (const { number, headerHash } of done) {
      this.final.push({ number, headerHash })
      this.events.push({ kind: 'final', number, headerHash })
    }
    const last = done.at(-1)
    if (last === undefined) return
    const { number, headerHash, anchorHeight, firstVoid, nonceRoot } = last
    const final = {
      ...{ number, headerHash, anchorHeight },
      ...(firstVoid !== undefined && { firstVoid }),
      ...(nonceRoot !== undefined && { nonceRoot }),
    }
    this.chain = { ...this.chain, line: this.chain.line.slice(done.length), final }
  }

  /** Where nothing lived for E blocks, the chain ends. */
  close(): void {
    const since = aliveSince(this.chain)
    if (this.chain.mode === 'closed' || this.height - since < this.params.windows.exit) return
    this.chain = { ...this.chain, mode: 'closed' }
    this.events.push({ kind: 'expired', since })
  }

  beginExit(): void {
    this.chain = { ...this.chain, exitFrom: this.height }
    this.events.push({ kind: 'exit' })
  }

  private readLink(transaction: L1Transaction, input: number): void {
    const before = this.chain.link
    const number = before.number + 1
    const { txid } = transaction
    this.chain = { ...this.chain, link: { outpoint: { txid, vout: 1 }, number } }
    const anchor = readAnchor(transaction)
    if (input !== 0 || anchor === undefined || !isNextLink(this.params, transaction)) {
      this.chain = { ...this.chain, mode: 'closed' }
      this.events.push({
        kind: 'link',
        number,
        outcome: 'close',
        reason: 'the spend of the anchor link is malformed',
        txid,
      })
      return
    }
    const reason = this.findNullity(anchor)
    if (reason !== undefined) {
      this.chain = { ...this.chain, mode: 'broken' }
      this.events.push({ kind: 'link', number, outcome: 'null', anchor, reason, txid })
      return
    }
    const { headerHash, word } = anchor
    this.events.push({ kind: 'link', number, outcome: anchor.kind, headerHash, word, txid })
    if (anchor.kind === 'batch') this.appendBatch(anchor, before.nonceRoot)
    else this.chain = { ...this.chain, mode: 'active', link: { ...this.chain.link, nonceRoot: anchor.word } }
  }

  /**
   * A batch whose origin or parent is another than it was built on never lives: a reorganisation moved it, or it comes too
   * late.
   */
  private findMarkFault({ mark }: BatchAnchor): string | undefined {
    const origin = originOf(this.court, this.height, mark)
    if (origin === undefined || !marksOrigin(mark, origin))
      return 'it has lapsed: its origin is not in the best chain, or not of the right age'
    const right = markOf({ origin, parent: headOf(this.chain).headerHash })
    return equalBytes(right, mark) ? undefined : 'it names another parent than the head'
  }

  /**
   * Why a well-formed link is without effect: it takes its number all the same. What was built on it names it in turn,
   * and the batch with the next number has no table of nonces, so nothing counts before a resume.
   */
  private findNullity(anchor: Anchor): string | undefined {
    if (anchor.kind === 'batch') return this.findBatchNullity(anchor) ?? this.findMarkFault(anchor)
    const isAtHead = equalBytes(anchor.headerHash, headOf(this.chain).headerHash)
    return isAtHead ? undefined : 'the resume names another header than the head'
  }

  private findBatchNullity(anchor: BatchAnchor): string | undefined {
    if (this.chain.mode !== 'active') return 'the chain waits for a resume'
    if (!isCovered(this.params, this.chain.bonds, this.height)) return 'no bond covers it'
    // Messages name a batch by its header, so a second one of the same header could not be voided for its number.
    return findInLine(this.chain, anchor.headerHash) && 'a batch that is not final has this header'
  }

  /** @param nonceRoot of the link before, if that is a resume */
  private appendBatch(anchor: BatchAnchor, nonceRoot: Uint8Array | undefined): void {
    const head = headOf(this.chain)
    const { number, outpoint } = this.chain.link
    const { headerHash, word: post } = anchor
    const batch: AnchoredBatch = {
      ...{ number, headerHash, post, anchorHeight: this.height, parent: head.headerHash },
      ...(nonceRoot !== undefined && { nonceRoot }),
      ...(head.nonceRoot !== undefined && { parentNonceRoot: head.nonceRoot }),
      challenges: challengedByRule(this.params, this.height),
    }
    this.chain = { ...this.chain, line: [...this.chain.line, batch] }
    const due = batch.challenges.data
    if (due === undefined) return
    const { deadline } = due
    this.events.push({ kind: 'challenged', number, headerHash, data: 'data', deadline, txid: outpoint.txid })
  }

  private readTag(transaction: L1Transaction, message: ChallengeTag | PartTag | EvidenceTag): void {
    const { txid } = transaction
    const { headerHash } = message
    const ignore = (reason: string) =>
      this.events.push({ kind: 'ignored', message: message.kind, headerHash, reason, txid })
    const at = this.chain.line.findIndex((batch) => equalBytes(batch.headerHash, headerHash))
    const batch = this.chain.line[at]
    if (batch === undefined) return void ignore('no live batch that is not final has this header')
    if (!paysSignal(this.params, transaction)) return void ignore('it does not pay the signal script')
    const reason =
      message.kind === 'challenge'
        ? this.readChallenge(transaction, message, at, batch)
        : message.kind === 'part'
          ? this.readPart(transaction, message, at, batch)
          : this.readEvidence(transaction, at, batch)
    if (reason !== undefined) ignore(reason)
  }

  private readChallenge(
    transaction: L1Transaction,
    { data }: ChallengeTag,
    at: number,
    batch: AnchoredBatch,
  ): string | undefined {
    if (batch.challenges[data] !== undefined) return 'it is challenged already'
    if (this.height > challengeLimit(this.params, this.chain, batch, data)) return 'the window for challenges is over'
    if (burntValue(transaction) < this.params.fees.challenge) return 'it burns too little'
    const queue = Math.max(this.height, this.chain.queue) + answerBlocks(this.params, data)
    const deadline = queue + this.params.windows.answer
    this.chain = { ...this.chain, queue }
    this.setChallenge(at, data, { raisedAt: this.height, deadline, covered: [] })
    const { number, headerHash } = batch
    this.events.push({ kind: 'challenged', number, headerHash, data, deadline, txid: transaction.txid })
    return undefined
  }

  private readPart(
    transaction: L1Transaction,
    { data }: PartTag,
    at: number,
    batch: AnchoredBatch,
  ): string | undefined {
    const challenge = batch.challenges[data]
    if (challenge === undefined || !isOpen(challenge)) return 'no challenge of this kind is open'
    const part = decodePart(data, batch.headerHash, readPieces(transaction))
    if (part === undefined) return 'it is no part of the batch'
    const { opCount } = part.header
    const isVouched = isVouchedFor(this.params, part.header)
    if (part.count === 0 && opCount > 0 && !isVouched) return 'no valid certificate stands for what it does not show'
    const { number, headerHash } = batch
    this.events.push({ kind: 'part', number, headerHash, data, part, txid: transaction.txid })
    const covered = cover(challenge.covered, [part.start, part.start + part.count])
    const complete = opCount === 0 || isVouched || (covered[0]?.[0] === 0 && covered[0][1] === opCount)
    this.setChallenge(
      at,
      data,
      complete ? { ...challenge, covered, answeredAt: this.height } : { ...challenge, covered },
    )
    if (complete) this.events.push({ kind: 'answered', number, headerHash, data })
    return undefined
  }

  private readEvidence(transaction: L1Transaction, at: number, batch: AnchoredBatch): string | undefined {
    const evidence = decodeEvidence(readPieces(transaction))
    if (evidence === undefined) return 'the evidence does not decode'
    const verdict = verifyEvidence(this.court, batch, evidence)
    if (!verdict.ok) return verdict.reason
    this.void(at, 'evidence', { fault: verdict.fault, txid: transaction.txid })
    return undefined
  }

  private setChallenge(at: number, data: DataKind, challenge: Challenge): void {
    const line = this.chain.line.map((batch, index) =>
      index === at ? { ...batch, challenges: { ...batch.challenges, [data]: challenge } } : batch,
    )
    this.chain = { ...this.chain, line }
  }

  /** A batch and all its descendants: numbers stay taken, the head is its parent, only a resume goes on. */
  private void(
    at: number,
    cause: VoidCause,
    by: { readonly fault?: EvidenceFault; readonly txid?: Uint8Array } = {},
  ): void {
    const gone = this.chain.line.slice(at)
    const mode = this.chain.mode === 'closed' ? 'closed' : 'broken'
    const noted = <H extends Head>(head: H): H => ({ ...head, firstVoid: head.firstVoid ?? this.height })
    const line = this.chain.line.slice(0, at).map(noted)
    this.chain = { ...this.chain, line, final: noted(this.chain.final), mode }
    gone.forEach(({ number, headerHash }, index) => {
      const why = index > 0 ? { cause: 'ancestor' as const } : { cause, ...by }
      this.events.push({ kind: 'void', number, headerHash, ...why })
    })
  }
}

/** The one block of the right age, k to S below the anchor, whose height ends like the mark says. */
function originOf({ params, facts }: Court, anchorHeight: number, mark: Uint8Array): Origin | undefined {
  const height = markedHeight(mark, anchorHeight - params.windows.originDepth)
  const hash = facts.blockHash(height)
  return hash !== undefined && isOfAge(params, anchorHeight, { height }) ? { height, hash } : undefined
}
