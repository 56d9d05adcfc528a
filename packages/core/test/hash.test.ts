import { createHash } from 'node:crypto'
import { afterEach, describe, expect, test } from 'vitest'
import { concatBytes, toHex } from '../src/bytes.ts'
import {
  type Hasher,
  hasherName,
  hashInto,
  hashPair,
  hashRecord,
  installHasher,
  nobleHasher,
  sha256,
  taggedHash,
  ZERO_HASH,
  zeroHash,
} from '../src/hash.ts'
import { bytes32 } from './world.ts'

const reference = (bytes: Uint8Array): Uint8Array => new Uint8Array(createHash('sha256').update(bytes).digest())

const native: Hasher = {
  name: 'node',
  sha256: reference,
  hashInto(input, output) {
    for (let at = 0; at < output.length; at += 32) output.set(reference(input.subarray(2 * at, 2 * at + 64)), at)
  },
}

describe('hashing', () => {
  test('is SHA-256, of bytes, of pairs and of rows', () => {
    const row = Uint8Array.from({ length: 256 }, (_, at) => at)
    expect(toHex(sha256(row))).toBe(toHex(reference(row)))
    expect(toHex(hashPair(row.subarray(0, 32), row.subarray(32, 64)))).toBe(toHex(reference(row.subarray(0, 64))))
    expect(toHex(hashRecord(row.subarray(64, 128)))).toBe(toHex(reference(row.subarray(64, 128))))
    const output = new Uint8Array(128)
    hashInto(row, output)
    const pieces = [0, 64, 128, 192].map((at) => reference(row.subarray(at, at + 64)))
    expect(toHex(output)).toBe(toHex(concatBytes(...pieces)))
  })

  test('with a tag is BIP340’s', () => {
    const tag = reference(new TextEncoder().encode('BIP0340/challenge'))
    const message = bytes32(3)
    expect(toHex(taggedHash('BIP0340/challenge', message))).toBe(toHex(reference(concatBytes(tag, tag, message))))
  })

  test('of absent subtrees starts at zeros', () => {
    expect(zeroHash(0)).toEqual(ZERO_HASH)
    expect(toHex(zeroHash(1))).toBe(toHex(reference(new Uint8Array(64))))
    expect(zeroHash(48)).toEqual(hashPair(zeroHash(47), zeroHash(47)))
  })
})

/** Gives two of the digests in each other's places. */
function misplaced(input: Uint8Array, output: Uint8Array): void {
  native.hashInto(input, output)
  const first = output.slice(0, 32)
  output.copyWithin(0, 4 * 32, 5 * 32)
  output.set(first, 4 * 32)
}

describe('another hasher', () => {
  afterEach(() => installHasher(nobleHasher))

  test('is taken when it computes the same', () => {
    installHasher(native)
    expect(hasherName()).toBe('node')
    expect(toHex(hashPair(bytes32(1), bytes32(2)))).toBe(toHex(reference(concatBytes(bytes32(1), bytes32(2)))))
  })

  test.each<[string, Partial<Hasher>]>([
    ['rows', { hashInto: () => undefined }],
    ['bytes', { sha256: () => bytes32(1) }],
    ['lengths', { sha256: (bytes) => reference(bytes).slice(1) }],
    ['the places in a row', { hashInto: misplaced }],
    [
      'the last of a row',
      { hashInto: (input, output) => native.hashInto(input.subarray(0, 64 * 16), output.subarray(0, 32 * 16)) },
    ],
  ])('is refused when it gets %s wrong', (_, wrong) => {
    expect(() => installHasher({ ...native, ...wrong })).toThrow('node does not compute SHA-256')
    expect(hasherName()).toBe('@noble/hashes')
  })
})
