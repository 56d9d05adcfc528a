import {
  dataCarrier,
  equalBytes,
  type L1Output,
  type Outpoint,
  taprootKey,
  taprootScript,
  toHex,
  UNSPENDABLE_KEY,
} from '@kedge/core'
import { isXOnlyPoint } from 'tiny-secp256k1'
import { equivocationLeaf, fraudLeaf, returnLeaf } from './leaves.ts'
import { aggregateKey } from './musig.ts'
import { type TreeOutput, treeOutput } from './tap-tree.ts'

/** All x-only, and no two the same. */
export interface BondKeys {
  /** The sequencer's share of the bond's key; signs nothing else. */
  readonly sequencer: Uint8Array
  /** Signs headers and ticks. */
  readonly slot: Uint8Array
  /** Takes the bond back. */
  readonly return: Uint8Array
  /** Each co-signs the bond's two ways out; `threshold` of them may say that the sequencer lied. */
  readonly watchers: readonly Uint8Array[]
  readonly threshold: number
}

export interface FundedOutput {
  readonly outpoint: Outpoint
  /** Satoshis. */
  readonly value: bigint
}

/** Everything a bond is made of: scripts and transactions follow from it, so co-signers rebuild instead of comparing. */
export interface BondTerms {
  readonly network: Uint8Array
  readonly keys: BondKeys
  /** T: blocks from the detector to the return. */
  readonly returnDelay: number
  /** B. */
  readonly bond: FundedOutput
  /** Each is a D; there is one today. A slash needs one of them, the return needs all. */
  readonly detectors: readonly FundedOutput[]
  /** Output 0 of every slash: what is burnt or compensates. */
  readonly forfeit: L1Output
  /** The return's only output; what it leaves is the return's fee. Its owner's child may raise that. */
  readonly returned: L1Output
}

/** What a network asks of a bond. */
export interface BondRules {
  readonly network: Uint8Array
  readonly slot: Uint8Array
  readonly anchor: Uint8Array
  readonly watchers: readonly Uint8Array[]
  readonly threshold: number
  readonly returnDelay: number
  /** Satoshis. */
  readonly minimum: bigint
  /** How much of the bond is forfeited, and to whom. */
  readonly forfeit: { readonly percent: number; readonly script: Uint8Array }
}

/** Bitcoin Core relays no smaller taproot output. */
const DUST = 330n
/** BIP68's longest lock in blocks. */
const MAX_DELAY = 0xffff
/** Each is a slash more to be signed. */
const MAX_DETECTORS = 16
/** What is forfeited must leave enough for whoever brings the evidence to pay for it. */
const MAX_PERCENT = 95
/** Core and Knots relay no longer output script, OP_RETURN aside. */
const MAX_SCRIPT = 34

/** Why nobody should co-sign these terms, or undefined. */
export function findTermsFault(terms: BondTerms, rules: BondRules): string | undefined {
  const { keys, bond, detectors, forfeit, returned } = terms
  const total = detectors.reduce((sum, { value }) => sum + value, bond.value)
  const own = [keys.sequencer, keys.slot, keys.return, rules.anchor]
  const outpoints = [bond, ...detectors].map(({ outpoint }) => printOutpoint(outpoint))
  const must: readonly (readonly [boolean, string])[] = [
    [equalBytes(terms.network, rules.network), 'another network'],
    [sameKeys(keys.watchers, rules.watchers) && keys.threshold === rules.threshold, 'other watchers'],
    [equalBytes(keys.slot, rules.slot), "the slot key is not the network's"],
    [areDistinct([...own, ...keys.watchers].map(toHex)), 'two keys are the same'],
    [[keys.sequencer, keys.return].every(isXOnlyPoint), 'a key is not on the curve'],
    [terms.returnDelay === rules.returnDelay && terms.returnDelay <= MAX_DELAY, 'another return delay'],
    [bond.value >= rules.minimum, `the bond is below ${rules.minimum} sat`],
    [detectors.length >= 1 && detectors.length <= MAX_DETECTORS, 'too few detectors, or too many'],
    [detectors.every(({ value }) => value >= DUST), 'a detector is dust'],
    [areDistinct(outpoints), 'an outpoint comes twice'],
    [forfeit.value === forfeitOf(bond.value, rules) && rules.forfeit.percent <= MAX_PERCENT, 'another forfeit'],
    [equalBytes(forfeit.script, rules.forfeit.script), 'the forfeit goes elsewhere'],
    [returned.value >= DUST && returned.value < total, 'the return pays nothing, or no fee'],
    [isPaid(returned.script) && (isPaid(forfeit.script) || dataCarrier(forfeit.script) !== undefined), 'an odd script'],
  ]
  return must.find(([holds]) => !holds)?.[1]
}

/** Satoshis, rounded up. */
export function forfeitOf(bond: bigint, { forfeit }: BondRules): bigint {
  return (bond * BigInt(forfeit.percent) + 99n) / 100n
}

function isPaid(script: Uint8Array): boolean {
  return script.length > 0 && script.length <= MAX_SCRIPT && script[0] !== 0x6a
}

function sameKeys(some: readonly Uint8Array[], others: readonly Uint8Array[]): boolean {
  return some.length === others.length && some.every((key, at) => equalBytes(key, others[at] as Uint8Array))
}

function areDistinct(texts: readonly string[]): boolean {
  return new Set(texts).size === texts.length
}

export function printOutpoint({ txid, vout }: Outpoint): string {
  return `${toHex(txid)}:${vout}`
}

/** Every co-signer, in the order of BIP327's KeySort. */
export function cosignersOf({ sequencer, watchers }: BondKeys): Uint8Array[] {
  return [sequencer, ...watchers].sort((a, b) => (toHex(a) < toHex(b) ? -1 : 1))
}

/** The internal key of B: all co-signers' together. It takes a multiplication for each, so it is computed once. */
export function bondKey(keys: BondKeys): Uint8Array {
  const key = bondKeys.get(keys) ?? aggregateKey(cosignersOf(keys))
  bondKeys.set(keys, key)
  return key
}

const bondKeys = new WeakMap<BondKeys, Uint8Array>()

/** B: by the key of all co-signers together, and by nothing else. */
export function bondScript(keys: BondKeys): Uint8Array {
  return taprootScript(taprootKey(bondKey(keys)).key)
}

/** D: no key path. Its leaves: by place. */
export function detectorOutput(keys: BondKeys, returnDelay: number): TreeOutput {
  // The first lies highest, so that the slash that everybody may need is the smallest.
  return treeOutput(UNSPENDABLE_KEY, [
    equivocationLeaf(keys.slot),
    returnLeaf(returnDelay, keys.return),
    fraudLeaf(keys.watchers, keys.threshold),
  ])
}
