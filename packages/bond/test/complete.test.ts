import { publicKeyOf, readTransaction } from '@kedge/bitcoin'
import {
  bondOutcome,
  bondScript,
  DETECTOR_LEAVES,
  detectorOutput,
  isSlashSigned,
  type L1Output,
  slashSighash,
  taprootScript,
} from '@kedge/core'
import { Transaction } from 'bitcoinjs-lib'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  BondSpendError,
  completeReturn,
  type SlashPlan,
  signFraud,
  slashByEquivocation,
  slashByFraud,
} from '../src/complete.ts'
import { bondSighash, plannedReturn, plannedSlash, transactionOf } from '../src/planned.ts'
import { findSpendFault } from '../src/spend-check.ts'
import { of } from './ground.ts'
import { BOND, cosign, DETECTOR, KEYS, RULES, SECRETS, termsFor } from './parties.ts'

const SCRIPT = taprootScript(KEYS.return)
const TERMS = termsFor(BOND, [DETECTOR], SCRIPT)
const RECORD = cosign(TERMS)
const [SLASH = new Uint8Array(64)] = RECORD.slashes
const RETURNED = RECORD.returned ?? new Uint8Array(64)
const PLAN: SlashPlan = { terms: TERMS, detector: 0, signature: SLASH, reward: { script: SCRIPT, feeRate: 2 } }
const FRAUD = SECRETS.watchers.map((secret) => signFraud(PLAN, secret))

describe('what is completed', () => {
  test('is as large as the plan says, and pays its fee from the reward', () => {
    const slashes = [slashByEquivocation(PLAN, SECRETS.slot), slashByFraud(PLAN, FRAUD)]
    expect(slashes.map(({ vsize }) => vsize)).toEqual([214, 256])
    for (const { fee, vsize } of slashes) expect(fee).toBe(BigInt(vsize * 2))
    const home = completeReturn(TERMS, RETURNED, SECRETS.return)
    expect(home).toMatchObject({ vsize: 203, fee: 2_000n })
  })

  test('is not handed out when a secret or a signature is wrong', () => {
    const wrong = [
      () => slashByEquivocation(PLAN, of(99)),
      () => slashByEquivocation({ ...PLAN, signature: RETURNED }, SECRETS.slot),
      () => slashByFraud(PLAN, FRAUD.slice(1, 2)),
      () => slashByFraud(PLAN, [{ ...FRAUD[0], watcher: publicKeyOf(of(12)) } as (typeof FRAUD)[0], ...FRAUD.slice(2)]),
      () => slashByFraud({ ...PLAN, reward: { ...PLAN.reward, feeRate: 3 } }, FRAUD),
      () => completeReturn(TERMS, RETURNED, SECRETS.slot),
      () => completeReturn(TERMS, SLASH, SECRETS.return),
    ]
    for (const each of wrong) expect(each).toThrow(BondSpendError)
  })

  test('needs a reward that pays for it', () => {
    const dear = { ...PLAN, reward: { ...PLAN.reward, feeRate: 938 } }
    expect(() => slashByEquivocation(dear, SECRETS.slot)).toThrow('sat are left as a reward at 938 sat/vB')
    expect(slashByEquivocation({ ...dear, reward: { ...dear.reward, feeRate: 937 } }, SECRETS.slot).fee).toBe(200_518n)
    expect(() => slashByEquivocation({ ...PLAN, detector: 1 }, SECRETS.slot)).toThrow(RangeError)
  })
})

test('what B signs for a slash is the same to the core, which computes it without a transaction', () => {
  const two = termsFor(BOND, [DETECTOR, { ...DETECTOR, outpoint: { ...DETECTOR.outpoint, vout: 2 } }], SCRIPT)
  for (const at of [0, 1]) expect(slashSighash(two, at)).toEqual(bondSighash(plannedSlash(two, at)))
  expect(isSlashSigned(TERMS, 0, SLASH)).toBe(true)
  expect(isSlashSigned(two, 1, SLASH)).toBe(false)
  for (const wrong of [RETURNED, SLASH.slice(1), new Uint8Array(64), SLASH.with(40, (SLASH[40] as number) ^ 1)])
    expect(isSlashSigned(TERMS, 0, wrong)).toBe(false)
})

describe('what a transaction did to a bond', () => {
  const outcomeOf = (raw: Uint8Array, terms = TERMS) => bondOutcome(terms, readTransaction(raw))
  const changed = (raw: Uint8Array, change: (transaction: Transaction) => void) => {
    const transaction = Transaction.fromBuffer(raw)
    change(transaction)
    return transaction.toBuffer()
  }

  test('is seen from it', () => {
    const slash = slashByEquivocation(PLAN, SECRETS.slot).raw
    const home = completeReturn(TERMS, RETURNED, SECRETS.return).raw
    expect([slash, slashByFraud(PLAN, FRAUD).raw, home].map((raw) => outcomeOf(raw))).toEqual([
      'slashed',
      'slashed',
      'returned',
    ])
    expect(outcomeOf(changed(home, ({ ins }) => ins.shift()))).toBe('frozen')
    expect(outcomeOf(changed(home, ({ ins }) => ins.pop()))).toBe('released')
    const elsewhere = changed(home, ({ ins }) => {
      for (const input of ins) input.index = 7
    })
    expect(outcomeOf(elsewhere)).toBeUndefined()
    expect(outcomeOf(changed(slash, ({ outs }) => outs.reverse()))).toBe('released')
    expect(outcomeOf(changed(home, ({ ins }) => ins.at(1)?.witness.splice(1, 1, SCRIPT)))).toBe('released')
  })

  test('counts every detector', () => {
    const terms = termsFor(BOND, [DETECTOR, { ...DETECTOR, outpoint: { ...DETECTOR.outpoint, vout: 2 } }], SCRIPT)
    const bare = transactionOf(plannedReturn(terms))
    const leaf = detectorOutput(terms.keys, terms.returnDelay).leaves[DETECTOR_LEAVES.return]
    if (leaf === undefined) throw new Error('a leaf')
    for (const at of [1, 2]) bare.setWitness(at, [new Uint8Array(64), leaf.leaf, leaf.control])
    const home = bare.toBuffer()
    expect(outcomeOf(home, terms)).toBe('returned')
    expect(
      outcomeOf(
        changed(home, ({ ins }) => ins.pop()),
        terms,
      ),
    ).toBe('released')
    expect(
      outcomeOf(
        changed(home, ({ ins }) => ins.shift()),
        terms,
      ),
    ).toBe('frozen')
    expect(outcomeOf(transactionOf(plannedSlash(terms, 1)).toBuffer(), terms)).toBe('slashed')
  })
})

test('no byte of a slash or a return can be another', () => {
  const honest: { raw: Uint8Array; spent: readonly L1Output[] }[] = [
    { raw: slashByEquivocation(PLAN, SECRETS.slot).raw, spent: plannedSlash(TERMS, 0).inputs },
    { raw: slashByFraud(PLAN, FRAUD).raw, spent: plannedSlash(TERMS, 0).inputs },
    { raw: completeReturn(TERMS, RETURNED, SECRETS.return).raw, spent: plannedReturn(TERMS).inputs },
  ]
  for (const { raw, spent } of honest) expect(isValid(raw, spent)).toBe(true)
  fc.assert(
    fc.property(fc.constantFrom(...honest), fc.nat(), fc.integer({ min: 1, max: 255 }), ({ raw, spent }, at, flip) => {
      const changed = raw.with(at % raw.length, (raw[at % raw.length] ?? 0) ^ flip)
      expect(isValid(changed, spent)).toBe(false)
    }),
    { numRuns: 500 },
  )
})

/** Whether it is a transaction of these inputs, each of which stands. */
function isValid(raw: Uint8Array, spent: readonly L1Output[]): boolean {
  let transaction: Transaction
  try {
    transaction = Transaction.fromBuffer(raw)
  } catch {
    return false
  }
  if (transaction.ins.length !== spent.length) return false
  return spent.every((_, at) => findSpendFault(transaction, spent, at, 'consensus') === undefined)
}

test('the scripts of these keys are these', () => {
  const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')
  expect([bondScript(KEYS), detectorOutput(KEYS, RULES.returnDelay).script].map(hex)).toMatchInlineSnapshot(`
    [
      "5120568e57a5ac0bded8caae5367c44d826f155c658f0fcfca04fe4aebc300011cae",
      "51202e27b309928ef39f84296310a60497d7c958b511d3eb6e5383d167156a79fcb1",
    ]
  `)
})
