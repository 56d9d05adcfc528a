/**
 * The one way bytes become values and back. Integers are little-endian and of fixed width.
 * A `Reader` never throws on what it reads: it turns `failed` and yields zeros, and `done` says whether everything
 * was read and nothing was left over. A decoder looks at `done` once, at its end.
 */

export class Reader {
  readonly bytes: Uint8Array
  private readonly data: DataView
  private at = 0
  failed = false

  constructor(bytes: Uint8Array) {
    this.bytes = bytes
    this.data = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  /** Position after taking `size` bytes, or -1 when they are not there. */
  private take(size: number): number {
    if (this.failed || this.at + size > this.bytes.length) {
      this.failed = true
      return -1
    }
    const start = this.at
    this.at += size
    return start
  }

  u8(): number {
    const at = this.take(1)
    return at < 0 ? 0 : this.data.getUint8(at)
  }

  u16(): number {
    const at = this.take(2)
    return at < 0 ? 0 : this.data.getUint16(at, true)
  }

  u32(): number {
    const at = this.take(4)
    return at < 0 ? 0 : this.data.getUint32(at, true)
  }

  u64(): bigint {
    const at = this.take(8)
    return at < 0 ? 0n : this.data.getBigUint64(at, true)
  }

  /** A cell number: a u64 below 2^48. */
  cell(): number {
    const at = this.take(8)
    if (at < 0) return 0
    const high = this.data.getUint32(at + 4, true)
    if (high > 0xffff) this.failed = true
    return this.failed ? 0 : high * 2 ** 32 + this.data.getUint32(at, true)
  }

  hash(): Uint8Array {
    return this.fixed(32)
  }

  /** A copy of the next `size` bytes. */
  fixed(size: number): Uint8Array {
    const at = this.take(size)
    return at < 0 ? new Uint8Array(size <= 4096 ? size : 0) : this.bytes.slice(at, at + size)
  }

  /** The next `size` bytes themselves, for values that live no longer than what they are read from. */
  view(size: number): Uint8Array {
    const at = this.take(size)
    return at < 0 ? new Uint8Array(size <= 4096 ? size : 0) : this.bytes.subarray(at, at + size)
  }

  /** Bytes behind a u16 length of at most `limit`. */
  sized(limit: number): Uint8Array {
    return this.sizedView(limit).slice()
  }

  /** The same, not copied. */
  sizedView(limit: number): Uint8Array {
    const size = this.u16()
    if (size > limit) this.failed = true
    return this.failed ? new Uint8Array(0) : this.view(size)
  }

  /** A u16 count of at most `limit`, then that many 32-byte hashes. */
  hashes(limit: number): Uint8Array[] {
    const count = this.u16()
    if (count > limit || count * 32 > this.left) this.failed = true
    return this.failed ? [] : Array.from({ length: count }, () => this.hash())
  }

  /** The next `size` bytes must all be zero. */
  zeros(size: number): void {
    const at = this.take(size)
    if (at < 0) return
    for (let i = at; i < at + size; i++) if (this.bytes[i] !== 0) this.failed = true
  }

  /** The next byte must be `value`. */
  exactly(value: number): void {
    if (this.u8() !== value) this.failed = true
  }

  get left(): number {
    return this.bytes.length - this.at
  }

  get done(): boolean {
    return !this.failed && this.left === 0
  }
}

export class Writer {
  private buffer: Uint8Array
  private view: DataView
  private at = 0

  constructor(capacity = 256) {
    this.buffer = new Uint8Array(capacity)
    this.view = new DataView(this.buffer.buffer)
  }

  private grow(size: number): number {
    const start = this.at
    this.at += size
    if (this.at > this.buffer.length) {
      const larger = new Uint8Array(Math.max(this.at, 2 * this.buffer.length))
      larger.set(this.buffer)
      this.buffer = larger
      this.view = new DataView(larger.buffer)
    }
    return start
  }

  u8(value: number): this {
    const at = this.grow(1)
    this.view.setUint8(at, inRange(value, 0xff))
    return this
  }

  u16(value: number): this {
    const at = this.grow(2)
    this.view.setUint16(at, inRange(value, 0xffff), true)
    return this
  }

  u32(value: number): this {
    const at = this.grow(4)
    this.view.setUint32(at, inRange(value, 0xffffffff), true)
    return this
  }

  u64(value: bigint): this {
    if (value < 0n || value > U64_MAX) throw new RangeError(`${value} is not a u64`)
    const at = this.grow(8)
    this.view.setBigUint64(at, value, true)
    return this
  }

  /** A cell number: a u64 below 2^48. */
  cell(value: number): this {
    if (!Number.isInteger(value) || value < 0 || value >= 2 ** 48) throw new RangeError(`${value} is no cell number`)
    return this.u32(value % 2 ** 32).u32(Math.floor(value / 2 ** 32))
  }

  fixed(bytes: Uint8Array, size: number): this {
    if (bytes.length !== size) throw new RangeError(`${bytes.length} bytes where ${size} belong`)
    const at = this.grow(size)
    this.buffer.set(bytes, at)
    return this
  }

  hash(bytes: Uint8Array): this {
    return this.fixed(bytes, 32)
  }

  sized(bytes: Uint8Array): this {
    return this.u16(bytes.length).fixed(bytes, bytes.length)
  }

  hashes(list: readonly Uint8Array[]): this {
    this.u16(list.length)
    for (const hash of list) this.hash(hash)
    return this
  }

  zeros(size: number): this {
    this.grow(size)
    return this
  }

  get bytes(): Uint8Array {
    return this.buffer.slice(0, this.at)
  }
}

export const U64_MAX = 0xffff_ffff_ffff_ffffn

function inRange(value: number, max: number): number {
  if (!Number.isInteger(value) || value < 0 || value > max) throw new RangeError(`${value} is not within 0..${max}`)
  return value
}
