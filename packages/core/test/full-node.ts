import { checkBatch } from '../src/batch.ts'
import { concatBytes, equalBytes, toHex } from '../src/bytes.ts'
import { type AnchoredBatch, type Chain, challengeLimit, findInLine } from '../src/chain.ts'
import type { ChainEvent } from '../src/events.ts'
import { type Evidence, encodeEvidence } from '../src/evidence.ts'
import { decodeHeader, genesisEnd, type Header, judgeHeader, parentEndOf } from '../src/header.ts'
import type { L1Block, L1Transaction } from '../src/l1.ts'
import { Ledger } from '../src/ledger.ts'
import { merkleRoot } from '../src/merkle.ts'
import type { DataKind } from '../src/message.ts'
import { operationId } from '../src/operation.ts'
import { findFirstDifference, proveEnd, proveStep } from '../src/prove.ts'
import type { Part } from '../src/publication.ts'
import { stepLeaves } from '../src/steps.ts'
import { challengeTransaction, evidenceTransaction } from './bitcoin.ts'
import { contextOf, Derivation, ledgerBytes } from './rollup.ts'
import { network, params } from './world.ts'

/** What peers serve of a batch, by the hex of its header hash: some of it, or nothing. */
export interface Served {
  readonly headerBytes?: Uint8Array
  readonly operations?: readonly Uint8Array[]
  readonly stepRoots?: Uint8Array
}

export type Peers = ReadonlyMap<string, Served>

/**
 * A node without I/O: it derives the chain, executes each live batch whose data it can have, and says what it would put
 * on Bitcoin against the others.
 */
export class FullNode {
  readonly derivation = new Derivation()
  readonly ledger = new Ledger()
  private readonly peers: Peers
  /** Live batches in order, the final ones too. */
  private live: readonly Uint8Array[] = []
  /** Those of them that were executed and found right. */
  private readonly checked: {
    readonly hash: Uint8Array
    readonly header: Header
    readonly headerBytes: Uint8Array
    readonly delta: Uint8Array
  }[] = []
  /** What Bitcoin published, by kind and header hash. It proves itself, so it is kept even when its block is not. */
  private readonly parts = new Map<string, readonly Part[]>()
  /** What it knew after each block, the first one first. */
  private readonly past: Moment[] = []

  constructor(peers: Peers) {
    this.peers = peers
  }

  get chain() {
    return this.derivation.chain
  }

  /** Everything that two nodes must agree on, as bytes. */
  get state(): Uint8Array {
    return concatBytes(ledgerBytes(this.ledger), ...this.checked.map(({ hash }) => hash))
  }

  get checkedHashes(): readonly string[] {
    return this.checked.map(({ hash }) => toHex(hash))
  }

  /** Derives a block and gives the transactions that it asks for. */
  follow(block: L1Block): L1Transaction[] {
    for (const event of this.derivation.follow(block)) this.note(event)
    this.past.push({ chain: this.chain, live: this.live })
    return this.advance()
  }

  /** Forgets the blocks above `height`: the ledger goes back by what each batch changed. */
  rewind(height: number): void {
    this.past.length = height - params.scanHeight + 1
    const moment = this.past.at(-1)
    if (moment === undefined) throw new Error('no block is left')
    this.derivation.rewind(moment.chain)
    this.live = moment.live
    const same = this.checked.findIndex(({ hash }, at) => !equalBytes(hash, this.live[at] ?? network))
    if (same >= 0) for (const { delta } of this.checked.splice(same).reverse()) this.ledger.undo(delta)
  }

  /** Tells peers what it has of the live batches. */
  share(peers: Map<string, Served>): void {
    for (const hash of this.live) {
      const body = this.bodyOf(hash)
      if (body !== undefined) peers.set(toHex(hash), { ...peers.get(toHex(hash)), ...body })
    }
  }

  private note(event: ChainEvent): void {
    if (event.kind === 'link' && event.outcome === 'batch') this.live = [...this.live, event.headerHash]
    if (event.kind === 'void') this.drop(event.headerHash)
    if (event.kind === 'part') {
      const key = keyOf(event.headerHash, event.data)
      this.parts.set(key, [...(this.parts.get(key) ?? []), event.part])
    }
  }

  private drop(hash: Uint8Array): void {
    this.live = this.live.filter((one) => !equalBytes(one, hash))
    const at = this.checked.findIndex((batch) => equalBytes(batch.hash, hash))
    if (at >= 0) for (const { delta } of this.checked.splice(at).reverse()) this.ledger.undo(delta)
  }

  /** Executes what can be, and stops at the first batch that is missing or wrong. */
  private advance(): L1Transaction[] {
    const wants: L1Transaction[] = []
    while (this.checked.length < this.live.length) {
      const hash = this.live[this.checked.length] as Uint8Array
      const want = this.check(hash)
      if (want === undefined) continue
      wants.push(...want)
      break
    }
    return [...wants, ...this.askForData()]
  }

  /** Whether data are there does not depend on what came before: every batch is asked for in its own window. */
  private askForData(): L1Transaction[] {
    return this.chain.line
      .filter(({ headerHash }) => this.bodyOf(headerHash) === undefined)
      .flatMap((batch) => this.challenge(batch, 'data'))
  }

  private challenge(batch: AnchoredBatch, data: DataKind): L1Transaction[] {
    const late = this.chain.height + 1 > challengeLimit(params, this.chain, batch, data)
    return late || batch.challenges[data] !== undefined ? [] : [challengeTransaction(batch.headerHash, data)]
  }

  /** Undefined when the batch is right. The header is judged as soon as it is known, with or without operations. */
  private check(hash: Uint8Array): L1Transaction[] | undefined {
    const headerBytes = this.headerOf(hash)
    const header = headerBytes && decodeHeader(headerBytes)
    if (headerBytes === undefined || header === undefined) return []
    const link = findInLine(this.chain, hash)
    const parent = this.checked.at(-1)
    const [last, before] = [parent?.header, this.checked.at(-2)]
    // The link between two batches is a resume where their numbers don't follow each other.
    const isFollowing = last !== undefined && link?.number === last.number + 1
    const wasFollowing = before !== undefined && last?.number === before.header.number + 1
    const table = wasFollowing ? before.header.nonceRoot : link?.parentNonceRoot
    const end = last === undefined ? genesisEnd(params) : parentEndOf(last, isFollowing ? table : undefined)
    const fault = link && judgeHeader(params, network, this.derivation.facts, link, end, header)
    if (fault !== undefined) {
      const none = new Uint8Array(0)
      const grandparent = isFollowing && wasFollowing ? before.headerBytes : none
      return [publish(hash, { claim: 'header', header: headerBytes, parent: parent?.headerBytes ?? none, grandparent })]
    }
    const body = this.bodyOf(hash)
    return body === undefined ? [] : this.execute(hash, body, link)
  }

  private execute(hash: Uint8Array, body: Body, link: AnchoredBatch | undefined): L1Transaction[] | undefined {
    const context = contextOf(this.derivation.facts, body.header.origin)
    const pre = this.ledger.root
    const checked = checkBatch(context, this.ledger, body.header, body.operations, body.operations.map(operationId))
    if (checked.ok) {
      this.checked.push({ hash, header: body.header, headerBytes: body.headerBytes, delta: checked.sealed.delta })
      return undefined
    }
    const agrees = equalBytes(merkleRoot(stepLeaves(pre, checked.stepRoots)), body.header.stepsRoot)
    const stepRoots = agrees ? checked.stepRoots : this.stepsOf(hash, body.header)
    if (stepRoots === undefined) return link === undefined ? [] : this.challenge(link, 'steps')
    const batch = { headerBytes: body.headerBytes, pre, operations: body.operations, stepRoots }
    const at = findFirstDifference(stepRoots, checked.stepRoots) ?? checked.fault?.at
    const evidence =
      typeof at === 'number' ? proveStep(context, this.ledger, batch, at) : proveEnd(context, this.ledger, batch)
    return [publish(hash, evidence)]
  }

  private headerOf(hash: Uint8Array): Uint8Array | undefined {
    const known = [...(this.parts.get(keyOf(hash, 'data')) ?? []), ...(this.parts.get(keyOf(hash, 'steps')) ?? [])]
    return known[0]?.headerBytes ?? this.peers.get(toHex(hash))?.headerBytes
  }

  /** Header and operations that hash to what was anchored, from peers or from Bitcoin. */
  private bodyOf(hash: Uint8Array): Body | undefined {
    const parts = this.parts.get(keyOf(hash, 'data')) ?? []
    const served = this.peers.get(toHex(hash))
    const headerBytes = this.headerOf(hash)
    const header = headerBytes && decodeHeader(headerBytes)
    if (headerBytes === undefined || header === undefined) return undefined
    const operations = served?.operations ?? joined(parts, header.opCount, (part) => part.operations)
    if (operations?.length !== header.opCount) return undefined
    const root = merkleRoot(concatBytes(...operations.map(operationId)))
    return equalBytes(root, header.opsRoot) ? { header, headerBytes, operations } : undefined
  }

  private stepsOf(hash: Uint8Array, header: Header): Uint8Array | undefined {
    const served = this.peers.get(toHex(hash))?.stepRoots
    const rows = joined(this.parts.get(keyOf(hash, 'steps')) ?? [], header.opCount, (part) => rowsOf(part.stepRoots))
    const stepRoots = served ?? (rows && concatBytes(...rows))
    const proven = stepRoots && equalBytes(merkleRoot(stepLeaves(header.pre, stepRoots)), header.stepsRoot)
    return proven ? stepRoots : undefined
  }
}

interface Moment {
  readonly chain: Chain
  readonly live: readonly Uint8Array[]
}

interface Body {
  readonly header: Header
  readonly headerBytes: Uint8Array
  readonly operations: readonly Uint8Array[]
}

function publish(hash: Uint8Array, evidence: Evidence): L1Transaction {
  return evidenceTransaction(hash, encodeEvidence(evidence))
}

const keyOf = (hash: Uint8Array, data: DataKind): string => `${data} ${toHex(hash)}`

function rowsOf(row: Uint8Array): Uint8Array[] {
  return Array.from({ length: row.length / 32 }, (_, at) => row.slice(32 * at, 32 * at + 32))
}

/** Leaves of runs that may overlap, as one list; undefined while one is missing. */
function joined(
  parts: readonly Part[],
  count: number,
  leavesOf: (part: Part) => readonly Uint8Array[],
): Uint8Array[] | undefined {
  const leaves = new Map<number, Uint8Array>()
  for (const part of parts) for (const [at, leaf] of leavesOf(part).entries()) leaves.set(part.start + at, leaf)
  const list = Array.from({ length: leaves.size }, (_, at) => leaves.get(at))
  if (parts.length === 0 || list.length !== count) return undefined
  return list.filter((leaf) => leaf !== undefined)
}
