import { decodeLine, encodeLine, type SlotLine } from '@kedge/bond'
import { Reader, Writer } from '@kedge/core'
import { DamagedError, type Store, slots, type Write } from '@kedge/storage'

/** What must outlive a crash of one batch's slots: by which table they are signed, and which of them are used up. */
export interface SlotRecord {
  readonly number: number
  /** The table's (`TableId`). */
  readonly salt: Uint8Array
  /** Whether a resume fixes the table: then the header carries no signature of its parent. */
  readonly isResumed: boolean
  /** Ticks that the table has nonces for, from index 0 on. */
  readonly length: number
  readonly ticks: SlotLine
  /** A line of one slot. */
  readonly header: SlotLine
}

const LINE_BYTES = 36

export function putRecord({ number, salt, isResumed, length, ticks, header }: SlotRecord): Write {
  const writer = new Writer(109)
    .hash(salt)
    .u8(isResumed ? 1 : 0)
    .u32(length)
  const bytes = writer.fixed(encodeLine(ticks), LINE_BYTES).fixed(encodeLine(header), LINE_BYTES).bytes
  return slots.put(number, bytes)
}

/** @throws DamagedError: nobody knows then what was signed */
export async function readRecords(store: Store): Promise<SlotRecord[]> {
  const records: SlotRecord[] = []
  for await (const [number, bytes] of store.range(slots)) records.push(decodeRecord(number, bytes))
  return records
}

function decodeRecord(number: number, bytes: Uint8Array): SlotRecord {
  const reader = new Reader(bytes)
  const [salt, isResumed, length] = [reader.hash(), reader.u8() === 1, reader.u32()]
  const [ticks, header] = [decodeLine(reader.fixed(LINE_BYTES)), decodeLine(reader.fixed(LINE_BYTES))]
  if (!reader.done || ticks === undefined || header === undefined)
    throw new DamagedError(`the record of the slots of batch ${number} can’t be read`)
  return { number, salt, isResumed, length, ticks, header }
}
