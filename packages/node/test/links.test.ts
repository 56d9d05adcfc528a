import { ZERO_HASH } from '@kedge/core'
import type { LinkRecord } from '@kedge/storage'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { LinkIndex } from '../src/links.ts'

const causes = ['evidence', 'unanswered', 'ancestor'] as const
const outcome = fc.constantFrom('null', 'resume', 'batch', ...causes)

/** A batch, void for the cause that is named; or another link. */
function recordOf(number: number, what: 'null' | 'resume' | 'batch' | (typeof causes)[number]): LinkRecord {
  const base = { number, height: number, txid: ZERO_HASH, headerHash: ZERO_HASH }
  const cause = causes.find((each) => each === what)
  if (cause !== undefined) return { ...base, outcome: 'batch', voided: { height: number, cause } }
  return { ...base, outcome: what as 'null' | 'resume' | 'batch' }
}

it('counts what is void and without effect, whatever comes, changes and goes', () => {
  const change = fc.oneof(
    fc.record({ kind: fc.constant('put' as const), at: fc.nat(20), what: outcome }),
    fc.record({ kind: fc.constant('drop' as const), at: fc.nat(20), what: outcome }),
  )
  fc.assert(
    fc.property(fc.array(outcome, { maxLength: 10 }), fc.array(change, { maxLength: 20 }), (first, changes) => {
      const links = new LinkIndex(first.map((what, at) => recordOf(at + 1, what)))
      for (const { kind, at, what } of changes) {
        const next = (links.last?.number ?? 0) + 1
        if (kind === 'put') links.put(recordOf(Math.min(at + 1, next), what))
        else links.drop(Array.from({ length: Math.max(0, next - 1 - at) }, (_, each) => at + 1 + each))
      }
      const all = [...links.newest()]
      const voids = causes.map((cause) => [cause, all.filter(({ voided }) => voided?.cause === cause).length])
      expect(links.counts).toEqual({
        nulls: all.filter((link) => link.outcome === 'null').length,
        voids: Object.fromEntries(voids),
      })
    }),
  )
})
