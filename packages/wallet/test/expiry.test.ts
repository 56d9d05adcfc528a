import { regtestRules } from '@kedge/core'
import { expect, it } from 'vitest'
import { defaultExpiry } from '../src/expiry.ts'

it('lets a payment outlive a week, and twice what a chain can go without a live batch', () => {
  const { windows } = regtestRules
  expect(defaultExpiry(100, regtestRules)).toBe(1108)
  expect(defaultExpiry(100, { windows: { ...windows, exit: 600 } })).toBe(1300)
})
