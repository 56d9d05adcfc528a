import { type BatchPlace, MAX_OPERATION_BYTES, Reader, Writer } from '@kedge/core'
import { DamagedError, journal, marks, type Store, type Write } from '@kedge/storage'

/** What a crash must not lose of the open batch: its place, and in order what was accepted into it. */
export interface JournalContents {
  /** The batch that was open, with the sequence number of its first group. */
  readonly open: OpenMark | undefined
  /** Groups of operations by sequence number, ascending. */
  readonly groups: readonly JournalGroup[]
}

export interface OpenMark {
  readonly number: number
  readonly parent: Uint8Array
  readonly origin: BatchPlace['origin']
  readonly firstGroup: number
}

export interface JournalGroup {
  readonly sequence: number
  readonly operations: readonly Uint8Array[]
}

const MARK = 'open-batch'

export async function readJournal(store: Store): Promise<JournalContents> {
  const mark = await store.get(marks, MARK)
  const groups: JournalGroup[] = []
  for await (const [sequence, bytes] of store.range(journal)) groups.push({ sequence, operations: decodeGroup(bytes) })
  return { open: mark && decodeMark(mark), groups }
}

export function putGroup(sequence: number, operations: readonly Uint8Array[]): Write {
  const writer = new Writer(2 + operations.length * 180)
  for (const operation of operations) writer.sized(operation)
  return journal.put(sequence, writer.bytes)
}

export function delGroups(sequences: readonly number[]): Write[] {
  return sequences.map((sequence) => journal.del(sequence))
}

export function putOpenMark(mark: OpenMark): Write {
  const writer = new Writer()
    .u32(mark.number)
    .hash(mark.parent)
    .u32(mark.origin.height)
    .hash(mark.origin.hash)
    .u32(mark.firstGroup)
  return marks.put(MARK, writer.bytes)
}

export function delOpenMark(): Write {
  return marks.del(MARK)
}

function decodeMark(bytes: Uint8Array): OpenMark {
  const reader = new Reader(bytes)
  const [number, parent] = [reader.u32(), reader.hash()]
  const mark = { number, parent, origin: { height: reader.u32(), hash: reader.hash() }, firstGroup: reader.u32() }
  if (!reader.done) throw new DamagedError('the mark of the open batch can’t be read')
  return mark
}

function decodeGroup(bytes: Uint8Array): Uint8Array[] {
  const reader = new Reader(bytes)
  const operations: Uint8Array[] = []
  while (reader.left > 0 && !reader.failed) operations.push(reader.sized(MAX_OPERATION_BYTES))
  if (reader.failed) throw new DamagedError('the journal can’t be read')
  return operations
}
