import { describe, expect, test } from 'vitest'
import { equalBytes, fromHex, isHex, isZero, reverseBytes, toHex } from '../src/bytes.ts'
import { Reader, U64_MAX, Writer } from '../src/codec.ts'
import { bytes32 } from './world.ts'

describe('reader', () => {
  test('reads what the writer wrote, little-endian', () => {
    const bytes = new Writer(1)
      .u8(1)
      .u16(0x0203)
      .u32(0x04050607)
      .u64(0x08090a0b0c0d0e0fn)
      .cell(2 ** 40 + 1)
      .hash(bytes32(9))
      .sized(Uint8Array.of(5, 6))
      .hashes([bytes32(7), bytes32(8)])
      .zeros(3).bytes
    expect(toHex(bytes.slice(0, 15))).toBe('01030207060504' + '0f0e0d0c0b0a0908')
    const reader = new Reader(bytes)
    expect([reader.u8(), reader.u16(), reader.u32(), reader.u64(), reader.cell()]).toEqual([
      1,
      0x0203,
      0x04050607,
      0x08090a0b0c0d0e0fn,
      2 ** 40 + 1,
    ])
    expect([reader.hash(), reader.sized(2), reader.hashes(2)]).toEqual([
      bytes32(9),
      Uint8Array.of(5, 6),
      [bytes32(7), bytes32(8)],
    ])
    expect(reader.done).toBe(false)
    reader.zeros(3)
    expect(reader.done).toBe(true)
  })

  test('fails for good at the first thing that is not there, and gives zeros', () => {
    for (const read of [
      (reader: Reader) => reader.u16(),
      (reader: Reader) => reader.u32(),
      (reader: Reader) => reader.u64(),
      (reader: Reader) => reader.cell(),
      (reader: Reader) => reader.fixed(2),
      (reader: Reader) => reader.zeros(2),
      (reader: Reader) => reader.exactly(1),
    ]) {
      const reader = new Reader(Uint8Array.of(0))
      read(reader)
      expect(reader.failed).toBe(true)
      expect([
        reader.u8(),
        reader.u16(),
        reader.u32(),
        reader.u64(),
        reader.cell(),
        reader.sized(9),
        reader.hashes(9),
      ]).toEqual([...[0, 0, 0, 0n, 0], new Uint8Array(0), []])
      expect(reader.done).toBe(false)
    }
  })

  test('does not allocate what a length promises', () => {
    const reader = new Reader(new Uint8Array(8).fill(0xff))
    expect(reader.fixed(2 ** 31).length).toBe(0)
    expect(new Reader(new Uint8Array(8).fill(0xff)).hashes(0xffff)).toEqual([])
    expect(new Reader(new Uint8Array(8).fill(0xff)).sized(0xffff).length).toBeLessThanOrEqual(4096)
  })

  test('refuses lengths and counts above their limits', () => {
    const sized = new Reader(new Writer().sized(bytes32(1)).bytes)
    sized.sized(31)
    expect(sized.failed).toBe(true)
    const hashes = new Reader(new Writer().hashes([bytes32(1), bytes32(2)]).bytes)
    hashes.hashes(1)
    expect(hashes.failed).toBe(true)
  })

  test('refuses cell numbers from 2^48 on', () => {
    const below = new Reader(new Writer().u64(2n ** 48n - 1n).bytes)
    expect([below.cell(), below.done]).toEqual([2 ** 48 - 1, true])
    const above = new Reader(new Writer().u64(2n ** 48n).bytes)
    expect([above.cell(), above.done]).toEqual([0, false])
  })

  test('reads a view at its own place, and copies', () => {
    const bytes = Uint8Array.from({ length: 64 }, (_, at) => at)
    const reader = new Reader(bytes.subarray(10, 50))
    expect(reader.u8()).toBe(10)
    const taken = reader.fixed(4)
    bytes.fill(0)
    expect(toHex(taken)).toBe('0b0c0d0e')
  })
})

describe('writer', () => {
  test('refuses what does not fit', () => {
    for (const write of [
      (writer: Writer) => writer.u8(256),
      (writer: Writer) => writer.u8(-1),
      (writer: Writer) => writer.u8(0.5),
      (writer: Writer) => writer.u16(65536),
      (writer: Writer) => writer.u32(2 ** 32),
      (writer: Writer) => writer.u32(Number.NaN),
      (writer: Writer) => writer.u64(U64_MAX + 1n),
      (writer: Writer) => writer.u64(-1n),
      (writer: Writer) => writer.cell(2 ** 48),
      (writer: Writer) => writer.cell(1.5),
      (writer: Writer) => writer.hash(new Uint8Array(31)),
      (writer: Writer) => writer.fixed(new Uint8Array(3), 2),
      (writer: Writer) => writer.sized(new Uint8Array(65536)),
    ]) {
      expect(() => write(new Writer())).toThrow(RangeError)
    }
  })

  test('what it gives does not change when more is written', () => {
    const writer = new Writer(2).u8(1)
    const first = writer.bytes
    writer.u32(0xffffffff)
    expect([toHex(first), toHex(writer.bytes)]).toEqual(['01', '01ffffffff'])
  })
})

test('hex is lower case, of even length, and of bytes alone', () => {
  expect(fromHex('00ff10')).toEqual(Uint8Array.of(0, 255, 16))
  expect(toHex(fromHex(''))).toBe('')
  for (const text of ['0', 'FF', 'zz', '0x00', ' 00']) {
    expect(isHex(text)).toBe(false)
    expect(() => fromHex(text)).toThrow(RangeError)
  }
  expect([isHex('00ff', 2), isHex('00ff', 1)]).toEqual([true, false])
})

test('bytes are compared to the last one', () => {
  expect(equalBytes(Uint8Array.of(1, 2), Uint8Array.of(1, 2))).toBe(true)
  expect(equalBytes(Uint8Array.of(1, 2), Uint8Array.of(1, 3))).toBe(false)
  expect(equalBytes(Uint8Array.of(1, 2), Uint8Array.of(1))).toBe(false)
  expect([isZero(new Uint8Array(3)), isZero(Uint8Array.of(0, 1))]).toEqual([true, false])
  expect(reverseBytes(Uint8Array.of(1, 2, 3))).toEqual(Uint8Array.of(3, 2, 1))
})
