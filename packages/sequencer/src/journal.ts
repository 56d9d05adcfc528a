import { type BatchPlace, decodeRun, encodeRun, Reader, Writer } from '@kedge/core'
import { DamagedError, groupings, groups, journal, marks, type Store, type Write } from '@kedge/storage'

/** What a crash must not lose of the open batch: its place, and in order what was accepted into it. */
export interface JournalContents {
  /** The batch that was open, with the sequence number of its first group. */
  readonly open: OpenMark | undefined
  /** Groups of operations by sequence number, ascending. */
  readonly groups: readonly JournalGroup[]
  /** For the next group. */
  readonly nextSequence: number
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
  const unsealed: JournalGroup[] = []
  for await (const [sequence] of store.range(journal)) unsealed.push(await readGroup(store, sequence))
  const open = mark && decodeMark(mark)
  // A batch that lost its place may have left its mark, and no groups.
  let nextSequence = open?.firstGroup ?? 0
  for await (const [last] of store.range(groups, { reverse: true, limit: 1 }))
    nextSequence = Math.max(nextSequence, last + 1)
  return { open, groups: unsealed, nextSequence }
}

async function readGroup(store: Store, sequence: number): Promise<JournalGroup> {
  const bytes = await store.get(groups, sequence)
  const operations = bytes && decodeRun(bytes)
  if (operations === undefined) throw new DamagedError('the journal can’t be read')
  return { sequence, operations }
}

export function putGroup(sequence: number, operations: readonly Uint8Array[]): Write[] {
  return [groups.put(sequence, encodeRun(operations)), journal.put(sequence, new Uint8Array(0))]
}

/** What they hold stands elsewhere, or nowhere. */
export function delGroups(sequences: readonly number[]): Write[] {
  return sequences.flatMap((sequence) => [groups.del(sequence), journal.del(sequence)])
}

/** They hold a batch's operations, which so need not be written again. At least one. */
export function sealGroups(headerHash: Uint8Array, sequences: readonly number[]): Write[] {
  const [from, last] = [sequences[0], sequences.at(-1)]
  if (from === undefined || last === undefined) throw new RangeError('a batch without groups')
  return [groupings.put(headerHash, { from, to: last + 1 }), ...sequences.map((sequence) => journal.del(sequence))]
}

export function putOpenMark(mark: OpenMark): Write {
  const writer = new Writer()
    .u32(mark.number)
    .hash(mark.parent)
    .u32(mark.origin.height)
    .hash(mark.origin.hash)
    .cell(mark.firstGroup)
  return marks.put(MARK, writer.bytes)
}

export function delOpenMark(): Write {
  return marks.del(MARK)
}

function decodeMark(bytes: Uint8Array): OpenMark {
  const reader = new Reader(bytes)
  const [number, parent] = [reader.u32(), reader.hash()]
  const mark = { number, parent, origin: { height: reader.u32(), hash: reader.hash() }, firstGroup: reader.cell() }
  if (!reader.done) throw new DamagedError('the mark of the open batch can’t be read')
  return mark
}
