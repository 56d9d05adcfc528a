import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Ledger } from '../src/ledger.ts'
import type { CellUpdate } from '../src/operation.ts'
import { type HashedSteps, StepHasher, type StepRows } from '../src/steps.ts'
import { ledgerBytes } from './rollup.ts'
import { CASES, FUZZ_TIMEOUT, quickKey } from './world.ts'

/** A step touches up to two cells (counted from those there are, so that some are new); behind it may come a cut. */
const steps = fc.array(
  fc.record({ cells: fc.array(fc.nat(200), { minLength: 1, maxLength: 2 }), value: fc.nat(1000), isCut: fc.boolean() }),
  { maxLength: 60, size: 'max' },
)
type Step = typeof steps extends fc.Arbitrary<readonly (infer S)[]> ? S : never

function apply(ledger: Ledger, { cells, value }: Step): void {
  const { count } = ledger.totals
  const touched = [...new Set(cells.map((draw) => draw % (count + 1)))]
  const updates = touched.map((cell): CellUpdate => {
    const owner = cell === count ? quickKey(count) : ledger.tree.account(cell).owner
    return { cell, account: { owner, nonce: BigInt(value), balance: BigInt(cell + value) } }
  })
  const grown = touched.includes(count) ? count + 1 : count
  ledger.apply(updates, { ...ledger.totals, count: grown, fees: ledger.totals.fees + BigInt(value) })
}

function sealed(before: readonly Step[], list: readonly Step[]): { ledger: Ledger; hashed: HashedSteps } {
  const ledger = settled(before)
  for (const step of list) apply(ledger, step)
  return { ledger, hashed: ledger.seal() }
}

function settled(before: readonly Step[]): Ledger {
  const ledger = new Ledger()
  for (const step of before) apply(ledger, step)
  ledger.seal()
  return ledger
}

/** Applies everything, cut in runs that are hashed only in the end: nobody may need the nodes before. */
function cutUp(ledger: Ledger, list: readonly Step[]): () => HashedSteps {
  const hasher = new StepHasher(ledger.tree.nodes, ledger.root)
  const runs: StepRows[] = []
  for (const step of list) {
    apply(ledger, step)
    if (step.isCut) runs.push(ledger.cut())
  }
  return () => {
    runs.push(ledger.cut())
    for (const run of runs) hasher.add(run)
    return hasher.finish()
  }
}

const RUNS = Math.ceil(CASES / 100)

test(
  'a batch that is hashed run by run is the one that is hashed at once',
  () => {
    fc.assert(
      fc.property(steps, steps, (before, list) => {
        const whole = sealed(before, list)
        const ledger = settled(before)
        const hash = cutUp(ledger, list)
        expect(ledger.steps).toBe(list.length)
        expect(ledger.settle(hash())).toEqual(whole.hashed)
        expect(ledgerBytes(ledger)).toEqual(ledgerBytes(whole.ledger))
        ledger.undo(whole.hashed.delta)
        expect(ledgerBytes(ledger)).toEqual(ledgerBytes(settled(before)))
      }),
      { numRuns: RUNS },
    )
  },
  FUZZ_TIMEOUT,
)

test(
  'a batch of which runs were hashed is taken back as if it had never been',
  () => {
    fc.assert(
      fc.property(steps, steps, steps, (before, list, rest) => {
        const ledger = settled(before)
        const hash = cutUp(ledger, list)
        ledger.abandon(hash())
        expect(ledgerBytes(ledger)).toEqual(ledgerBytes(settled(before)))
        for (const step of rest) apply(ledger, step)
        expect(ledger.seal()).toEqual(sealed(before, rest).hashed)
      }),
      { numRuns: RUNS },
    )
  },
  FUZZ_TIMEOUT,
)

test('what was cut is neither sealed nor taken back without its hashes', () => {
  const ledger = new Ledger()
  apply(ledger, { cells: [0], value: 1, isCut: true })
  const hash = cutUp(ledger, [])
  apply(ledger, { cells: [0], value: 2, isCut: true })
  expect(() => ledger.undo(new Uint8Array(132))).toThrow('not sealed')
  const hashed = hash()
  expect(() => ledger.seal()).toThrow('somebody else')
  expect(() => ledger.abandon()).toThrow('when it is hashed')
  apply(ledger, { cells: [1], value: 3, isCut: true })
  expect(() => ledger.settle(hashed)).toThrow('not all the steps')
})
