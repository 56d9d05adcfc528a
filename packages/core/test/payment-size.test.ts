import { afterAll, expect, test } from 'vitest'
import { verifyPayment } from '../src/verify-payment.ts'
import { coinbase } from './blocks.ts'
import { showPayment } from './payments.ts'
import { params } from './world.ts'

/**
 * How large payment proofs are, beside the 80 bytes of each block header: in a Bitcoin block of 4,000 transactions and a
 * batch of 8,192 operations, where both paths are longest.
 */
const ORDINARY = { operations: 8192, index: 8191, transactions: 4000 }

/** Pools' coinbases without witness: 150 to 450 bytes; one output for the reward, one for witnesses, others for side chains. */
const small = coinbase(900_000, 40, [34, 38])
const large = coinbase(900_000, 90, [34, 38, 43, 45, 41, 41])

const measured: string[] = []
afterAll(() => void process.stdout.write(`${measured.join('\n')}\n`))

test.each([
  ['a small coinbase, links that pay for themselves', { place: 3999, coinbase: small, coins: 0 }, 2400],
  ['a small coinbase, the anchor early in the block', { place: 1, coinbase: small, coins: 0 }, 2000],
  ['a large coinbase, both links filled up from two coins', { place: 3999, coinbase: large, coins: 2 }, 3000],
])('%s', (name, change, limit) => {
  const made = showPayment({ ...ORDINARY, ...change })
  const { length } = made.shown.proof
  measured.push(
    `${length} bytes: ${name}; coinbase ${change.coinbase.length}, anchor ${made.proof.anchor.transaction.length}`,
  )
  expect(length).toBeLessThanOrEqual(limit)
  expect(verifyPayment(params, made.shown, made.tip).ok).toBe(true)
})
