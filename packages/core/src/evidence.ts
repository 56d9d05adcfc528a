import { equalBytes, isZero } from './bytes.ts'
import { type Account, CELL_BYTES, decodeAccount, encodeAccount } from './cell.ts'
import { Reader, Writer } from './codec.ts'
import { batchLimits, type Facts, findDue, findDutyFault, skippedDue } from './duty.ts'
import { hashPair, hashRecord, ZERO_HASH, zeroHash } from './hash.ts'
import {
  type AnchoredLink,
  decodeHeader,
  genesisEnd,
  type Header,
  type HeaderFault,
  hasLapsed,
  headerHash,
  judgeHeader,
  MAX_HEADER_BYTES,
  parentEndOf,
} from './header.ts'
import { computeRoot, depthOf } from './merkle.ts'
import {
  applyOperation,
  type Cells,
  type Context,
  decodeOperation,
  MissingCellError,
  type Operation,
  operationId,
  type Refusal,
  touchedCells,
} from './operation.ts'
import type { Params } from './params.ts'
import { decodeTotals, stateRoot, TOTALS_BYTES, type Totals } from './totals.ts'

/** What shows on Bitcoin that a batch is faulty. Every node judges it alike, with or without the batch's data. */
export type Evidence = HeaderEvidence | StepEvidence | EndEvidence

export interface HeaderEvidence {
  readonly claim: 'header'
  /** The bytes that hash to the anchored header hash, whether or not they decode. */
  readonly header: Uint8Array
  /** The parent's header; empty where the parent is genesis. */
  readonly parent: Uint8Array
  /** The parent's parent's, where that one fixes the table that the parent is signed in; else empty. */
  readonly grandparent: Uint8Array
}

/** One side of a step tree's leaf each, with its path. */
export interface StepPair {
  readonly before: Uint8Array
  readonly after: Uint8Array
  readonly helpers: readonly Uint8Array[]
}

export interface Opening {
  readonly cellsRoot: Uint8Array
  readonly totals: Uint8Array
}

export interface StepEvidence {
  readonly claim: 'step'
  readonly header: Uint8Array
  readonly index: number
  readonly operation: Uint8Array
  readonly opHelpers: readonly Uint8Array[]
  readonly step: StepPair
  /** The state before the step. */
  readonly opening: Opening
  /** The touched cells that exist, ascending. */
  readonly cells: readonly Uint8Array[]
  readonly cellHelpers: readonly Uint8Array[]
}

export interface EndEvidence {
  readonly claim: 'end'
  readonly header: Uint8Array
  readonly step: StepPair
  /** The state after the last step. */
  readonly opening: Opening
}

export type EvidenceFault = HeaderFault | Refusal | 'wrong-root' | 'post-is-not-last-step'
export type Verdict =
  | { readonly ok: true; readonly fault: EvidenceFault }
  | { readonly ok: false; readonly reason: string }

const MAX_EVIDENCE_BYTES = 8192
const CLAIMS = { header: 1, step: 2, end: 3 } as const
const MAX_HELPERS = 128

export function encodeEvidence(evidence: Evidence): Uint8Array {
  const writer = new Writer(4096).u8(CLAIMS[evidence.claim]).sized(evidence.header)
  if (evidence.claim === 'header') return writer.sized(evidence.parent).sized(evidence.grandparent).bytes
  if (evidence.claim === 'step') writer.u32(evidence.index).sized(evidence.operation).hashes(evidence.opHelpers)
  const { step, opening } = evidence
  writer
    .hash(step.before)
    .hash(step.after)
    .hashes(step.helpers)
    .hash(opening.cellsRoot)
    .fixed(opening.totals, TOTALS_BYTES)
  if (evidence.claim === 'end') return writer.bytes
  writer.u8(evidence.cells.length)
  for (const cell of evidence.cells) writer.fixed(cell, CELL_BYTES)
  return writer.hashes(evidence.cellHelpers).bytes
}

/** A header claim may carry bytes that are no header; everything else is of bounded form. */
export function decodeEvidence(bytes: Uint8Array): Evidence | undefined {
  if (bytes.length > MAX_EVIDENCE_BYTES) return undefined
  const reader = new Reader(bytes)
  const claim = reader.u8()
  const evidence =
    claim === CLAIMS.header
      ? readHeaderClaim(reader)
      : claim === CLAIMS.step
        ? readStepClaim(reader)
        : claim === CLAIMS.end
          ? readEndClaim(reader)
          : undefined
  return reader.done ? evidence : undefined
}

function readHeaderClaim(reader: Reader): HeaderEvidence {
  const [header, parent, grandparent] = [
    reader.sized(MAX_HEADER_BYTES),
    reader.sized(MAX_HEADER_BYTES),
    reader.sized(MAX_HEADER_BYTES),
  ]
  return { claim: 'header', header, parent, grandparent }
}

function readStepClaim(reader: Reader): StepEvidence {
  const header = reader.sized(MAX_HEADER_BYTES)
  const index = reader.u32()
  const operation = reader.sized(MAX_EVIDENCE_BYTES)
  const opHelpers = reader.hashes(MAX_HELPERS)
  const step = readPair(reader)
  const opening = readOpening(reader)
  const cells = readCells(reader)
  return {
    claim: 'step',
    header,
    index,
    operation,
    opHelpers,
    step,
    opening,
    cells,
    cellHelpers: reader.hashes(MAX_HELPERS),
  }
}

function readEndClaim(reader: Reader): EndEvidence {
  return { claim: 'end', header: reader.sized(MAX_HEADER_BYTES), step: readPair(reader), opening: readOpening(reader) }
}

/** No operation touches more than two. */
function readCells(reader: Reader): Uint8Array[] {
  const count = reader.u8()
  if (count > 2) reader.failed = true
  return reader.failed ? [] : Array.from({ length: count }, () => reader.fixed(CELL_BYTES))
}

function readPair(reader: Reader): StepPair {
  return { before: reader.hash(), after: reader.hash(), helpers: reader.hashes(MAX_HELPERS) }
}

function readOpening(reader: Reader): Opening {
  return { cellsRoot: reader.hash(), totals: reader.fixed(TOTALS_BYTES) }
}

/** What evidence is judged under: the network, Bitcoin, and how signatures are checked. */
export interface Court {
  readonly params: Params
  readonly network: Uint8Array
  readonly facts: Facts
  readonly isSigned: Context['isSigned']
}

/** Judges evidence against an anchored batch. Nothing that is missing is ever taken for granted. */
export function verifyEvidence(court: Court, link: AnchoredLink, evidence: Evidence): Verdict {
  if (!equalBytes(headerHash(evidence.header), link.headerHash))
    return invalid('the header is not the one that was anchored')
  const header = decodeHeader(evidence.header)
  if (evidence.claim === 'header') return verifyHeaderClaim(court, link, evidence, header)
  if (header === undefined) return invalid('the header does not decode: this takes a header claim')
  if (hasLapsed(court.params, court.facts, link.anchorHeight, header.origin)) return { ok: true, fault: 'lapsed' }
  return evidence.claim === 'step' ? verifyStepClaim(court, header, evidence) : verifyEndClaim(court, header, evidence)
}

function verifyHeaderClaim(
  court: Court,
  link: AnchoredLink,
  evidence: HeaderEvidence,
  header: Header | undefined,
): Verdict {
  const atGenesis = isZero(link.parent)
  const parent = decodeHeader(evidence.parent)
  if (!atGenesis && (parent === undefined || !equalBytes(headerHash(evidence.parent), link.parent)))
    return invalid("the parent's header is missing or another")
  if (atGenesis && evidence.parent.length > 0) return invalid('genesis has no header')
  const table = openTable(link, parent, evidence.grandparent)
  if (!table.ok) return table
  const end = parent === undefined ? genesisEnd(court.params) : parentEndOf(parent, table.nonceRoot)
  const fault = judgeHeader(court.params, court.network, court.facts, link, end, header)
  return fault === undefined ? invalid('the header is in order') : { ok: true, fault }
}

type Table = { readonly ok: true; readonly nonceRoot: Uint8Array | undefined } | (Verdict & { readonly ok: false })

/** The table that the parent is signed in: none behind a resume, that of the resume before it, or its parent's. */
function openTable(link: AnchoredLink, parent: Header | undefined, grandparent: Uint8Array): Table {
  const isNeeded = parent !== undefined && link.nonceRoot === undefined && link.parentNonceRoot === undefined
  if (isNeeded) {
    const header = decodeHeader(grandparent)
    if (header === undefined || !equalBytes(headerHash(grandparent), parent.parent))
      return invalid("the header before the parent's is missing or another")
    return { ok: true, nonceRoot: header.nonceRoot }
  }
  if (grandparent.length > 0) return invalid("the header before the parent's is not needed")
  return { ok: true, nonceRoot: link.nonceRoot === undefined ? link.parentNonceRoot : undefined }
}

function verifyStepClaim(court: Court, header: Header, evidence: StepEvidence): Verdict {
  const { index, step, opening } = evidence
  if (index >= header.opCount) return invalid('no operation has this index')
  if (!provesLeaf(header, index, operationId(evidence.operation), evidence.opHelpers, header.opsRoot))
    return invalid('the operation is not in the batch')
  if (!provesLeaf(header, index, hashPair(step.before, step.after), step.helpers, header.stepsRoot))
    return invalid('the step is not in the batch')
  const totals = openState(opening, step.before)
  if (totals === undefined) return invalid('the totals do not open the state before the step')
  const operation = decodeOperation(evidence.operation)
  if (operation === undefined) return withoutCells(evidence, 'undecodable')
  const due = findDue(batchLimits(court.params), court.facts, header.origin.height, totals, index)
  const dutyFault = findDutyFault(court.params, due, operation)
  if (dutyFault !== undefined) return withoutCells(evidence, dutyFault)
  return judgeExecution(court, header, evidence, totals, operation)
}

function judgeExecution(
  court: Court,
  header: Header,
  evidence: StepEvidence,
  totals: Totals,
  operation: Operation,
): Verdict {
  const witness = openCells(evidence, totals, touchedCells(operation, totals.count))
  if (witness === undefined) return invalid('the cells do not open the state before the step')
  const context: Context = { params: court.params, originHeight: header.origin.height, isSigned: court.isSigned }
  const outcome = applyOperation(context, witness, totals, operation)
  if (!outcome.ok) return { ok: true, fault: outcome.refusal }
  const after = stateRoot(witness.rootWith(outcome.updates), outcome.totals)
  return equalBytes(after, evidence.step.after) ? invalid('the step is right') : { ok: true, fault: 'wrong-root' }
}

function verifyEndClaim(court: Court, header: Header, evidence: EndEvidence): Verdict {
  const { step, opening } = evidence
  const last = header.opCount - 1
  if (last >= 0) {
    if (!provesLeaf(header, last, hashPair(step.before, step.after), step.helpers, header.stepsRoot))
      return invalid('the step is not in the batch')
    if (!equalBytes(step.after, header.post)) return { ok: true, fault: 'post-is-not-last-step' }
  }
  const totals = openState(opening, header.post)
  if (totals === undefined) return invalid('the totals do not open the state after the batch')
  const due = findDue(batchLimits(court.params), court.facts, header.origin.height, totals, header.opCount)
  return due === undefined ? invalid('nothing that was due was skipped') : { ok: true, fault: skippedDue(due) }
}

function provesLeaf(
  header: Header,
  index: number,
  leaf: Uint8Array,
  helpers: readonly Uint8Array[],
  root: Uint8Array,
): boolean {
  const computed = computeRoot(header.opCount, [index], [leaf], helpers)
  return computed !== undefined && equalBytes(computed, root)
}

function openState(opening: Opening, root: Uint8Array): Totals | undefined {
  if (!equalBytes(hashPair(opening.cellsRoot, hashRecord(opening.totals)), root)) return undefined
  return decodeTotals(opening.totals)
}

/** A fault that shows without cells must come without them: one fault, one form. */
function withoutCells(evidence: StepEvidence, fault: Refusal): Verdict {
  return evidence.cells.length + evidence.cellHelpers.length === 0
    ? { ok: true, fault }
    : invalid('cells where none are needed')
}

interface Witness extends Cells {
  rootWith(updates: readonly { readonly cell: number; readonly account: Account }[]): Uint8Array
}

/**
 * The touched cells, proven against the opened cells root. A cell that would be created is proven absent in the tree
 * of the grown depth: where that is one more than before, the old root is its left half.
 */
function openCells(evidence: StepEvidence, totals: Totals, touched: readonly number[]): Witness | undefined {
  const existing = touched.filter((cell) => cell < totals.count)
  if (existing.length !== evidence.cells.length) return undefined
  if (touched.length === 0)
    return evidence.cellHelpers.length === 0 ? witnessOf([], [], 0, [], evidence.opening.cellsRoot, []) : undefined
  const accounts = evidence.cells.map(decodeAccount)
  if (accounts.some((account) => account === undefined)) return undefined
  const count = existing.length === touched.length ? totals.count : totals.count + 1
  const leaves = touched.map((_, at) =>
    at < existing.length ? hashRecord(evidence.cells[at] as Uint8Array) : ZERO_HASH,
  )
  const root = computeRoot(count, touched, leaves, evidence.cellHelpers)
  const [depth, depthBefore] = [depthOf(count), depthOf(totals.count)]
  const before =
    depth > depthBefore ? hashPair(evidence.opening.cellsRoot, zeroHash(depthBefore)) : evidence.opening.cellsRoot
  if (root === undefined || !equalBytes(root, before)) return undefined
  return witnessOf(touched, accounts as Account[], count, evidence.cellHelpers, evidence.opening.cellsRoot, leaves)
}

function witnessOf(
  touched: readonly number[],
  accounts: readonly Account[],
  count: number,
  helpers: readonly Uint8Array[],
  cellsRoot: Uint8Array,
  leaves: readonly Uint8Array[],
): Witness {
  return {
    account(cell) {
      const account = accounts[touched.indexOf(cell)]
      if (account === undefined) throw new MissingCellError(cell)
      return account
    },
    rootWith(updates) {
      // An operation that changes no cell makes none either: the tree keeps its depth.
      if (updates.length === 0) return cellsRoot
      const after = [...leaves]
      for (const { cell, account } of updates) after[touched.indexOf(cell)] = hashRecord(encodeAccount(account))
      return computeRoot(count, touched, after, helpers) as Uint8Array
    },
  }
}

function invalid(reason: string): Verdict & { readonly ok: false } {
  return { ok: false, reason }
}
