import type { BatchPlace } from '../src/batch.ts'
import { type Header, headerHash, type Origin } from '../src/header.ts'
import { MerkleLog, rowOf } from '../src/merkle.ts'
import { markOf } from '../src/message.ts'
import { operationId } from '../src/operation.ts'
import { type BrokenPromise, type PromiseFacts, type ShownLink, showTick } from '../src/promise.ts'
import { encodeReceipt, type Receipt, type Tick } from '../src/receipt.ts'
import { operation } from './payments.ts'
import { type Batch, commit } from './rollup.ts'
import { signTick, tableRootOf } from './slots.ts'
import { bytes32, network, params } from './world.ts'

/** A promise that was kept, and ways in which it might not have been. */

export interface Setting {
  /** Of the tick. */
  readonly tick: Partial<Tick>
  /** Of the anchored header. */
  readonly header: Partial<Header>
  /** How many operations the batch has, and which one stands in the promised place. */
  readonly count: number
  readonly placed: Uint8Array
  /** Links of the best chain in place of what an honest sequencer wrote; null for none. */
  readonly before: Partial<ShownLink> | null
  /** Those before it, the newest last. */
  readonly earlier: readonly ShownLink[]
  readonly link: Partial<ShownLink> | null
  /** What the batch's anchor marks, where it is without effect. */
  readonly mark: Uint8Array | undefined
  /** The tip's height. */
  readonly height: number
  /** The tick is shown by itself, and not the receipt. */
  readonly isWhole: boolean
  readonly shown: Partial<BrokenPromise>
}

const ORIGIN: Origin = { height: 120, hash: bytes32(120) }
const INDEX = 2
const PROMISED = 5
const NUMBER = 7

const honest: Setting = {
  ...{ tick: {}, header: {}, count: 6, placed: operation },
  ...{ before: {}, earlier: [], link: {}, mark: undefined, height: 125 },
  ...{ isWhole: false, shown: {} },
}

/** Block h of the best chain has the hash of 32 bytes h. */
function factsOf(height: number, links: ReadonlyMap<number, ShownLink>): PromiseFacts {
  return {
    height,
    blockHash: (at) => (at >= params.scanHeight && at <= height ? bytes32(at) : undefined),
    link: (number) => links.get(number),
  }
}

/** The parent is batch 6, whose header fixes the table of batch 7. */
const parent = batchOf(
  { network, number: NUMBER - 1, parent: bytes32(5), origin: { height: 110, hash: bytes32(110) } },
  [],
)

function batchOf(place: BatchPlace, operations: readonly Uint8Array[], instead: Partial<Header> = {}): Batch {
  return commit(
    place,
    { pre: bytes32(1), operations, stepRoots: new Uint8Array(32 * operations.length).fill(9) },
    instead,
  )
}

export function promiseCase(change: Partial<Setting> = {}): {
  readonly facts: PromiseFacts
  readonly links: ReadonlyMap<number, ShownLink>
  readonly shown: BrokenPromise
} {
  const setting = { ...honest, ...change }
  const others = Array.from({ length: setting.count }, (_, at) => bytes32(at + 1))
  const promised = Array.from({ length: PROMISED }, (_, at) => (at === INDEX ? operation : bytes32(at + 1)))
  const log = logOf(promised)
  const place = { number: NUMBER, parent: parent.hash, origin: ORIGIN }
  const tick = { ...place, index: 3, count: PROMISED, opsRoot: log.root(), ...setting.tick }
  const receipt = { ...signTick(tick), opIndex: INDEX, path: log.prove(INDEX) }
  const sealed = others.map((bytes, at) => (at === INDEX ? setting.placed : bytes))
  const batch = batchOf({ network, ...place }, sealed, setting.header)
  const links = new Map<number, ShownLink>()
  const kind = 'batch' as const
  for (const [at, link] of setting.earlier.entries()) links.set(6 - setting.earlier.length + at, link)
  if (setting.before !== null)
    links.set(6, { anchor: { kind, headerHash: parent.hash, word: bytes32(1) }, height: 112, ...setting.before })
  const { mark } = setting
  const anchor = { kind, headerHash: batch.hash, word: bytes32(1), ...(mark && { mark }) }
  if (setting.link !== null) links.set(7, { anchor, height: 122, ...(mark && { isNull: true }), ...setting.link })
  const header = batch.headerBytes
  const known = { header, parent: new Uint8Array(0), log: logOf(sealed) }
  const shown = setting.isWhole ? showTick(receipt, known) : showPlace(receipt, header, setting.placed, sealed)
  return { facts: factsOf(setting.height, links), links, shown: { ...shown, ...setting.shown } }
}

function showPlace(
  receipt: Receipt,
  header: Uint8Array,
  placed: Uint8Array,
  sealed: readonly Uint8Array[],
): BrokenPromise {
  const isElsewhere = placed !== operation && sealed.length > INDEX
  const instead = isElsewhere ? { id: operationId(placed), path: logOf(sealed).prove(INDEX) } : undefined
  return { operation, receipt: encodeReceipt(receipt), parent: new Uint8Array(0), header, instead }
}

function logOf(operations: readonly Uint8Array[]): MerkleLog {
  const log = new MerkleLog()
  log.append(rowOf(operations.map(operationId)))
  return log
}

const KEPT = 'nothing else is shown in its place, and its batch is not void for a fault'

const resume = (headerHash: Uint8Array, word: Uint8Array) => ({
  anchor: { kind: 'resume' as const, headerHash, word },
})
const UNANSWERED = { cause: 'unanswered' } as const
const none = { header: new Uint8Array(0) }
const elsewhere: Origin = { height: 119, hash: bytes32(119) }

/** What each leads to: a breach, or why it is none. */
export const promiseCases: readonly (readonly [string, string, Partial<Setting>])[] = [
  ['kept: it is in its place', KEPT, {}],
  ['kept: behind a resume', KEPT, { before: resume(parent.hash, tableRootOf(7)) }],
  ['kept: the parent’s header is shown, and has the table', KEPT, { shown: { parent: parent.headerBytes } }],
  ['no breach: the batch may still come', 'its batch may still come', { link: null, shown: none, height: 140 }],
  [
    'no breach: the origin left',
    'the promise ended with its origin, which is not in the best chain',
    { tick: { origin: { height: 120, hash: bytes32(1) } } },
  ],
  ['no breach: an ancestor was void', KEPT, { link: { voided: { cause: 'ancestor' } } }],
  ['no breach: the header shown is another', 'the header is not the one anchored', { shown: { header: bytes32(1) } }],
  ['no breach: the operation stands there', 'the operation stands in its place', { shown: { instead: inPlace() } }],
  ['no breach: not in the batch', 'what is shown instead is not in the batch', { shown: { instead: nowhere() } }],
  ['no breach: not signed', 'the receipt is for another operation', { shown: { operation: operation.with(60, 1) } }],
  ['parent: the link before is another batch’s', 'parent', { before: { anchor: other() } }],
  ['parent: the link before resumes from another header', 'parent', { before: resume(bytes32(3), tableRootOf(7)) }],
  ['parent: the link before closed the chain', 'parent', { before: { anchor: undefined } }],
  ['table: the resume fixes another', 'table', { before: resume(parent.hash, tableRootOf(8)) }],
  ['table: the parent’s header fixes another', 'table', ofAnotherTable()],
  ['never-came: the origin grew too old', 'never-came', { link: null, shown: none, height: 141 }],
  ['never-came: and the link before neither', 'never-came', { before: null, link: null, shown: none, height: 141 }],
  ['no-batch: a resume', 'no-batch', { link: resume(parent.hash, tableRootOf(8)), shown: none }],
  ['no breach: a resume behind a void batch', 'no batch before it counts', behind({ voided: { cause: 'unanswered' } })],
  ['no-batch: a resume behind a null batch', 'no-batch', behind({ isNull: true })],
  ['no breach: the head resumed from is void since', 'no batch before it counts', resumedFrom({ voided: UNANSWERED })],
  [
    'no breach: the head was void while the resume waited',
    'no batch before it counts',
    resumedFrom({ voided: UNANSWERED }, { isNull: true }),
  ],
  ['no-batch: the head resumed from lives', 'no-batch', resumedFrom({})],
  ['no-batch: it was null, one of its header before it is void', 'no-batch', resumedFrom({ isNull: true })],
  ['no-batch: what was void before is no head of the resume', 'no-batch', resumedFrom({}, {}, { voided: UNANSWERED })],
  ['no-batch: the chain was closed', 'no-batch', { link: { anchor: undefined }, shown: none }],
  ['stale: anchored a block too late', 'stale', { link: { height: 141 }, height: 141 }],
  [
    'stale: so is whatever else takes the number',
    'stale',
    { link: { ...resume(parent.hash, tableRootOf(8)), height: 141 }, height: 141, shown: none },
  ],
  ['kept: anchored in the last block', KEPT, { link: { height: 140 }, height: 141 }],
  ['place: another origin', 'place', { header: { origin: elsewhere } }],
  ['place: an origin that is no block', 'place', { header: { origin: { height: 120, hash: bytes32(1) } } }],
  ['place: another parent', 'place', { header: { parent: bytes32(1) } }],
  ['place: another number', 'place', { header: { number: 8 } }],
  ['place: no header', 'place', noHeader()],
  ['place: without effect, as its anchor marks another origin', 'place', { mark: markOf(marked(elsewhere)) }],
  ['place: and nobody has its header', 'place', { mark: markOf(marked(elsewhere)), shown: none }],
  ['kept: without effect, though its anchor marks its place', KEPT, { mark: markOf(marked(ORIGIN)) }],
  ['place: and the batch before it marks a block that is none', 'place', nullOn({ height: 110, hash: bytes32(1) })],
  ['kept: and so is the batch before it, whose mark is right', KEPT, nullOn(parent.header.origin)],
  ['operation: another', 'operation', { placed: bytes32(0xee) }],
  ['operation: none', 'operation', { count: 2 }],
  ['void: by evidence', 'void', { link: { voided: { cause: 'evidence', fault: 'wrong-root' } } }],
  ['void: unanswered', 'void', { link: { voided: { cause: 'unanswered' } } }],
  ['a tick by itself, kept: the batch begins so', KEPT, { isWhole: true }],
  ['a tick by itself, kept: and goes on', KEPT, { isWhole: true, count: 13 }],
  [
    'a tick by itself, no breach: the nodes show that it begins so',
    'the batch begins with what was promised',
    { isWhole: true, shown: { instead: { nodes: logOf(honestly(6)).provePrefix(PROMISED) } } },
  ],
  [
    'a tick by itself, no breach: the nodes are another batch’s',
    'what is shown instead is not in the batch',
    { isWhole: true, shown: { instead: { nodes: logOf(honestly(6).with(1, bytes32(0xee))).provePrefix(PROMISED) } } },
  ],
  [
    'a tick by itself, no breach: the nodes are of a batch of another length',
    'what is shown instead is not in the batch',
    { isWhole: true, shown: { instead: { nodes: logOf(honestly(7)).provePrefix(PROMISED) } } },
  ],
  [
    'a tick by itself, no breach: a place is shown',
    'what is shown instead is of another kind than what was promised',
    { isWhole: true, shown: { instead: inPlace() } },
  ],
  [
    'a tick by itself, no breach: not signed',
    'the receipt does not decode',
    { isWhole: true, shown: { receipt: bytes32(1) } },
  ],
  ['a tick by itself, operation: the batch begins with others', 'operation', { isWhole: true, placed: bytes32(0xee) }],
  ['a tick by itself, operation: in a larger batch', 'operation', { isWhole: true, placed: bytes32(0xee), count: 13 }],
  ['a tick by itself, operation: the batch ends before', 'operation', { isWhole: true, count: 4 }],
  ['a tick by itself, never-came', 'never-came', { isWhole: true, link: null, shown: none, height: 141 }],
  [
    'a tick by itself, table: the resume fixes another',
    'table',
    { isWhole: true, before: resume(parent.hash, tableRootOf(8)) },
  ],
  [
    'a tick by itself, no breach: an ancestor was void',
    KEPT,
    { isWhole: true, link: { voided: { cause: 'ancestor' } } },
  ],
]

function honestly(count: number): Uint8Array[] {
  return Array.from({ length: count }, (_, at) => (at === INDEX ? operation : bytes32(at + 1)))
}

/** It is null, as the batch before it is. */
function nullOn(origin: Origin): Partial<Setting> {
  const mark = markOf({ origin, parent: parent.header.parent })
  const anchor = { kind: 'batch' as const, headerHash: parent.hash, word: bytes32(1), mark }
  return { mark: markOf(marked(ORIGIN)), before: { anchor, isNull: true } }
}

function marked(origin: Origin) {
  return { origin, parent: parent.hash }
}

function behind(before: Partial<ShownLink>): Partial<Setting> {
  return { before, link: resume(bytes32(5), tableRootOf(8)), shown: none }
}

/** The tick is signed behind a resume from its parent; a second resume takes its number. */
function resumedFrom(
  head: Partial<ShownLink>,
  resumed: Partial<ShownLink> = {},
  between: Partial<ShownLink> = {},
): Partial<Setting> {
  const anchor = { kind: 'batch' as const, headerHash: parent.hash, word: bytes32(1) }
  const earlier = [
    { anchor, height: 110, ...head },
    { anchor: other(), height: 111, ...between },
  ]
  return { ...behind({ ...resume(parent.hash, tableRootOf(7)), ...resumed }), earlier }
}

function inPlace() {
  return { id: operationId(operation), path: logOf(honestly(6)).prove(INDEX) }
}

function nowhere() {
  return { ...inPlace(), id: bytes32(1) }
}

function other(): ShownLink['anchor'] {
  return { kind: 'batch', headerHash: bytes32(3), word: bytes32(1) }
}

/** The tick's parent is a header whose table is not the one that it is signed in. */
function ofAnotherTable(): Partial<Setting> {
  const { hash, headerBytes } = batchOf({ ...parent.header, parent: bytes32(4) }, [], { nonceRoot: bytes32(2) })
  const anchor = { kind: 'batch' as const, headerHash: hash, word: bytes32(1) }
  return { tick: { parent: hash }, header: { parent: hash }, before: { anchor }, shown: { parent: headerBytes } }
}

function noHeader(): Partial<Setting> {
  const header = bytes32(1)
  return { shown: { header }, link: { anchor: { kind: 'batch', headerHash: headerHash(header), word: bytes32(1) } } }
}
