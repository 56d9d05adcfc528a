import { Reader } from './codec.ts'
import { hashTwice } from './hash.ts'
import type { L1Input, L1Output, L1Transaction } from './l1.ts'

/** Outpoint, script size and sequence; value and script size: what an input and an output have at least. */
const INPUT_BYTES = 36 + 1 + 4
const OUTPUT_BYTES = 8 + 1

/**
 * A transaction without its witnesses, to the last byte: its txid is the hash of exactly these. 64 bytes are refused:
 * so long is a node of a block's tree, and one that parses as a transaction would carry others that no block holds.
 */
export function decodeStripped(raw: Uint8Array): L1Transaction | undefined {
  if (raw.length === 64) return undefined
  const reader = new Reader(raw)
  reader.fixed(4)
  const inputs = readList(reader, INPUT_BYTES, readInput)
  const outputs = readList(reader, OUTPUT_BYTES, readOutput)
  reader.fixed(4)
  if (!reader.done || inputs.length === 0 || outputs.length === 0) return undefined
  return { txid: hashTwice(raw), inputs, outputs }
}

/** The count is held against the bytes that are left before anything is made of it. */
function readList<T>(reader: Reader, least: number, read: (reader: Reader) => T): T[] {
  const count = readCompactSize(reader)
  if (count * least > reader.left) reader.failed = true
  return reader.failed ? [] : Array.from({ length: count }, () => read(reader))
}

function readInput(reader: Reader): L1Input {
  const previous = { txid: reader.hash(), vout: reader.u32() }
  readSized(reader)
  reader.u32()
  return { previous, witness: [] }
}

function readOutput(reader: Reader): L1Output {
  return { value: reader.u64(), script: readSized(reader) }
}

/** Bytes behind a CompactSize. */
export function readSized(reader: Reader): Uint8Array {
  const size = readCompactSize(reader)
  if (size > reader.left) reader.failed = true
  return reader.failed ? new Uint8Array(0) : reader.fixed(size)
}

/** Bitcoin's CompactSize, in its shortest form alone; what is beyond 2^32 is no size of anything in a block. */
export function readCompactSize(reader: Reader): number {
  const first = reader.u8()
  if (first < 0xfd) return first
  const size = first === 0xfd ? reader.u16() : reader.u32()
  if (first === 0xff || size < (first === 0xfd ? 0xfd : 0x10000)) reader.failed = true
  return size
}
