import { concatBytes, equalBytes } from './bytes.ts'
import { Reader, Writer } from './codec.ts'
import { decodeHeader, type Header, headerHash, MAX_HEADER_BYTES } from './header.ts'
import { computeRoot, MerkleLog, rowOf } from './merkle.ts'
import type { DataKind } from './message.ts'
import { MAX_OPERATION_BYTES, operationId } from './operation.ts'
import { stepLeaves } from './steps.ts'

/**
 * A run of a batch's operations or step roots with what proves it against the header: how data are answered for on
 * Bitcoin, and sent between peers (there as one part that holds everything). Each part is judged alone.
 */
export interface Part {
  readonly header: Header
  readonly headerBytes: Uint8Array
  readonly start: number
  readonly count: number
  /** Of kind `data`: views of the part's bytes. */
  readonly operations: readonly Uint8Array[]
  /** Of kind `steps`: a row. */
  readonly stepRoots: Uint8Array
}

/** The longest part that peers send each other, bytes: 4 MiB, and 16 where watchers vouch for batches. */
export const MAX_PART = 4 * 2 ** 20
export const MAX_CERTIFIED_PART = 4 * MAX_PART

export interface PartSource {
  readonly headerBytes: Uint8Array
  readonly pre: Uint8Array
  readonly operations: readonly Uint8Array[]
  readonly stepRoots: Uint8Array
}

/** The part that holds everything: it needs no helpers. */
export function encodeWhole(kind: DataKind, source: PartSource): Uint8Array {
  return encodePart(kind, source, new MerkleLog(), 0, leafCount(kind, source))
}

/** Operations one behind the other, each behind a u16 length, as a `data` part holds them. */
export function encodeRun(operations: readonly Uint8Array[]): Uint8Array {
  const writer = new Writer(operations.reduce((bytes, { length }) => bytes + 2 + length, 0))
  for (const operation of operations) writer.sized(operation)
  return writer.bytes
}

/** Views of the bytes; undefined unless they are such a run. */
export function decodeRun(bytes: Uint8Array): Uint8Array[] | undefined {
  const reader = new Reader(bytes)
  const operations: Uint8Array[] = []
  while (reader.left > 0 && !reader.failed) operations.push(reader.sizedView(MAX_OPERATION_BYTES))
  return reader.done ? operations : undefined
}

/** The whole `data` part of a batch whose operations stand in these runs. */
export function joinRuns(headerBytes: Uint8Array, count: number, runs: readonly Uint8Array[]): Uint8Array {
  const writer = new Writer(1 << 12).sized(headerBytes).u32(0).u32(count)
  for (const run of runs) writer.fixed(run, run.length)
  return writer.hashes([]).bytes
}

/** The operations of a whole `data` part that this node has judged before: views, read without their proof. */
export function readWhole(bytes: Uint8Array): Uint8Array[] {
  const reader = new Reader(bytes)
  reader.sized(MAX_HEADER_BYTES)
  reader.u32()
  return readOperations(reader, reader.u32())
}

/** The part that holds nothing but the header: all that anybody need show of a batch that watchers vouch for. */
export function encodeHeaderPart(
  kind: DataKind,
  { headerBytes, pre }: Pick<PartSource, 'headerBytes' | 'pre'>,
): Uint8Array {
  return encodeWhole(kind, { headerBytes, pre, operations: [], stepRoots: new Uint8Array(0) })
}

/** Parts of at most `limit` leaves each; one of no leaves for an empty batch. */
export function encodeParts(kind: DataKind, source: PartSource, limit: number): Uint8Array[] {
  const total = leafCount(kind, source)
  const log = new MerkleLog()
  log.append(kind === 'data' ? rowOf(source.operations.map(operationId)) : stepLeaves(source.pre, source.stepRoots))
  const parts: Uint8Array[] = []
  for (let start = 0; start < Math.max(total, 1); start += limit) {
    parts.push(encodePart(kind, source, log, start, Math.min(limit, total - start)))
  }
  return parts
}

function leafCount(kind: DataKind, source: PartSource): number {
  return kind === 'data' ? source.operations.length : source.stepRoots.length / 32
}

function encodePart(kind: DataKind, source: PartSource, log: MerkleLog, start: number, count: number): Uint8Array {
  const writer = new Writer(1 << 12).sized(source.headerBytes).u32(start).u32(count)
  if (kind === 'data') {
    for (const operation of source.operations.slice(start, start + count)) writer.sized(operation)
  } else {
    const row = concatBytes(source.pre, source.stepRoots).subarray(
      32 * firstLeaf(kind, start),
      32 * (start + count + 1),
    )
    writer.fixed(row, row.length)
  }
  const first = firstLeaf(kind, start)
  return writer.hashes(log.count === 0 ? [] : log.prove(first, start + count - first)).bytes
}

/**
 * The first leaf that a run from `start` shows. A run of steps begins with the pair before it: were each pair shown in
 * one part only, a tree whose neighbours disagree could be answered for in parts that end where it breaks.
 */
function firstLeaf(kind: DataKind, start: number): number {
  return kind === 'steps' && start > 0 ? start - 1 : start
}

/** Undefined unless the bytes are a part of the batch with this header hash, and prove it. */
export function decodePart(kind: DataKind, hash: Uint8Array, bytes: Uint8Array): Part | undefined {
  const reader = new Reader(bytes)
  const headerBytes = reader.sized(MAX_HEADER_BYTES)
  const [start, count] = [reader.u32(), reader.u32()]
  const header = decodeHeader(headerBytes)
  if (header === undefined || !equalBytes(headerHash(headerBytes), hash)) return undefined
  if (start + count > header.opCount || (count === 0 && !mayShowNothing(header, start))) return undefined
  const first = firstLeaf(kind, start)
  const operations = kind === 'data' ? readOperations(reader, count) : []
  const roots = kind === 'steps' ? readRoots(reader, start + count - first + 1) : new Uint8Array(0)
  const helpers = reader.hashes(64)
  if (!reader.done) return undefined
  if (kind === 'steps' && start === 0 && !equalBytes(roots.subarray(0, 32), header.pre)) return undefined
  const leaves =
    kind === 'data' ? operations.map(operationId) : rows(stepLeaves(roots.subarray(0, 32), roots.subarray(32)))
  const root = kind === 'data' ? header.opsRoot : header.stepsRoot
  if (!provesRun(header.opCount, first, leaves, helpers, root)) return undefined
  return { header, headerBytes, start, count, operations, stepRoots: roots.slice(32 * (start - first + 1)) }
}

/** A batch that watchers vouch for is answered for by its header. */
function mayShowNothing(header: Header, start: number): boolean {
  return header.opCount === 0 || (header.certificate !== undefined && start === 0)
}

function provesRun(
  total: number,
  start: number,
  leaves: readonly Uint8Array[],
  helpers: readonly Uint8Array[],
  root: Uint8Array,
): boolean {
  if (leaves.length === 0) return helpers.length === 0
  const indices = leaves.map((_, at) => start + at)
  const computed = computeRoot(total, indices, leaves, helpers)
  return computed !== undefined && equalBytes(computed, root)
}

function readOperations(reader: Reader, count: number): Uint8Array[] {
  const operations: Uint8Array[] = []
  for (let at = 0; at < count && !reader.failed; at++) operations.push(reader.sizedView(MAX_OPERATION_BYTES))
  return operations
}

function readRoots(reader: Reader, count: number): Uint8Array {
  // A count that says more than is there fails at the helpers, for nothing is left for them.
  return reader.fixed(Math.min(32 * count, reader.left))
}

function rows(row: Uint8Array): Uint8Array[] {
  return Array.from({ length: row.length / 32 }, (_, at) => row.subarray(32 * at, 32 * (at + 1)))
}
