import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { asBytes, asFeeRate, asHash, asInteger, asSatoshis, printBitcoin, printHash } from '../src/answer.ts'

describe('amounts', () => {
  test('satoshis survive the way through JSON and back', () => {
    fc.assert(
      fc.property(fc.bigInt(0n, 21_000_000n * 100_000_000n), (satoshis) => {
        expect(asSatoshis(JSON.parse(printBitcoin(satoshis)), 'amount')).toBe(satoshis)
      }),
    )
  })

  test.each([
    [0.00001, 1],
    [0.0000105, 1.05],
    [0.00123456, 123.456],
    [0.000001, 0.1],
  ])('%f BTC/kvB is %f sat/vB', (answer, rate) => {
    expect(asFeeRate(answer, 'rate')).toBe(rate)
  })
})

test('hashes are printed byte-reversed', () => {
  const hash = Uint8Array.from({ length: 32 }, (_, at) => at)
  expect(printHash(hash).startsWith('1f1e')).toBe(true)
  expect(asHash(printHash(hash), 'hash')).toEqual(hash)
})

test.each([
  ['hex with a letter too many', () => asBytes('abc', 'x')],
  ['hex with a strange letter', () => asBytes('abzz', 'x')],
  ['a hash of 31 bytes', () => asHash('00'.repeat(31), 'x')],
  ['a fraction', () => asInteger(1.5, 'x')],
  ['an amount as text', () => asSatoshis('1', 'x')],
])('%s is not what bitcoind documents', (_, read) => {
  expect(read).toThrow(TypeError)
})
