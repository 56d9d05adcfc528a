import {
  afterBlocks,
  concatBytes,
  equivocationLeaf,
  fraudLeaf,
  fromHex,
  push,
  returnLeaf,
  sha256,
  toHex,
  treeOutput,
} from '@kedge/core'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { runScript, type ScriptChecks } from '../src/interpreter.ts'
import { OP } from '../src/opcodes.ts'
import { isMinimalNumber, isMinimalPush, parseScript, readNumber, writeNumber } from '../src/script-parse.ts'
import { of } from './ground.ts'

const KEYS = [of(1), of(2), of(3)]
const EMPTY = new Uint8Array(0)

/** A world where each key's signature is the key's own bytes twice, and the lock is five blocks. */
const CHECKS: ScriptChecks = {
  isSigned: (key, signature) => toHex(signature) === toHex(concatBytes(key, key)),
  isLockedFor: (lock) => lock <= 5,
}
const signatureOf = (key: Uint8Array) => concatBytes(key, key)
const run = (script: Uint8Array, elements: Uint8Array[], rules: 'consensus' | 'relay' = 'relay', size = 1_000) =>
  runScript(script, elements, size, CHECKS, rules)

describe('leaves', () => {
  test('have these bytes', () => {
    expect(toHex(equivocationLeaf(of(7)))).toBe(`20${toHex(of(7))}ac`)
    expect(toHex(returnLeaf(150, of(8)))).toBe(`029600b27520${toHex(of(8))}ac`)
    const [a, b, c] = KEYS.map(toHex)
    expect(toHex(fraudLeaf(KEYS, 2))).toBe(`20${a}ac20${b}ba20${c}ba529c`)
  })

  test('of one key want that key', () => {
    expect(run(equivocationLeaf(of(7)), [signatureOf(of(7))])).toBeUndefined()
    expect(run(equivocationLeaf(of(7)), [signatureOf(of(8))])).toBe('signature')
    expect(run(equivocationLeaf(of(7)), [EMPTY])).toBe('result')
    expect(run(equivocationLeaf(of(7)), [])).toBe('stack')
    expect(run(equivocationLeaf(of(7)), [signatureOf(of(7)), signatureOf(of(7))])).toBe('result')
  })

  test('of a return want the time, too', () => {
    const elements = [signatureOf(of(8))]
    for (const blocks of [1, 5]) expect(run(returnLeaf(blocks, of(8)), elements)).toBeUndefined()
    for (const blocks of [6, 17, 200, 40_000]) expect(run(returnLeaf(blocks, of(8)), elements)).toBe('verify')
    expect(toHex(afterBlocks(16))).toBe('60b275')
  })

  test('of watchers want exactly t of n', () => {
    const leaf = fraudLeaf(KEYS, 2)
    for (let mask = 0; mask < 8; mask++) {
      const elements = KEYS.map((key, at) => ((mask >> at) & 1 ? signatureOf(key) : EMPTY)).reverse()
      const count = elements.filter(({ length }) => length > 0).length
      expect(run(leaf, elements), `${mask}`).toBe(count === 2 ? undefined : 'result')
    }
    expect(run(leaf, [EMPTY, signatureOf(of(1)), signatureOf(of(1))])).toBe('signature')
    expect(run(leaf, [signatureOf(of(2)), signatureOf(of(1))])).toBe('stack')
  })
})

describe('the interpreter', () => {
  test('knows what only relay refuses', () => {
    const cases: readonly (readonly [string, string, Uint8Array[], string | undefined])[] = [
      ['a push that is not the shortest', '4c01079c', [Uint8Array.of(7)], 'minimal'],
      ['a small number pushed as a byte', '01079c', [Uint8Array.of(7)], 'minimal'],
      ['a number with a zero too many', '579c', [Uint8Array.of(7, 0)], 'minimal'],
      ['an element of 81 bytes', '7551', [new Uint8Array(81)], 'size'],
      ['a key of 33 bytes', `21${'02'.repeat(33)}ac`, [of(9)], 'key'],
      ['an element of 80 bytes', '7551', [new Uint8Array(80)], undefined],
    ]
    for (const [name, script, elements, fault] of cases) {
      expect(run(fromHex(script), elements, 'relay'), name).toBe(fault)
      expect(run(fromHex(script), elements, 'consensus'), name).toBeUndefined()
    }
  })

  test('knows what consensus refuses', () => {
    const many = (count: number) => Array.from({ length: count }, () => EMPTY)
    const cases: readonly (readonly [string, string, Uint8Array[], string])[] = [
      ['a number of five bytes', '519c', [fromHex('0100000001')], 'number'],
      ['an element of 521 bytes', '7551', [new Uint8Array(521)], 'size'],
      ['1,001 elements', '75', many(1_001), 'size'],
      ['a push onto 1,000 elements', '51', many(1_000), 'size'],
      ['two elements left', '5151', [], 'result'],
      ['nothing left', '75', [of(1)], 'result'],
      ['a negative zero', '', [Uint8Array.of(0, 0x80)], 'result'],
      ['an empty key', '00ac', [of(1)], 'key'],
      ['an opcode that no leaf uses', '518b', [], 'script'],
      ['a negative lock', 'b2', [Uint8Array.of(0x81)], 'verify'],
      ['a lock of six bytes', 'b2', [fromHex('000000000001')], 'number'],
      ['a branch', '516351675268', [], 'script'],
      ['an opcode that always succeeds', '50', [], 'script'],
      ['a push over the end', '0201', [], 'script'],
      ['a push size over the end', '4d01', [], 'script'],
      ['EQUALVERIFY of two that differ', '8851', [of(1), of(2)], 'verify'],
      ['CHECKSIGVERIFY without a signature', `${toHex(push(of(1)))}ad51`, [EMPTY], 'signature'],
      ['CHECKSIGADD to no number', `${toHex(push(of(1)))}ba`, [signatureOf(of(1)), new Uint8Array(5)], 'number'],
    ]
    for (const [name, script, elements, fault] of cases)
      expect(run(fromHex(script), elements, 'consensus'), name).toBe(fault)
  })

  test('takes payment for signature checks by the size of the witness', () => {
    const leaf = fraudLeaf(KEYS, 3)
    const elements = KEYS.map(signatureOf).reverse()
    expect(run(leaf, elements, 'consensus', 100)).toBeUndefined()
    expect(run(leaf, elements, 'consensus', 99)).toBe('budget')
    const [only] = KEYS
    expect(run(fraudLeaf(KEYS, 1), [EMPTY, EMPTY, signatureOf(only as Uint8Array)], 'consensus', 0)).toBeUndefined()
  })

  test('gives hashes, equalities and locks', () => {
    const lock = concatBytes(Uint8Array.of(OP.SHA256), push(sha256(of(4))), Uint8Array.of(OP.EQUAL))
    expect(run(lock, [of(4)])).toBeUndefined()
    expect(run(lock, [of(5)])).toBe('result')
    expect(run(fromHex('b2'), [Uint8Array.of(5)])).toBeUndefined()
  })
})

describe('numbers and pushes', () => {
  test('what is written is read again, and is the shortest', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 31 - 1 }), (value) => {
        expect(readNumber(writeNumber(value), 4)).toBe(value)
        expect(isMinimalNumber(writeNumber(value))).toBe(true)
        expect(isMinimalNumber(concatBytes(writeNumber(value), EMPTY, Uint8Array.of(0)))).toBe(
          ((writeNumber(value).at(-1) ?? 0) & 0x80) !== 0,
        )
      }),
    )
    expect(readNumber(Uint8Array.of(0x81), 4)).toBe(-1)
    expect(readNumber(fromHex('ffffffff'), 4)).toBe(-(2 ** 31 - 1))
  })

  test('pushes are parsed back, and those of core are the shortest', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 2, maxLength: 255 }), (bytes) => {
        const [instruction, ...more] = parseScript(push(bytes)) ?? []
        expect(more).toEqual([])
        expect(instruction?.data).toEqual(bytes)
        expect(instruction !== undefined && isMinimalPush(instruction)).toBe(true)
      }),
    )
  })
})

describe('a tree', () => {
  test('commits to each leaf, at a depth of seven at most, the first no deeper than the last', () => {
    for (const count of [1, 2, 3, 5, 64, 127, 128]) {
      const leaves = Array.from({ length: count }, (_, at) => concatBytes(push(of(at)), Uint8Array.of(OP.CHECKSIG)))
      const { leaves: outputs } = treeOutput(fromHex(`${'00'.repeat(31)}01`), leaves)
      const depths = outputs.map(({ control }) => (control.length - 33) / 32)
      expect(Math.max(...depths)).toBe(Math.ceil(Math.log2(count)))
      expect(depths[0]).toBeLessThanOrEqual(depths.at(-1) as number)
    }
    expect(() => treeOutput(of(1), Array<Uint8Array>(129).fill(EMPTY))).toThrow(RangeError)
    expect(() => treeOutput(of(1), [])).toThrow(RangeError)
  })
})
