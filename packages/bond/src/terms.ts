import {
  type BondKeys,
  type BondStake,
  bondKeysOf,
  dataCarrier,
  equalBytes,
  forfeitOf,
  type L1Output,
  networkId,
  type Outpoint,
  type Params,
  toHex,
} from '@kedge/core'

/** Everything a bond is made of: scripts and transactions follow from it, so co-signers rebuild instead of comparing. */
export interface BondTerms extends BondStake {
  readonly network: Uint8Array
  /** The return's only output; what it leaves is the return's fee. Its owner's child may raise that. */
  readonly returned: L1Output
}

/** What a network asks of a bond. */
export interface BondRules {
  readonly network: Uint8Array
  readonly keys: BondKeys
  readonly returnDelay: number
  /** Satoshis. */
  readonly minimum: bigint
  /** How much of the bond is forfeited, and to whom. */
  readonly forfeit: { readonly percent: number; readonly script: Uint8Array }
}

/** @throws Error where the network asks for no bond */
export function bondRulesOf(params: Params): BondRules {
  const keys = bondKeysOf(params)
  if (params.bond === undefined || keys === undefined) throw new Error('this network asks for no bond')
  const { returnDelay, minimum, forfeit } = params.bond
  return { network: networkId(params), keys, returnDelay, minimum, forfeit }
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
  const outpoints = [bond, ...detectors].map(({ outpoint }) => printOutpoint(outpoint))
  const must: readonly (readonly [boolean, string])[] = [
    [equalBytes(terms.network, rules.network), 'another network'],
    [areSameKeys(keys, rules.keys), "the keys are not the network's"],
    [terms.returnDelay === rules.returnDelay && terms.returnDelay <= MAX_DELAY, 'another return delay'],
    [bond.value >= rules.minimum, `the bond is below ${rules.minimum} sat`],
    [detectors.length >= 1 && detectors.length <= MAX_DETECTORS, 'too few detectors, or too many'],
    [detectors.every(({ value }) => value >= DUST), 'a detector is dust'],
    [areDistinct(outpoints), 'an outpoint comes twice'],
    [
      forfeit.value === forfeitOf(bond.value, rules.forfeit.percent) && rules.forfeit.percent <= MAX_PERCENT,
      'another forfeit',
    ],
    [equalBytes(forfeit.script, rules.forfeit.script), 'the forfeit goes elsewhere'],
    [returned.value >= DUST && returned.value < total, 'the return pays nothing, or no fee'],
    [isPaid(returned.script) && (isPaid(forfeit.script) || dataCarrier(forfeit.script) !== undefined), 'an odd script'],
  ]
  return must.find(([holds]) => !holds)?.[1]
}

function isPaid(script: Uint8Array): boolean {
  return script.length > 0 && script.length <= MAX_SCRIPT && script[0] !== 0x6a
}

function areSameKeys(some: BondKeys, others: BondKeys): boolean {
  const list = ({ sequencer, slot, return: home, watchers }: BondKeys) => [sequencer, slot, home, ...watchers]
  const [own, theirs] = [list(some).map(toHex), list(others).map(toHex)]
  return (
    some.threshold === others.threshold && own.length === theirs.length && own.every((key, at) => key === theirs[at])
  )
}

function areDistinct(texts: readonly string[]): boolean {
  return new Set(texts).size === texts.length
}

export function printOutpoint({ txid, vout }: Outpoint): string {
  return `${toHex(txid)}:${vout}`
}
