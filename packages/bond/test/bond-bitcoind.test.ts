import { type Built, buildPayment, sendTransaction, signHash } from '@kedge/bitcoin'
import { type BondOutcome, bondOutcome, bondScript, detectorOutput, type L1Output } from '@kedge/core'
import { Transaction } from 'bitcoinjs-lib'
import { describe, expect, test } from 'vitest'
import {
  completeReturn,
  type FraudSignature,
  fraudSighash,
  type SlashPlan,
  signFraud,
  slashByEquivocation,
  slashByFraud,
} from '../src/complete.ts'
import { xOnlyKey } from '../src/key.ts'
import { plannedReturn, plannedSlash, transactionOf } from '../src/planned.ts'
import { extractSlotSecret, signSlot } from '../src/slot-signature.ts'
import { slotTable, tickPoints } from '../src/slot-table.ts'
import { signatureHash } from '../src/spend-check.ts'
import type { BondTerms } from '../src/terms.ts'
import {
  expectAccepted,
  expectRefused,
  expectUnsigned,
  freshKey,
  fundedKey,
  mineAndRead,
  NO_BITCOIND,
  of,
  type Spending,
  useBitcoind,
} from './ground.ts'
import { cosign, KEYS, RULES, SECRETS, termsFor } from './parties.ts'

const LOCKED = /non-BIP68-final/
const GONE = /missing-inputs|missingorspent/

describe.skipIf(NO_BITCOIND).each(['default', 'core'] as const)('under the %s policy', (policy) => {
  const bitcoind = useBitcoind(policy)

  /** Signed first, funded only then; mined. */
  async function newBond(detectors = 1) {
    const detector = detectorOutput(KEYS, RULES.returnDelay).script
    const outputs: L1Output[] = [{ script: bondScript(KEYS), value: 1_000_000n }]
    for (let at = 0; at < detectors; at++) outputs.push({ script: detector, value: 1_000n })
    const funding = buildPayment(outputs, await fundedKey(bitcoind(), 1_100_000n))
    const funded = outputs.map(({ value }, vout) => ({ outpoint: { txid: funding.txid, vout }, value }))
    const [bond, ...rest] = funded
    if (bond === undefined) throw new Error('a bond')
    const terms = termsFor(bond, rest, freshKey().script)
    const record = cosign(terms)
    const { slashes, returned } = record
    if (returned === undefined) throw new Error('a return')
    expect(await sendTransaction(bitcoind().rpc, funding.raw, 0n)).toEqual({ ok: true })
    await mineAndRead(bitcoind(), funding.txid)
    const plans = slashes.map((signature, at): SlashPlan => {
      return { terms, detector: at, signature, reward: { script: freshKey().script, feeRate: 2 } }
    })
    const [plan] = plans
    if (plan === undefined) throw new Error('a slash')
    return { terms, plans, plan, returned }
  }

  const forfeit = 800_000n

  async function expectMined(terms: BondTerms, { txid }: Pick<Built, 'txid'>, outcome: BondOutcome) {
    expect(bondOutcome(terms, await mineAndRead(bitcoind(), txid))).toBe(outcome)
  }

  describe('what must work', () => {
    test('an outsider slashes with two signatures for one slot', async () => {
      const { plan, terms } = await newBond()
      const built = slashByEquivocation(plan, equivocate())
      expect(built.vsize).toBeLessThanOrEqual(300)
      await expectAccepted(bitcoind(), spendingOf(terms, built, 0), forfeit)
      await expectMined(terms, built, 'slashed')
      const { outs } = Transaction.fromBuffer(built.raw)
      expect(outs.map(({ value }) => value)).toEqual([forfeit, 201_000n - built.fee])
    })

    test('each two of three watchers slash', async () => {
      for (const absent of SECRETS.watchers.keys()) {
        const { plan, terms } = await newBond()
        const built = slashByFraud(plan, fraudOf(plan, SECRETS.watchers.toSpliced(absent, 1)))
        await expectAccepted(bitcoind(), spendingOf(terms, built, 0), forfeit)
        await expectMined(terms, built, 'slashed')
      }
    })

    test('of three that sign, two are used', async () => {
      const { plan, terms } = await newBond()
      const built = slashByFraud(plan, fraudOf(plan, SECRETS.watchers))
      await expectAccepted(bitcoind(), spendingOf(terms, built, 0), forfeit)
      await expectMined(terms, built, 'slashed')
    })

    test('the sequencer takes its bond back after T blocks, and not one earlier', async () => {
      const { terms, returned } = await newBond()
      const built = completeReturn(terms, returned, SECRETS.return)
      expect(built.vsize).toBeLessThanOrEqual(300)
      const spending = returnOf(terms, built)
      for (let age = 1; age < RULES.returnDelay; age++) {
        await expectRefused(bitcoind(), spending, LOCKED, /bad-txns-nonfinal/)
        await bitcoind().mine(1)
      }
      await expectAccepted(bitcoind(), spending)
      await expectMined(terms, built, 'returned')
    })

    test('with two detectors either slashes, and the return needs both', async () => {
      const { plans, terms } = await newBond(2)
      const [, second] = plans
      if (second === undefined) throw new Error('a second slash')
      const built = slashByEquivocation(second, SECRETS.slot)
      await expectAccepted(bitcoind(), spendingOf(terms, built, 1), forfeit)
      await expectMined(terms, built, 'slashed')
      const other = await newBond(2)
      await bitcoind().mine(RULES.returnDelay)
      const home = completeReturn(other.terms, other.returned, SECRETS.return)
      await expectAccepted(bitcoind(), returnOf(other.terms, home))
      await expectMined(other.terms, home, 'returned')
    })
  })

  describe('what must not', () => {
    test('a return by any leaf before its time', async () => {
      const { terms, returned } = await newBond()
      const honest = completeReturn(terms, returned, SECRETS.return)
      await expectRefused(bitcoind(), returnOf(terms, honest), LOCKED, /bad-txns-nonfinal/)
      // With the slot key: the leaf has no lock of its own, but B's signature fixes the sequence.
      const byKey = withDetector(terms, honest, 0, [SECRETS.slot])
      await expectRefused(bitcoind(), byKey, LOCKED, /bad-txns-nonfinal/)
      // Without the sequence B's signature is over something else.
      const unlocked = Transaction.fromBuffer(honest.raw)
      for (const input of unlocked.ins) input.sequence = 0xfffffffd
      await expectUnsigned(bitcoind(), { raw: unlocked.toBuffer(), spent: plannedReturn(terms).inputs })
    })

    test('a return that pays somebody else, also after its time', async () => {
      const { terms, returned } = await newBond()
      await bitcoind().mine(RULES.returnDelay)
      const honest = completeReturn(terms, returned, SECRETS.return)
      const transaction = Transaction.fromBuffer(honest.raw)
      const [output] = transaction.outs
      if (output === undefined) throw new Error('an output')
      output.script = freshKey().script
      const raw = transaction.toBuffer()
      // Signed anew by the slot key, which is all that somebody with evidence has.
      await expectUnsigned(bitcoind(), withDetector(terms, { ...honest, raw }, 0, [SECRETS.slot]))
      await expectAccepted(bitcoind(), returnOf(terms, honest))
      await expectMined(terms, honest, 'returned')
    })

    test('a return by another key, though its time has come', async () => {
      const { terms, returned } = await newBond()
      await bitcoind().mine(RULES.returnDelay)
      const honest = completeReturn(terms, returned, SECRETS.return)
      for (const secret of [SECRETS.sequencer, SECRETS.slot, SECRETS.anchor, of(99)])
        await expectUnsigned(bitcoind(), withDetector(terms, honest, 1, [secret]))
    })

    test('a slash without the detector', async () => {
      const { plan } = await newBond()
      const transaction = Transaction.fromBuffer(slashByEquivocation(plan, SECRETS.slot).raw)
      transaction.ins.pop()
      Object.assign(transaction.outs[1] ?? {}, { value: 150_000n })
      const [bond] = plannedSlash(plan.terms, 0).inputs
      await expectUnsigned(bitcoind(), { raw: transaction.toBuffer(), spent: bond === undefined ? [] : [bond] })
    })

    test('a slash with another detector than the one it was signed for', async () => {
      const { plans } = await newBond(2)
      const [first, second] = plans
      if (first === undefined || second === undefined) throw new Error('two slashes')
      const swapped = { ...second, signature: first.signature }
      expect(() => slashByEquivocation(swapped, SECRETS.slot)).toThrow(
        'input 0 of the slash would be refused: signature',
      )
    })

    test('a slash by the leaf of the return', async () => {
      const { plan, terms } = await newBond()
      await bitcoind().mine(RULES.returnDelay)
      const built = slashByEquivocation(plan, SECRETS.slot)
      await expectUnsigned(bitcoind(), withDetector(terms, built, 1, [SECRETS.return]))
    })

    test('a slash by the leaf of equivocation with another key', async () => {
      const { plan, terms } = await newBond()
      const built = slashByEquivocation(plan, SECRETS.slot)
      for (const secret of [SECRETS.return, SECRETS.sequencer, SECRETS.anchor, of(99)])
        await expectUnsigned(bitcoind(), withDetector(terms, built, 0, [secret]))
      expect(() => slashByEquivocation(plan, of(99))).toThrow('input 1 of the slash would be refused: signature')
    })

    test('a slash by one honest signature for a slot', async () => {
      const { plan, terms } = await newBond()
      const built = Transaction.fromBuffer(slashByEquivocation(plan, SECRETS.slot).raw)
      const [, , [, leaf, control]] = [0, 0, built.ins[1]?.witness ?? []]
      if (leaf === undefined || control === undefined) throw new Error('a witness')
      const key = xOnlyKey(SECRETS.slot)
      const id = { network: RULES.network, number: 1, salt: of(3) }
      const table = slotTable(key, id, tickPoints(key, id, 0, 2))
      built.setWitness(1, [signSlot(key, table, 0, of(1)), leaf, control])
      await expectUnsigned(bitcoind(), { raw: built.toBuffer(), spent: plannedSlash(terms, 0).inputs })
    })

    test('a slash by fewer watchers than the threshold, or by strangers', async () => {
      const { plan, terms } = await newBond()
      const [first, second] = SECRETS.watchers
      expect(() => slashByFraud(plan, fraudOf(plan, [first as Uint8Array]))).toThrow('would be refused: result')
      const built = slashByFraud(plan, fraudOf(plan, [first as Uint8Array, second as Uint8Array]))
      const one = withDetector(terms, built, 2, [undefined, undefined, first])
      await expectUnsigned(bitcoind(), one)
      await expectUnsigned(bitcoind(), withDetector(terms, built, 2, [undefined, first, first]))
      await expectUnsigned(bitcoind(), withDetector(terms, built, 2, [undefined, of(98), of(99)]))
      // All three are one too many.
      await expectUnsigned(bitcoind(), withDetector(terms, built, 2, [...SECRETS.watchers].reverse()))
    })

    test('a slash by watchers whose reward was turned elsewhere', async () => {
      const { plan, terms } = await newBond()
      const built = Transaction.fromBuffer(slashByFraud(plan, fraudOf(plan, SECRETS.watchers)).raw)
      const [, reward] = built.outs
      if (reward === undefined) throw new Error('a reward')
      reward.script = freshKey().script
      await expectUnsigned(bitcoind(), { raw: built.toBuffer(), spent: plannedSlash(terms, 0).inputs })
      expect(fraudSighash(plan)).not.toEqual(fraudSighash({ ...plan, reward: { ...plan.reward, feeRate: 3 } }))
    })

    test('the sequencer alone, or any co-signers but all, on B', async () => {
      const { terms } = await newBond()
      const outputs = [{ script: freshKey().script, value: 900_000n }]
      for (const secret of [SECRETS.sequencer, SECRETS.slot, ...SECRETS.watchers]) {
        const spend = { ...plannedReturn(terms), inputs: plannedReturn(terms).inputs.slice(0, 1), outputs }
        const transaction = transactionOf(spend)
        const hash = signatureHash({ transaction, spent: spend.inputs, at: 0 }, Transaction.SIGHASH_DEFAULT)
        transaction.setWitness(0, [signWith(secret, hash)])
        await expectUnsigned(bitcoind(), { raw: transaction.toBuffer(), spent: spend.inputs })
      }
    })

    test('a return after a slash, and a slash after a return', async () => {
      const slashed = await newBond()
      const returned = await newBond()
      await bitcoind().mine(RULES.returnDelay)
      const slash = slashByEquivocation(slashed.plan, SECRETS.slot)
      const home = completeReturn(returned.terms, returned.returned, SECRETS.return)
      await expectAccepted(bitcoind(), spendingOf(slashed.terms, slash, 0), forfeit)
      await expectAccepted(bitcoind(), returnOf(returned.terms, home))
      await bitcoind().mine(1)
      const late = completeReturn(slashed.terms, slashed.returned, SECRETS.return)
      await expectRefused(bitcoind(), returnOf(slashed.terms, late), GONE)
      const vain = slashByEquivocation(returned.plan, SECRETS.slot)
      await expectRefused(bitcoind(), spendingOf(returned.terms, vain, 0), GONE)
    })

    test.each([
      ['the sequencer, with its slot key', 0, [SECRETS.slot]],
      ['the sequencer, with its return key, in time', 1, [SECRETS.return]],
      ['t watchers', 2, [undefined, SECRETS.watchers[1], SECRETS.watchers[0]]],
    ] as const)('the detector is spent alone by %s: the bond is frozen, for everybody', async (_, leaf, secrets) => {
      const { plan, terms, returned } = await newBond()
      await bitcoind().mine(RULES.returnDelay)
      const alone = detectorAlone(terms, leaf, secrets)
      await expectAccepted(bitcoind(), alone)
      await expectMined(terms, { txid: Transaction.fromBuffer(alone.raw).getHash() }, 'frozen')
      const home = completeReturn(terms, returned, SECRETS.return)
      await expectRefused(bitcoind(), returnOf(terms, home), GONE)
      const slash = slashByEquivocation(plan, SECRETS.slot)
      await expectRefused(bitcoind(), spendingOf(terms, slash, 0), GONE)
    })

    test('the detector alone, by fewer watchers than the threshold, by strangers, or by the return key too early', async () => {
      const { terms } = await newBond()
      const [first] = SECRETS.watchers
      await expectRefused(bitcoind(), detectorAlone(terms, 1, [SECRETS.return]), LOCKED, /bad-txns-nonfinal/)
      await expectUnsigned(bitcoind(), detectorAlone(terms, 1, [SECRETS.return], 0xfffffffd))
      await bitcoind().mine(RULES.returnDelay)
      for (const secret of [SECRETS.return, SECRETS.anchor, of(99)])
        await expectUnsigned(bitcoind(), detectorAlone(terms, 0, [secret]))
      for (const secret of [SECRETS.slot, first, of(99)])
        await expectUnsigned(bitcoind(), detectorAlone(terms, 1, [secret]))
      const few = [
        [undefined, undefined, first],
        [undefined, first, first],
        [undefined, of(98), of(99)],
        [...SECRETS.watchers].reverse(),
      ]
      for (const secrets of few) await expectUnsigned(bitcoind(), detectorAlone(terms, 2, secrets))
    })

    test('the sequencer slashes itself: the forfeit is lost all the same', async () => {
      const { plan, terms } = await newBond()
      const honest = slashByEquivocation(plan, SECRETS.slot)
      for (const change of [{ value: forfeit - 1n }, { script: plan.reward.script }, { value: forfeit + 1n }]) {
        const transaction = Transaction.fromBuffer(honest.raw)
        Object.assign(transaction.outs[0] ?? {}, change)
        const changed = { ...honest, raw: transaction.toBuffer() }
        await expectUnsigned(bitcoind(), withDetector(terms, changed, 0, [SECRETS.slot]))
      }
      // Without it, or behind another output, too.
      const without = Transaction.fromBuffer(honest.raw)
      without.outs.reverse()
      await expectUnsigned(bitcoind(), withDetector(terms, { ...honest, raw: without.toBuffer() }, 0, [SECRETS.slot]))
      await expectAccepted(bitcoind(), spendingOf(terms, honest, 0), forfeit)
      await expectMined(terms, honest, 'slashed')
    })
  })
})

/** Two messages for one slot, signed by the sequencer; what everybody can compute from them. */
function equivocate(): Uint8Array {
  const key = xOnlyKey(SECRETS.slot)
  const id = { network: RULES.network, number: 7, salt: of(3) }
  const table = slotTable(key, id, tickPoints(key, id, 0, 4))
  const [one, other] = [of(1), of(2)].map((message) => ({ message, signature: signSlot(key, table, 2, message) }))
  if (one === undefined || other === undefined) throw new Error('two messages')
  const secret = extractSlotSecret(RULES.keys.slot, one, other)
  if (secret === undefined) throw new Error('the key was not revealed')
  return secret
}

const signWith = (secret: Uint8Array, hash: Uint8Array): Uint8Array => signHash(hash, secret)

function fraudOf(plan: SlashPlan, secrets: readonly Uint8Array[]): FraudSignature[] {
  return secrets.map((secret) => signFraud(plan, secret))
}

function spendingOf(terms: BondTerms, { raw }: Built, detector: number): Spending {
  return { raw, spent: plannedSlash(terms, detector).inputs }
}

function returnOf(terms: BondTerms, { raw }: Built): Spending {
  return { raw, spent: plannedReturn(terms).inputs }
}

/** The detector by itself, without what it is there for. */
function detectorAlone(
  terms: BondTerms,
  leaf: number,
  secrets: readonly (Uint8Array | undefined)[],
  sequence?: number,
): Spending {
  const [, detector] = plannedReturn(terms).inputs
  const [output] = detectorOutput(terms.keys, terms.returnDelay).leaves.slice(leaf)
  if (detector === undefined || output === undefined) throw new Error('a detector with such a leaf')
  const outputs = [{ script: freshKey().script, value: 600n }]
  const spent = [sequence === undefined ? detector : { ...detector, sequence }]
  const hashType = Transaction.SIGHASH_DEFAULT
  const transaction = transactionOf({ stage: 'return', inputs: spent, outputs, hashType })
  const hash = signatureHash({ transaction, spent, at: 0, leaf: output.leaf }, hashType)
  const signatures = secrets.map((secret) => (secret === undefined ? new Uint8Array(0) : signWith(secret, hash)))
  transaction.setWitness(0, [...signatures, output.leaf, output.control])
  return { raw: transaction.toBuffer(), spent }
}

/** The same transaction with its first detector spent by another leaf, or signed by others, over what it now is. */
function withDetector(
  terms: BondTerms,
  { raw }: Built,
  leaf: number,
  secrets: readonly (Uint8Array | undefined)[],
): Spending {
  const transaction = Transaction.fromBuffer(raw)
  const [output] = detectorOutput(terms.keys, terms.returnDelay).leaves.slice(leaf)
  if (output === undefined) throw new Error('a leaf')
  const spent = plannedReturn(terms).inputs
  const hash = signatureHash({ transaction, spent, at: 1, leaf: output.leaf }, Transaction.SIGHASH_DEFAULT)
  const signatures = secrets.map((secret) => (secret === undefined ? new Uint8Array(0) : signWith(secret, hash)))
  transaction.setWitness(1, [...signatures, output.leaf, output.control])
  return { raw: transaction.toBuffer(), spent }
}
