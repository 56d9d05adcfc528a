import { equalBytes } from './bytes.ts'
import { Reader, Writer } from './codec.ts'
import type { VoidCause } from './events.ts'
import type { EvidenceFault } from './evidence.ts'
import { decodeHeader, type Header, headerHash, MAX_HEADER_BYTES, type Origin } from './header.ts'
import { computePrefix, computeRoot, MerkleLog, rowOf } from './merkle.ts'
import { type Anchor, markedHeight, markOf, marksOrigin } from './message.ts'
import { MAX_OPERATION_BYTES, operationId } from './operation.ts'
import type { Params } from './params.ts'
import {
  decodeReceipt,
  encodeReceipt,
  MAX_RECEIPT_BYTES,
  type Receipt,
  type Tick,
  verifyReceipt,
  verifyTick,
} from './receipt.ts'

/**
 * Whether the sequencer broke a promise, by one receipt, or by a tick alone, and what Bitcoin shows. Nothing here voids a batch or moves money
 * by itself: watchers judge by it before they sign away the bond, and nodes show it. So it is no part of the chain's
 * derivation, but everybody who sees the same best chain judges alike.
 */

/** What is shown against the sequencer. */
export interface BrokenPromise {
  /**
   * What was promised a place, and the receipt for it. Without an operation it is the tick by itself: it promises that
   * the batch begins with what it signs, whoever was given a receipt for that.
   */
  readonly operation: Uint8Array
  readonly receipt: Uint8Array
  /** The header that the tick names as its parent, where its table is in question; else empty. */
  readonly parent: Uint8Array
  /** The header that was anchored under the tick's number; empty where no batch was. */
  readonly header: Uint8Array
  /** What the batch has instead. */
  readonly instead: Instead | undefined
}

/**
 * In the promised place: an operation's id, and its path. Or, beside a tick by itself, as its first operations: the nodes
 * that give their root (`computePrefix`).
 */
export type Instead =
  | { readonly id: Uint8Array; readonly path: readonly Uint8Array[] }
  | { readonly nodes: readonly Uint8Array[] }

/** What Bitcoin's best chain shows. */
export interface PromiseFacts {
  /** Of its tip. */
  readonly height: number
  blockHash(height: number): Uint8Array | undefined
  link(number: number): ShownLink | undefined
}

/** A link as it was written, whatever became of it. */
export interface ShownLink {
  /** Undefined for a spend that closed the chain. The mark is that of a batch without effect: another's is right. */
  readonly anchor: (Pick<Anchor, 'kind' | 'headerHash' | 'word'> & { readonly mark?: Uint8Array }) | undefined
  readonly height: number
  /** Without effect. */
  readonly isNull?: boolean
  readonly voided?: { readonly cause: VoidCause; readonly fault?: EvidenceFault | string }
}

/**
 * How it was broken:
 * - `parent`: the tick names another parent than the link before its batch
 * - `table`: that link fixes another table than the one that the tick is signed in
 * - `never-came`: no link took the number while the origin was young enough
 * - `stale`: the number was taken when its batch could not live any more
 * - `no-batch`: something else took the number, and no batch that it was to be built on is void, or came too early
 * - `place`: its batch says another number, parent or origin, or is no header at all; or its anchor marks another place,
 *   or it is null for one before it whose mark is false
 * - `operation`: another operation stands in the promised place, or none; or the batch begins with others
 * - `void`: its batch was made void for a fault of its own
 */
export type Breach = 'parent' | 'table' | 'never-came' | 'stale' | 'no-batch' | 'place' | 'operation' | 'void'

export type PromiseVerdict =
  | { readonly ok: true; readonly breach: Breach }
  | { readonly ok: false; readonly reason: string }

/**
 * Judges a promise. An honest sequencer's is not found broken when Bitcoin reorganises: under each number it has one
 * anchor and never another, and what it promised there has ended if the origin is gone. Where a second reorganisation
 * brings an origin back, only who saw it leave knows that.
 */
export function judgePromise(params: Params, facts: PromiseFacts, shown: BrokenPromise): PromiseVerdict {
  const { operation, receipt } = shown
  const said = operation.length === 0 ? verifyTick(params, receipt) : verifyReceipt(params, operation, receipt)
  return said.ok ? judgeSaid(params, facts, shown, said) : kept(said.reason)
}

/** What a receipt says, once its signature is known to be the sequencer's. */
export interface Said {
  readonly receipt: Receipt
  /** Of the table that the tick is signed in. */
  readonly nonceRoot: Uint8Array
}

/** As `judgePromise`, of a receipt that was verified before. */
export function judgeSaid(
  params: Params,
  facts: PromiseFacts,
  shown: BrokenPromise,
  { receipt: { tick, opIndex }, nonceRoot }: Said,
): PromiseVerdict {
  if (!isInChain(facts, tick.origin)) return kept('the promise ended with its origin, which is not in the best chain')
  const premise = judgePremise(facts, tick, nonceRoot, shown.parent)
  if (premise !== undefined) return broken(premise)
  const link = facts.link(tick.number)
  const { staleness } = params.windows
  if (link === undefined)
    return facts.height > tick.origin.height + staleness ? broken('never-came') : kept('its batch may still come')
  if (link.height > tick.origin.height + staleness) return broken('stale')
  if (link.anchor?.kind !== 'batch')
    return isBuiltOnNothing(params, facts, tick.number) ? kept('no batch before it counts') : broken('no-batch')
  const { mark } = link.anchor
  if (mark !== undefined && !equalBytes(mark, markOf(tick))) return broken('place')
  if (link.isNull === true && isBuiltOnFalseMark(facts, tick.number)) return broken('place')
  if (!equalBytes(headerHash(shown.header), link.anchor.headerHash)) return kept('the header is not the one anchored')
  const header = decodeHeader(shown.header)
  if (header === undefined || !isInPlace(header, tick)) return broken('place')
  const isWhole = shown.operation.length === 0
  if ((isWhole ? tick.count : opIndex + 1) > header.opCount) return broken('operation')
  const { instead } = shown
  if (instead === undefined) return judgeFate(link)
  if ('nodes' in instead !== isWhole) return kept('what is shown instead is of another kind than what was promised')
  return 'nodes' in instead
    ? judgeBeginning(header, tick, instead.nodes)
    : judgeInstead(header, opIndex, operationId(shown.operation), instead)
}

/** What the tick takes for granted about the link before. A number's anchor is one and the same on every branch. */
function judgePremise(
  facts: PromiseFacts,
  { number, parent }: Tick,
  nonceRoot: Uint8Array,
  parentHeader: Uint8Array,
): 'parent' | 'table' | undefined {
  const before = facts.link(number - 1)
  if (before === undefined) return undefined
  if (before.anchor === undefined || !equalBytes(before.anchor.headerHash, parent)) return 'parent'
  if (before.anchor.kind === 'resume') return equalBytes(before.anchor.word, nonceRoot) ? undefined : 'table'
  const header = equalBytes(headerHash(parentHeader), parent) ? decodeHeader(parentHeader) : undefined
  return header === undefined || equalBytes(header.nonceRoot, nonceRoot) ? undefined : 'table'
}

function judgeInstead(
  header: Header,
  index: number,
  promised: Uint8Array,
  { id, path }: { readonly id: Uint8Array; readonly path: readonly Uint8Array[] },
): PromiseVerdict {
  const root = computeRoot(header.opCount, [index], [id], path)
  if (root === undefined || !equalBytes(root, header.opsRoot)) return kept('what is shown instead is not in the batch')
  return equalBytes(id, promised) ? kept('the operation stands in its place') : broken('operation')
}

function judgeBeginning({ opCount, opsRoot }: Header, tick: Tick, nodes: readonly Uint8Array[]): PromiseVerdict {
  const roots = computePrefix(opCount, tick.count, nodes)
  if (roots === undefined || !equalBytes(roots.whole, opsRoot)) return kept('what is shown instead is not in the batch')
  return equalBytes(roots.prefix, tick.opsRoot) ? kept('the batch begins with what was promised') : broken('operation')
}

/**
 * Whether a batch that this one was built on is void, by evidence or a challenge, or came too early: its number is a
 * resume's then. Another batch that is null by itself excuses nothing: it is null because its origin left, and then the
 * promise's has too, or late, or for a mark that is nobody's but the sequencer's.
 */
function isBuiltOnNothing(params: Params, facts: PromiseFacts, number: number): boolean {
  for (let before = number - 1; ; before--) {
    const link = facts.link(before)
    if (link?.anchor === undefined) return false
    if (link.anchor.kind === 'resume') return resumesFromVoid(facts, before, link.anchor.headerHash)
    if (link.voided !== undefined || cameEarly(params, facts, link)) return true
    if (link.isNull !== true) return false
  }
}

/**
 * Whether the origin that a null batch marks is a block less than k below it: a reorganisation of less than k blocks may
 * mine an anchor lower than where it was sent, and leave its origin, and those of the promises on top, where they are.
 */
function cameEarly({ windows }: Params, facts: PromiseFacts, { anchor, height, isNull }: ShownLink): boolean {
  const mark = anchor?.mark
  if (isNull !== true || mark === undefined) return false
  const young = Array.from({ length: windows.originDepth - 1 }, (_, at) => height - 1 - at)
  return young.some((at) => {
    const hash = facts.blockHash(at)
    return hash !== undefined && marksOrigin(mark, { height: at, hash })
  })
}

/**
 * Whether a null batch is so for one before it that marks a block outside the best chain. Origins never decrease, so where
 * the promise's is there, all those that it was built on are: nobody but the sequencer wrote that mark.
 */
function isBuiltOnFalseMark(facts: PromiseFacts, number: number): boolean {
  for (let before = number - 1; ; before--) {
    const link = facts.link(before)
    const mark = link?.anchor?.mark
    if (link?.isNull !== true || mark === undefined) return false
    if (!isMarkInChain(facts, mark, link.height)) return true
  }
}

/** @param below of the link: the block that a mark names is the first one below it whose height ends so */
function isMarkInChain(facts: PromiseFacts, mark: Uint8Array, below: number): boolean {
  const height = markedHeight(mark, below - 1)
  const hash = facts.blockHash(height)
  return hash !== undefined && marksOrigin(mark, { height, hash })
}

/** The head that a resume goes on from may be void only later, or while the resume waits for its block. */
function resumesFromVoid(facts: PromiseFacts, resume: number, head: Uint8Array): boolean {
  for (let before = resume - 1; ; before--) {
    const link = facts.link(before)
    if (link?.anchor === undefined) return false
    const isHead = link.anchor.kind === 'batch' && equalBytes(link.anchor.headerHash, head)
    if (isHead && link.isNull !== true) return link.voided !== undefined
  }
}

/** What became of a batch that holds what was promised, as far as anybody shows. */
function judgeFate({ voided }: ShownLink): PromiseVerdict {
  const isAtFault = voided !== undefined && voided.cause !== 'ancestor' && voided.fault !== 'lapsed'
  return isAtFault ? broken('void') : kept('nothing else is shown in its place, and its batch is not void for a fault')
}

function isInPlace(header: Header, { number, parent, origin }: Tick): boolean {
  return header.number === number && equalBytes(header.parent, parent) && isOrigin(header.origin, origin)
}

function isOrigin(one: Origin, other: Origin): boolean {
  return one.height === other.height && equalBytes(one.hash, other.hash)
}

function isInChain(facts: PromiseFacts, { height, hash }: Origin): boolean {
  const there = facts.blockHash(height)
  return there !== undefined && equalBytes(there, hash)
}

function broken(breach: Breach): PromiseVerdict {
  return { ok: true, breach }
}

function kept(reason: string): PromiseVerdict {
  return { ok: false, reason }
}

/** What somebody knows who follows the chain. */
export interface KnownBatch {
  /** The header under the promised number, its operations' ids if he has them, and the header of its parent. */
  readonly header: Uint8Array
  readonly ids: readonly Uint8Array[]
  readonly parent: Uint8Array
}

/** Everything that can be held against a promise. @param known undefined where no batch took the number */
export function showPromise(operation: Uint8Array, receipt: Uint8Array, known: KnownBatch | undefined): BrokenPromise {
  const none = new Uint8Array(0)
  if (known === undefined) return { operation, receipt, parent: none, header: none, instead: undefined }
  const { header, ids, parent } = known
  const index = decodeReceipt(receipt)?.opIndex ?? 0
  const id = ids[index]
  const isElsewhere = id !== undefined && !equalBytes(id, operationId(operation))
  const instead = isElsewhere ? { id, path: pathOf(ids, index) } : undefined
  return { operation, receipt, parent, header, instead }
}

function pathOf(ids: readonly Uint8Array[], index: number): Uint8Array[] {
  const log = new MerkleLog()
  log.append(rowOf(ids))
  return log.prove(index)
}

/** What somebody knows who follows the chain and has the batch. */
export interface KnownOperations {
  readonly header: Uint8Array
  readonly parent: Uint8Array
  /** The ids of its operations; undefined where he lacks them. */
  readonly log: MerkleLog | undefined
}

/** Everything that can be held against a tick by itself. @param known undefined where no batch took the number */
export function showTick(receipt: Receipt, known: KnownOperations | undefined): BrokenPromise {
  const none = new Uint8Array(0)
  const tick = { operation: none, receipt: encodeReceipt({ ...receipt, opIndex: 0, path: [] }) }
  if (known === undefined) return { ...tick, parent: none, header: none, instead: undefined }
  const { header, parent, log } = known
  return { ...tick, parent, header, instead: log && beginning(receipt.tick, log) }
}

/** Undefined where the tick signs what the batch begins with, or more than it has. */
function beginning({ count, opsRoot }: Tick, log: MerkleLog): Instead | undefined {
  if (count < 1 || count > log.count || equalBytes(log.root(count), opsRoot)) return undefined
  return { nodes: log.provePrefix(count) }
}

export function encodeBrokenPromise({ operation, receipt, parent, header, instead }: BrokenPromise): Uint8Array {
  const writer = new Writer().sized(operation).sized(receipt).sized(parent).sized(header)
  if (instead === undefined) return writer.u8(FORMS.nothing).bytes
  return 'nodes' in instead
    ? writer.u8(FORMS.beginning).hashes(instead.nodes).bytes
    : writer.u8(FORMS.place).hash(instead.id).hashes(instead.path).bytes
}

export function decodeBrokenPromise(bytes: Uint8Array): BrokenPromise | undefined {
  const reader = new Reader(bytes)
  const [operation, receipt] = [reader.sized(MAX_OPERATION_BYTES), reader.sized(MAX_RECEIPT_BYTES)]
  const [parent, header] = [reader.sized(MAX_HEADER_BYTES), reader.sized(MAX_HEADER_BYTES)]
  const instead = readInstead(reader)
  return reader.done ? { operation, receipt, parent, header, instead } : undefined
}

function readInstead(reader: Reader): Instead | undefined {
  const form = reader.u8()
  if (form === FORMS.place) return { id: reader.hash(), path: reader.hashes(MAX_PATH) }
  if (form === FORMS.beginning) return { nodes: reader.hashes(MAX_PATH + 1) }
  if (form !== FORMS.nothing) reader.failed = true
  return undefined
}

const FORMS = { nothing: 0, place: 1, beginning: 2 } as const
const MAX_PATH = 32
