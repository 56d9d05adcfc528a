import { schnorr } from '@noble/curves/secp256k1.js'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { fromHex, toHex } from '../src/bytes.ts'
import { sha256 } from '../src/hash.ts'
import type { L1Transaction } from '../src/l1.ts'
import { INPUT_CAPACITY, pieceLeaf, pieceOutput, pieceWitness, readPieces, splitPieces } from '../src/pieces.ts'

const PUBLISHER = schnorr.getPublicKey(new Uint8Array(32).fill(5))
const SIGNATURE = new Uint8Array(64).fill(9)

function transaction(...witnesses: (readonly Uint8Array[])[]): L1Transaction {
  const inputs = witnesses.map((witness, vout) => ({ previous: { txid: new Uint8Array(32), vout }, witness }))
  return { txid: new Uint8Array(32), inputs, outputs: [] }
}

/** The witnesses that publish `bytes`; the leaf's commitment plays no part in reading them. */
function publish(bytes: Uint8Array): Uint8Array[][] {
  return splitPieces(bytes).map((pieces) => {
    const output = { script: new Uint8Array(0), leaf: pieceLeaf(PUBLISHER, pieces), control: control() }
    return pieceWitness(output, pieces, SIGNATURE)
  })
}

function control(first = 0xc0, size = 33): Uint8Array {
  const bytes = new Uint8Array(size).fill(3)
  bytes[0] = first
  return bytes
}

const compactSizeLength = (value: number): number => (value < 0xfd ? 1 : 3)

function witnessSize(witness: readonly Uint8Array[]): number {
  return witness.reduce((sum, item) => sum + compactSizeLength(item.length) + item.length, 1)
}

describe('layout', () => {
  test('what is published is what is read', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 3 * INPUT_CAPACITY + 1, size: 'max' }), (bytes) => {
        expect(toHex(readPieces(transaction(...publish(bytes))))).toBe(toHex(bytes))
      }),
      { numRuns: 60 },
    )
  })

  test.each([0, 1, 79, 80, 81, INPUT_CAPACITY - 1, INPUT_CAPACITY, INPUT_CAPACITY + 1, 100_000])(
    '%i bytes keep to the relay limits',
    (size) => {
      const inputs = splitPieces(new Uint8Array(size).fill(1))
      expect(inputs.length).toBe(Math.ceil(size / INPUT_CAPACITY))
      for (const piece of inputs.flat()) expect(piece.length).toBeLessThanOrEqual(80)
      for (const witness of publish(new Uint8Array(size).fill(1)))
        expect(witnessSize(witness)).toBeLessThanOrEqual(1650)
    },
  )

  test('a leaf locks to the key, then to each piece in order', () => {
    const [one, two] = [fromHex('0102'), fromHex('03')]
    const leaf = `20${toHex(PUBLISHER)}ada820${toHex(sha256(one))}88a820${toHex(sha256(two))}87`
    expect(toHex(pieceLeaf(PUBLISHER, [one, two]))).toBe(leaf)
    const output = pieceOutput(PUBLISHER, [one, two])
    expect(pieceWitness(output, [one, two], SIGNATURE)).toEqual([two, one, SIGNATURE, output.leaf, output.control])
    expect(() => pieceLeaf(PUBLISHER, [])).toThrow(RangeError)
  })
})

describe('reading', () => {
  const [witness = []] = publish(fromHex('aabbcc'))
  const [piece, signature, leaf, controlBlock] = witness as [Uint8Array, Uint8Array, Uint8Array, Uint8Array]
  const changed = (bytes: Uint8Array, at: number, value: number): Uint8Array => bytes.with(at, value)

  test('inputs that are not of pieces are passed over, the others keep their order', () => {
    const other = [SIGNATURE]
    const bytes = readPieces(
      transaction(other, witness, [], [piece, piece, piece, piece], ...publish(fromHex('dd')), other),
    )
    expect(toHex(bytes)).toBe('aabbccdd')
  })

  test('a 65-byte signature, either parity and a leaf deeper in a tree read the same', () => {
    const variants = [
      [piece, new Uint8Array(65), leaf, controlBlock],
      [piece, signature, leaf, control(0xc1)],
      [piece, signature, leaf, control(0xc0, 33 + 7 * 32)],
    ]
    for (const variant of variants) expect(toHex(readPieces(transaction(variant)))).toBe('aabbcc')
  })

  test('a piece may be empty or longer than what relays', () => {
    const long = new Uint8Array(520).fill(7)
    const leafOfTwo = pieceLeaf(PUBLISHER, [long, new Uint8Array(0)])
    expect(readPieces(transaction([new Uint8Array(0), long, signature, leafOfTwo, controlBlock]))).toEqual(long)
  })

  test('a hundred thousand pieces in one input are read', () => {
    const leafOfMany = pieceLeaf(PUBLISHER, Array<Uint8Array>(100_000).fill(fromHex('01')))
    const items = Array<Uint8Array>(100_000).fill(fromHex('01'))
    expect(readPieces(transaction([...items, signature, leafOfMany, controlBlock])).length).toBe(100_000)
  })

  test.each<[string, Uint8Array[]]>([
    ['no piece', [signature, pieceLeaf(PUBLISHER, [piece]).slice(0, 34), controlBlock]],
    ['fewer pieces than locks', [signature, leaf, controlBlock]],
    ['more pieces than locks', [piece, piece, signature, leaf, controlBlock]],
    ['an annex', [...witness, fromHex('50')]],
    ['another leaf version', [piece, signature, leaf, control(0xc2)]],
    ['a control block cut short', [piece, signature, leaf, control(0xc0, 32)]],
    ['a control block of odd length', [piece, signature, leaf, control(0xc0, 64)]],
    ['an empty control block', [piece, signature, leaf, new Uint8Array(0)]],
    ['no signature', [piece, new Uint8Array(0), leaf, controlBlock]],
    ['a signature cut short', [piece, new Uint8Array(63), leaf, controlBlock]],
    ['a signature too long', [piece, new Uint8Array(66), leaf, controlBlock]],
    ['a leaf with a byte after it', [piece, signature, Uint8Array.of(...leaf, 0x61), controlBlock]],
    ['a leaf cut short', [piece, signature, leaf.slice(0, -1), controlBlock]],
    ['an empty leaf', [piece, signature, new Uint8Array(0), controlBlock]],
    ['a key of another length', [piece, signature, changed(leaf, 0, 0x21), controlBlock]],
    ['CHECKSIG where CHECKSIGVERIFY belongs', [piece, signature, changed(leaf, 33, 0xac), controlBlock]],
    ['another hash', [piece, signature, changed(leaf, 34, 0xa9), controlBlock]],
    ['another push', [piece, signature, changed(leaf, 35, 0x21), controlBlock]],
    ['EQUALVERIFY at the end', [piece, signature, changed(leaf, 68, 0x88), controlBlock]],
  ])('%s carries nothing', (_, items) => {
    expect(readPieces(transaction(items))).toEqual(new Uint8Array(0))
  })

  test('EQUAL between two pieces carries nothing', () => {
    const leafOfTwo = pieceLeaf(PUBLISHER, [piece, piece])
    const items = [piece, piece, signature, changed(leafOfTwo, 68, 0x87), controlBlock]
    expect(readPieces(transaction(items))).toEqual(new Uint8Array(0))
    expect(readPieces(transaction(items.with(3, leafOfTwo))).length).toBe(6)
  })

  test('any witness reads without throwing', () => {
    const item = fc.oneof(fc.uint8Array({ maxLength: 70 }), fc.constantFrom(...witness))
    fc.assert(
      fc.property(fc.array(item, { maxLength: 6 }), (items) => {
        expect(readPieces(transaction(items)).length).toBeLessThanOrEqual(6 * 70)
      }),
    )
  })
})
