import {
  type BondStake,
  bondScript,
  detectorOutput,
  type FundedOutput,
  type L1Output,
  slashFrame,
  UNLOCKED,
} from '@kedge/core'
import { schnorr } from '@noble/curves/secp256k1.js'
import { Transaction } from 'bitcoinjs-lib'
import { signatureHash } from './spend-check.ts'
import type { BondTerms } from './terms.ts'

/** The spends of B that its co-signers sign, before it is funded: these and no others. */

/** A slash by one detector; the return. The order in which they are signed is part of the protocol (`cosign.ts`). */
export type Stage = 'slash' | 'return'

export interface PlannedSpend {
  readonly stage: Stage
  readonly inputs: readonly PlannedInput[]
  readonly outputs: readonly L1Output[]
  /** BIP341's, of B's signature. */
  readonly hashType: number
}

interface PlannedInput extends FundedOutput {
  readonly script: Uint8Array
  readonly sequence: number
}

/** B is always this input. */
const BOND_INPUT = 0

export function plannedSpends(terms: BondTerms, stage: Stage): PlannedSpend[] {
  if (stage === 'return') return [plannedReturn(terms)]
  return terms.detectors.map((_, detector) => plannedSlash(terms, detector))
}

/** A slash by one detector. @throws RangeError where the bond has no such detector */
export function plannedSlash(terms: BondStake, detector: number): PlannedSpend {
  return { stage: 'slash', ...slashFrame(terms, detector), hashType: Transaction.SIGHASH_SINGLE }
}

/**
 * [B, every D after T] → [returned]. All is signed: once T is over, evidence can't lead it elsewhere. Each D's lock
 * holds by its sequence (BIP68), whatever leaf it is spent by; a D that is gone makes the return impossible.
 */
export function plannedReturn(terms: BondTerms): PlannedSpend {
  const locked = terms.detectors.map((detector) => detectorInput(terms, detector, terms.returnDelay))
  const inputs = [bondInput(terms), ...locked]
  return { stage: 'return', inputs, outputs: [terms.returned], hashType: Transaction.SIGHASH_DEFAULT }
}

function bondInput({ bond, keys }: BondTerms): PlannedInput {
  return { ...bond, script: bondScript(keys), sequence: UNLOCKED }
}

function detectorInput({ keys, returnDelay }: BondTerms, detector: FundedOutput, sequence: number): PlannedInput {
  return { ...detector, script: detectorOutput(keys, returnDelay).script, sequence }
}

/** Without witnesses. @param added outputs behind the planned ones */
export function transactionOf({ inputs, outputs }: PlannedSpend, added: readonly L1Output[] = []): Transaction {
  const transaction = new Transaction()
  // Relative locks count from version 2 on (BIP68).
  transaction.version = 2
  for (const { outpoint, sequence } of inputs) transaction.addInput(outpoint.txid, outpoint.vout, sequence)
  for (const { script, value } of [...outputs, ...added]) transaction.addOutput(script, value)
  return transaction
}

/** What B's co-signers sign. */
export function bondSighash(spend: PlannedSpend): Uint8Array {
  const transaction = transactionOf(spend)
  return signatureHash({ transaction, spent: spend.inputs, at: BOND_INPUT }, spend.hashType)
}

/** Whether all co-signers signed the spend. @param signature 64 bytes */
export function isCosigned(spend: PlannedSpend, signature: Uint8Array): boolean {
  const [bond] = spend.inputs
  if (bond === undefined || signature.length !== 64) return false
  return schnorr.verify(signature, bondSighash(spend), bond.script.slice(2))
}
