import { regtestRules } from '@kedge/core'
import { expect, it } from 'vitest'
import { defaultExpiry } from '../src/expiry.ts'

it('lets a payment outlive a week, and twice what an honest network takes for a batch', () => {
  const { windows } = regtestRules
  expect(defaultExpiry(100, regtestRules)).toBe(1108)
  const slow = { windows: { ...windows, takeover: 288, staleness: 144, dispute: 144 } }
  expect(defaultExpiry(100, slow)).toBe(100 + 2 * (288 + 144 + 144))
})
