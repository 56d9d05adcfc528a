import { type Built, publicKeyOf, signHash } from '@kedge/bitcoin'
import {
  type BondStake,
  concatBytes,
  DETECTOR_LEAVES,
  detectorOutput,
  equalBytes,
  type L1Output,
  type LeafOutput,
} from '@kedge/core'
import { Transaction } from 'bitcoinjs-lib'
import { type PlannedSpend, plannedReturn, plannedSlash, transactionOf } from './planned.ts'
import { findSpendFault, type SpendFault, signatureHash } from './spend-check.ts'
import type { BondTerms } from './terms.ts'

/** From a signature of all co-signers to a transaction that Bitcoin takes: the detector's input, the reward, the fee. */

/** Who gets what a slash does not forfeit. */
export interface Reward {
  readonly script: Uint8Array
  /** sat/vB; the reward pays it. */
  readonly feeRate: number
}

/** A slash by one detector: whose signature of B it has, and where its reward goes. */
export interface SlashPlan {
  readonly terms: BondStake
  readonly detector: number
  /** 64 bytes, of all co-signers. */
  readonly signature: Uint8Array
  readonly reward: Reward
}

/** Core and Knots relay no smaller output of 34 bytes of script. */
const DUST = 330n
const BLANK = new Uint8Array(64)
const EMPTY = new Uint8Array(0)

/**
 * The slash that everybody can make who holds the slot key's secret (`extractSlotSecret`). So it can be raced: another
 * may pay the reward to himself, and to the miner; what is forfeited stays forfeited.
 * @throws BondSpendError when the secret is not the slot key's, or the signature not the co-signers'
 */
export function slashByEquivocation(plan: SlashPlan, slotSecret: Uint8Array): Built {
  const input = detectorInput(plan, DETECTOR_LEAVES.equivocation, (hash) => [hash ? signHash(hash, slotSecret) : BLANK])
  return finish(plannedSlash(plan.terms, plan.detector), plan.signature, [rewardOf(plan, input)], [input])
}

/** What each watcher signs: the whole slash, its reward with it, so that nobody turns the others' word to his profit. */
export function fraudSighash(plan: SlashPlan): Uint8Array {
  const spend = plannedSlash(plan.terms, plan.detector)
  const input = fraudInput(plan, [])
  return detectorSighash(spend, [rewardOf(plan, input)], 1, input.leaf)
}

/** Whether a slash by watchers leaves a reward at its fee rate; one that does not can't be signed. */
export function leavesReward(plan: SlashPlan): boolean {
  return rewardValue(plan, fraudInput(plan, [])) >= DUST
}

/** A watcher's word that the sequencer lied. Whether it did is for the watcher to know. */
export function signFraud(plan: SlashPlan, watcherSecret: Uint8Array): FraudSignature {
  return { watcher: publicKeyOf(watcherSecret), signature: signHash(fraudSighash(plan), watcherSecret) }
}

export interface FraudSignature {
  /** x-only. */
  readonly watcher: Uint8Array
  readonly signature: Uint8Array
}

/**
 * The slash that `threshold` watchers make. Of more signatures the first are used.
 * @throws BondSpendError when they are fewer, or one is wrong
 */
export function slashByFraud(plan: SlashPlan, signatures: readonly FraudSignature[]): Built {
  const input = fraudInput(plan, signatures)
  return finish(plannedSlash(plan.terms, plan.detector), plan.signature, [rewardOf(plan, input)], [input])
}

/**
 * The sequencer's way out. Bitcoin takes it from T blocks after the detectors on.
 * @param signature 64 bytes, of all co-signers
 * @throws BondSpendError when the secret is not the return key's, or the signature not the co-signers'
 */
export function completeReturn(terms: BondTerms, signature: Uint8Array, returnSecret: Uint8Array): Built {
  const sign: WitnessOf = (hash) => [hash ? signHash(hash, returnSecret) : BLANK]
  const inputs = terms.detectors.map((_, detector) => detectorInput({ terms, detector }, DETECTOR_LEAVES.return, sign))
  return finish(plannedReturn(terms), signature, [], inputs)
}

/** A detector's input: the elements below the leaf, by the hash that they sign; without one, as large and blank. */
interface DetectorInput extends LeafOutput {
  readonly elements: WitnessOf
}
type WitnessOf = (hash: Uint8Array | undefined) => Uint8Array[]

function detectorInput(
  { terms }: Pick<SlashPlan, 'terms' | 'detector'>,
  at: number,
  elements: WitnessOf,
): DetectorInput {
  const output = detectorOutput(terms.keys, terms.returnDelay).leaves[at]
  if (output === undefined) throw new RangeError(`a detector has no leaf ${at}`)
  return { ...output, elements }
}

/** The leaf counts to exactly `threshold`. Its size does not depend on who signs. */
function fraudInput(plan: SlashPlan, signatures: readonly FraudSignature[]): DetectorInput {
  const { watchers, threshold } = plan.terms.keys
  const present = watchers
    .map((key) => signatures.find(({ watcher }) => equalBytes(watcher, key))?.signature)
    .map((signature, at, all) => (all.slice(0, at).filter(Boolean).length < threshold ? signature : undefined))
  const blanks = watchers.map((_, at) => (at < threshold ? BLANK : EMPTY))
  return detectorInput(plan, DETECTOR_LEAVES.fraud, (hash) => {
    return hash ? present.map((signature) => signature ?? EMPTY).reverse() : blanks
  })
}

function rewardOf(plan: SlashPlan, input: DetectorInput): L1Output {
  const value = rewardValue(plan, input)
  const { script, feeRate } = plan.reward
  if (value < DUST) throw new RangeError(`${value} sat are left as a reward at ${feeRate} sat/vB`)
  return { script, value }
}

/** Satoshis. */
function rewardValue({ terms, detector, reward }: SlashPlan, input: DetectorInput): bigint {
  const spend = plannedSlash(terms, detector)
  const blank = withWitnesses(
    spend,
    BLANK,
    [{ script: reward.script, value: 0n }],
    [input.elements(undefined)],
    [input],
  )
  const fee = BigInt(Math.ceil(blank.virtualSize() * reward.feeRate))
  return sum(spend.inputs) - sum(spend.outputs) - fee
}

function finish(
  spend: PlannedSpend,
  signature: Uint8Array,
  added: readonly L1Output[],
  inputs: readonly DetectorInput[],
): Built {
  const witnesses = inputs.map(({ leaf, elements }, at) => elements(detectorSighash(spend, added, at + 1, leaf)))
  const transaction = withWitnesses(spend, signature, added, witnesses, inputs)
  for (const at of spend.inputs.keys()) {
    const fault = findSpendFault(transaction, spend.inputs, at, 'relay')
    if (fault !== undefined) throw new BondSpendError(spend.stage, at, fault)
  }
  const fee = sum(spend.inputs) - sum(spend.outputs) - sum(added)
  return { raw: transaction.toBuffer(), txid: transaction.getHash(), vsize: transaction.virtualSize(), fee }
}

function withWitnesses(
  spend: PlannedSpend,
  signature: Uint8Array,
  added: readonly L1Output[],
  witnesses: readonly Uint8Array[][],
  inputs: readonly LeafOutput[],
): Transaction {
  const transaction = transactionOf(spend, added)
  transaction.setWitness(0, [withHashType(signature, spend.hashType)])
  for (const [at, { leaf, control }] of inputs.entries())
    transaction.setWitness(at + 1, [...(witnesses[at] ?? []), leaf, control])
  return transaction
}

/** SIGHASH_DEFAULT, which commits to everything. */
function detectorSighash(spend: PlannedSpend, added: readonly L1Output[], at: number, leaf: Uint8Array): Uint8Array {
  const transaction = transactionOf(spend, added)
  return signatureHash({ transaction, spent: spend.inputs, at, leaf }, Transaction.SIGHASH_DEFAULT)
}

/** BIP341: only the default has no byte of its own. */
function withHashType(signature: Uint8Array, hashType: number): Uint8Array {
  return hashType === Transaction.SIGHASH_DEFAULT ? signature : concatBytes(signature, Uint8Array.of(hashType))
}

function sum(list: readonly { readonly value: bigint }[]): bigint {
  return list.reduce((total, { value }) => total + value, 0n)
}

/** What was put together would not be taken by Bitcoin; it is not handed out. */
export class BondSpendError extends Error {
  override readonly name = 'BondSpendError'
  readonly fault: SpendFault

  constructor(stage: string, input: number, fault: SpendFault) {
    super(`input ${input} of the ${stage} would be refused: ${fault}; check the secrets and the co-signers' signature`)
    this.fault = fault
  }
}
