import fc from 'fast-check'
import { expect, test } from 'vitest'
import { parseAmount, parseSats, printAmount, printSats } from '../src/amount.ts'

test.each([
  ['1500sat', 1_500_000n],
  ['1500 sat', 1_500_000n],
  [' 0.001sat ', 1n],
  ['0.25SAT', 250n],
  ['20msat', 20n],
  ['1btc', 100_000_000_000n],
  ['0.00000000001btc', 1n],
  ['21000000BTC', 2_100_000_000_000_000_000n],
  ['0sat', 0n],
])('%s', (text, msat) => {
  expect(parseAmount(text)).toBe(msat)
})

test.each([
  '',
  '5',
  'sat',
  '1,5sat',
  '-1sat',
  '1e3sat',
  '0x10sat',
  '.5sat',
  '1.sat',
  '1sats',
  '1 000sat',
  '٣sat',
  '1'.repeat(30),
])('%j is no amount, and the error says what is', (text) => {
  expect(() => parseAmount(text)).toThrow('Write a number and its unit')
})

test('nothing is rounded', () => {
  expect(() => parseAmount('0.0001sat')).toThrow('nothing smaller than a millisatoshi')
  expect(() => parseAmount('0.5msat')).toThrow('nothing smaller than a millisatoshi')
  expect(() => parseSats('1500msat')).toThrow('only whole satoshis')
  expect(parseSats('2000msat')).toBe(2n)
})

test('what is printed is what was meant', () => {
  expect(printAmount(1_234_567_891n)).toBe('1,234,567.891 sat')
  expect(printAmount(5n)).toBe('0.005 sat')
  expect(printAmount(1000n)).toBe('1 sat')
  expect(printSats(100_000_000n)).toBe('100,000,000 sat')
})

test('every printed amount reads back as itself', () => {
  const msat = fc.bigInt({ min: 0n, max: 2_100_000_000_000_000_000n })
  fc.assert(fc.property(msat, (value) => parseAmount(printAmount(value).replaceAll(',', '')) === value))
})
