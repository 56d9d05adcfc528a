import { concatBytes, equalBytes, toHex } from './bytes.ts'
import { jointKey } from './joint-key.ts'
import type { L1Output, Outpoint } from './l1.ts'
import type { Params } from './params.ts'
import {
  OP_CHECKSEQUENCEVERIFY,
  OP_CHECKSIG,
  OP_DROP,
  once,
  push,
  pushNumber,
  quorum,
  taprootKey,
  taprootScript,
  UNSPENDABLE_KEY,
} from './scripts.ts'
import { type TreeOutput, treeOutput } from './tap-tree.ts'

/** What a bond is made of: the scripts of its two outputs. What becomes of them: `bond-spend.ts`, `bonds.ts`. */

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

/** What everybody knows of a bond that Bitcoin holds. */
export interface BondStake {
  readonly keys: BondKeys
  /** T: blocks from the detector to the return. */
  readonly returnDelay: number
  /** B. */
  readonly bond: FundedOutput
  /** Each is a D; there is one today. A slash needs one of them, the return needs all. */
  readonly detectors: readonly FundedOutput[]
  /** Output 0 of every slash: what is burnt or compensates. */
  readonly forfeit: L1Output
}

/** The keys of a network that asks for a bond. */
export const bondKeysOf = once((params): BondKeys | undefined => {
  const { bond, keys } = params
  if (bond === undefined) return undefined
  const { slot, watchers, threshold } = keys
  return { sequencer: bond.sequencer, slot, return: bond.return, watchers, threshold }
})

/** Every co-signer, in the order of BIP327's KeySort. */
export function cosignersOf({ sequencer, watchers }: BondKeys): Uint8Array[] {
  return [sequencer, ...watchers].sort((a, b) => (toHex(a) < toHex(b) ? -1 : 1))
}

/** The internal key of B: all co-signers' together. It takes a multiplication for each, so it is computed once. */
export function bondKey(keys: BondKeys): Uint8Array {
  const key = bondKeys.get(keys) ?? jointKey(cosignersOf(keys))
  bondKeys.set(keys, key)
  return key
}

const bondKeys = new WeakMap<BondKeys, Uint8Array>()

/** B: by the key of all co-signers together, and by nothing else. */
export function bondScript(keys: BondKeys): Uint8Array {
  return taprootScript(taprootKey(bondKey(keys)).key)
}

/** D: no key path. Its leaves: by place (`DETECTOR_LEAVES`). */
export function detectorOutput(keys: BondKeys, returnDelay: number): TreeOutput {
  // The first lies highest, so that the slash that everybody may need is the smallest.
  return treeOutput(UNSPENDABLE_KEY, [
    equivocationLeaf(keys.slot),
    returnLeaf(returnDelay, keys.return),
    fraudLeaf(keys.watchers, keys.threshold),
  ])
}

/** Places of a detector's leaves. */
export const DETECTOR_LEAVES = { equivocation: 0, return: 1, fraud: 2 } as const

/** `<key> CHECKSIG`: takes a signature, leaves whether it is the key's. */
function signedBy(key: Uint8Array): Uint8Array {
  return concatBytes(push(key), Uint8Array.of(OP_CHECKSIG))
}

/** `<blocks> CSV DROP`: leaves the stack as it was, where the input's relative lock is at least that (BIP112). */
export function afterBlocks(blocks: number): Uint8Array {
  return concatBytes(pushNumber(blocks), Uint8Array.of(OP_CHECKSEQUENCEVERIFY, OP_DROP))
}

/** The sequencer takes its bond back, T blocks after the detector was mined. */
export function returnLeaf(blocks: number, returnKey: Uint8Array): Uint8Array {
  return concatBytes(afterBlocks(blocks), signedBy(returnKey))
}

/** Whoever holds the slot key, and that is everybody once two messages for one slot were signed. */
export function equivocationLeaf(slotKey: Uint8Array): Uint8Array {
  return signedBy(slotKey)
}

/** t of n watchers say that the sequencer lied where Script can't see it. */
export function fraudLeaf(watchers: readonly Uint8Array[], threshold: number): Uint8Array {
  return quorum(watchers, threshold)
}

/** What of a bond is forfeited: satoshis, rounded up. */
export function forfeitOf(bond: bigint, percent: number): bigint {
  return (bond * BigInt(percent) + 99n) / 100n
}

/** The outputs that a bond of the network begins with: B is the transaction's first output, D its second. */
export function readFunding(
  params: Params,
  { txid, outputs }: { readonly txid: Uint8Array; readonly outputs: readonly L1Output[] },
): Pick<BondStake, 'bond' | 'detectors'> | undefined {
  const [first, second] = outputs
  const { bond: asked } = params
  if (asked === undefined || first === undefined || second === undefined || first.value < asked.minimum)
    return undefined
  const { bond, detector } = bondScriptsOf(params)
  if (!equalBytes(first.script, bond) || !equalBytes(second.script, detector)) return undefined
  const funded = (vout: number, { value }: L1Output): FundedOutput => ({ outpoint: { txid, vout }, value })
  return { bond: funded(0, first), detectors: [funded(1, second)] }
}

/** The scripts of B and D. @throws Error where the network asks for no bond */
export const bondScriptsOf = once((params) => {
  const keys = bondKeysOf(params)
  if (params.bond === undefined || keys === undefined) throw new Error('this network asks for no bond')
  return { bond: bondScript(keys), detector: detectorOutput(keys, params.bond.returnDelay).script }
})

/** A bond of the network. @throws Error where the network asks for none */
export function stakeOf(params: Params, { bond, detectors }: Pick<BondStake, 'bond' | 'detectors'>): BondStake {
  const keys = bondKeysOf(params)
  const asked = params.bond
  if (asked === undefined || keys === undefined) throw new Error('this network asks for no bond')
  const { returnDelay, forfeit } = asked
  const lost = { script: forfeit.script, value: forfeitOf(bond.value, forfeit.percent) }
  return { keys, returnDelay, bond, detectors, forfeit: lost }
}
