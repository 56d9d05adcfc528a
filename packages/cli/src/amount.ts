import { InvalidArgumentError } from 'commander'

/** Amounts as people type and read them. In code they are millisatoshis. */

const UNITS = { msat: 1n, sat: 1000n, btc: 100_000_000_000n } as const

/** All the bitcoin there can be, in millisatoshis. */
const MOST = 21_000_000n * UNITS.btc

const DECIMALS = { msat: 0, sat: 3, btc: 11 } as const

const PATTERN = /^([0-9]{1,20})(?:\.([0-9]{1,11}))? ?(msat|sat|btc)$/i

/**
 * Millisatoshis of `1500sat`, `0.25 sat`, `20msat` or `0.001btc`.
 * @throws InvalidArgumentError for anything else; a number without its unit is not taken.
 */
export function parseAmount(text: string): bigint {
  const match = PATTERN.exec(text.trim())
  if (match === null) throw new InvalidArgumentError('Write a number and its unit: 1500sat, 250msat or 0.001btc.')
  const [, whole = '0', fraction = '', name = ''] = match
  const unit = name.toLowerCase() as keyof typeof UNITS
  if (fraction.length > DECIMALS[unit]) throw new InvalidArgumentError('There is nothing smaller than a millisatoshi.')
  const smallest = BigInt(fraction.padEnd(DECIMALS[unit], '0') || '0')
  const amount = BigInt(whole) * UNITS[unit] + smallest
  if (amount > MOST) throw new InvalidArgumentError('There are never more than 21,000,000 bitcoin.')
  return amount
}

/** Whole satoshis, for what stands on Bitcoin. @throws InvalidArgumentError */
export function parseSats(text: string): bigint {
  const msat = parseAmount(text)
  if (msat % 1000n !== 0n) throw new InvalidArgumentError('On Bitcoin there are only whole satoshis.')
  return msat / 1000n
}

export { printAmount, printSats } from '@kedge/core'
