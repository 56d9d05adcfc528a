/**
 * Records of one size back to back, in memory that grows. To copy one 8 bytes at a time takes a fraction of what `set`
 * takes with a view, and makes no garbage (the compiler keeps the BigInts in registers; 4 bytes at a time take a sixth
 * more of hashing a batch); small arrays for each record would be most of what executing a batch costs.
 */
export class Rows {
  /** Bytes of a record: a multiple of 8. */
  readonly size: number
  bytes: Uint8Array
  words: Int32Array
  longs: BigInt64Array
  view: DataView
  private isShared = false

  /** `count` records of zeros. */
  constructor(size: number, count: number) {
    this.size = size
    this.bytes = new Uint8Array(size * count)
    this.words = new Int32Array(this.bytes.buffer)
    this.longs = new BigInt64Array(this.bytes.buffer)
    this.view = new DataView(this.bytes.buffer)
  }

  /** The records in `row` themselves. @throws RangeError unless it begins at a multiple of 8 in its buffer */
  static over(size: number, row: Uint8Array): Rows {
    const rows = new Rows(size, 0)
    rows.bytes = row
    rows.words = new Int32Array(row.buffer, row.byteOffset, row.length / 4)
    rows.longs = new BigInt64Array(row.buffer, row.byteOffset, row.length / 8)
    rows.view = new DataView(row.buffer, row.byteOffset, row.length)
    return rows
  }

  /** The records in memory that threads share; what they grow into is shared as well. */
  static shared(size: number, buffer: SharedArrayBuffer): Rows {
    const rows = Rows.over(size, new Uint8Array(buffer))
    rows.isShared = true
    return rows
  }

  /** Makes room for at least `count` records; new ones are zeros. */
  reserve(count: number): void {
    const needed = this.size * count
    if (needed <= this.bytes.length) return
    const length = Math.max(needed, 2 * this.bytes.length)
    const larger = this.isShared ? new Uint8Array(new SharedArrayBuffer(length)) : new Uint8Array(length)
    larger.set(this.bytes)
    this.bytes = larger
    this.words = new Int32Array(larger.buffer)
    this.longs = new BigInt64Array(larger.buffer)
    this.view = new DataView(larger.buffer)
  }

  /** Copies record `from` of a source of the same size to record `to`. */
  copy(to: number, source: Rows, from: number): void {
    copyLongs(this.longs, to, source.longs, from, this.size / 8)
  }

  /** Records [start, start + count) as a view, which growing makes stale. */
  run(start: number, count: number): Uint8Array {
    return this.bytes.subarray(this.size * start, this.size * (start + count))
  }
}

/** Copies record `from` to record `to`; both rows 8 bytes at a time, `size` of them a record. */
export function copyLongs(target: BigInt64Array, to: number, source: BigInt64Array, from: number, size: number): void {
  for (let at = 0; at < size; at++) target[size * to + at] = source[size * from + at] as bigint
}
