import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Claim, isPaid, type PaidClaims, ZERO_HASH } from '@kedge/core'
import { Store } from '@kedge/storage'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { ClaimIndex } from '../src/claim-index.ts'

let folder: string
let store: Store

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kedge-claims-'))
  store = await Store.open(folder, ZERO_HASH)
})

afterAll(async () => {
  await store.close()
  await rm(folder, { recursive: true })
})

const from = { number: 1, headerHash: ZERO_HASH }
const claimOf = (number: number, amount: bigint): Claim => ({ number, script: ZERO_HASH, amount, payoutFee: 1n })

/** Starts and lengths by turns, as runs. */
const runs = fc.array(fc.integer({ min: 1, max: 9 }), { maxLength: 12 }).map((lengths): PaidClaims => {
  let at = -1
  const made: [number, number][] = []
  for (let each = 0; each + 1 < lengths.length; each += 2) {
    const start = at + (lengths[each] as number)
    at = start + (lengths[each + 1] as number)
    made.push([start, at])
  }
  return made
})

it('sums up what is owed and what was paid as if it looked at each claim', () => {
  const amounts = fc.array(fc.bigInt({ min: 1n, max: 10n ** 12n }), { maxLength: 40 })
  fc.assert(
    fc.property(amounts, amounts, fc.nat(50), runs, (first, second, kept, paid) => {
      const index = new ClaimIndex(store)
      let claims: Claim[] = []
      const append = (more: readonly bigint[]) => {
        const made = more.map((amount, at) => claimOf(claims.length + at, amount))
        index.append(from, made)
        claims = [...claims, ...made]
      }
      append(first)
      index.truncate(kept)
      claims = claims.slice(0, kept)
      append(second)
      const sum = (some: readonly Claim[]) => some.reduce((total, { amount }) => total + amount, 0n)
      const unpaid = claims.filter(({ number }) => !isPaid(paid, number))
      expect(index.sum(paid)).toEqual({
        unpaid: { count: unpaid.length, value: sum(unpaid) },
        paid: sum(claims) - sum(unpaid),
      })
    }),
  )
})

it('costs no more where there have been many', () => {
  const index = new ClaimIndex(store)
  index.append(
    from,
    Array.from({ length: 200_000 }, (_, number) => claimOf(number, 1n)),
  )
  const started = performance.now()
  // One that nobody can pay lies before all the others.
  for (let each = 0; each < 1000; each++) expect(index.sum([[1, 200_000]]).unpaid.count).toBe(1)
  expect(performance.now() - started).toBeLessThan(1000)
})
