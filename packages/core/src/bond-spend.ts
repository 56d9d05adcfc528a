import { schnorr } from '@noble/curves/secp256k1.js'
import { type BondStake, bondScript, DETECTOR_LEAVES, detectorOutput, type FundedOutput } from './bond.ts'
import { concatBytes, equalBytes } from './bytes.ts'
import { Writer } from './codec.ts'
import { sha256, taggedHash } from './hash.ts'
import { type L1Output, type L1Transaction, outpointKey } from './l1.ts'

/** The slash as all co-signers sign it, and what a transaction did to a bond. */

/** The inputs of a slash, and its first output. */
export interface SlashFrame {
  readonly inputs: readonly (FundedOutput & { readonly script: Uint8Array; readonly sequence: number })[]
  readonly outputs: readonly L1Output[]
}

/** May be replaced, and no relative lock (BIP125, BIP68). */
export const UNLOCKED = 0xfffffffd

/**
 * [B, D] → [forfeit, …]. SINGLE: B's signature fixes both inputs and output 0, so nobody takes the forfeit, and whoever
 * brings what a leaf of D asks for adds the outputs that he likes.
 * @throws RangeError where the bond has no such detector
 */
export function slashFrame(stake: BondStake, detector: number): SlashFrame {
  const found = stake.detectors[detector]
  if (found === undefined) throw new RangeError(`there is no detector ${detector}`)
  const { keys, returnDelay, bond, forfeit } = stake
  const inputs = [
    { ...bond, script: bondScript(keys), sequence: UNLOCKED },
    { ...found, script: detectorOutput(keys, returnDelay).script, sequence: UNLOCKED },
  ]
  return { inputs, outputs: [forfeit] }
}

/** BIP341: everything of the inputs, and the output of the same place. */
const SIGHASH_SINGLE = 3

/** What B's co-signers sign for a slash: BIP341's hash of its first input, by the key path, SINGLE, version 2. */
export function slashSighash(stake: BondStake, detector: number): Uint8Array {
  const { inputs, outputs } = slashFrame(stake, detector)
  const row = (write: (writer: Writer, input: SlashFrame['inputs'][number]) => Writer) =>
    sha256(inputs.reduce(write, new Writer()).bytes)
  const [forfeit] = outputs.map((output) => writeOutput(new Writer(), output).bytes)
  const message = new Writer().u8(0).u8(SIGHASH_SINGLE).u32(2).u32(0)
  message.hash(row((writer, { outpoint }) => writer.hash(outpoint.txid).u32(outpoint.vout)))
  message.hash(row((writer, { value }) => writer.u64(value)))
  message.hash(row((writer, { script }) => writer.u8(script.length).fixed(script, script.length)))
  message.hash(row((writer, { sequence }) => writer.u32(sequence)))
  // The key path without an annex; the first input.
  message.u8(0).u32(0)
  return taggedHash('TapSighash', concatBytes(message.bytes, sha256(forfeit ?? new Uint8Array(0))))
}

function writeOutput(writer: Writer, { value, script }: L1Output): Writer {
  // Longer scripts than 252 bytes are no bond's.
  return writer.u64(value).u8(script.length).fixed(script, script.length)
}

/** Whether all co-signers signed the slash by a detector. @param signature 64 bytes */
export function isSlashSigned(stake: BondStake, detector: number, signature: Uint8Array): boolean {
  const key = bondScript(stake.keys).slice(2)
  return signature.length === 64 && schnorr.verify(signature, slashSighash(stake, detector), key)
}

/**
 * What a transaction did to a bond, as Bitcoin shows it to everybody.
 *
 * - `slashed`: what must be forfeited was
 * - `returned`: to the sequencer, in time
 * - `frozen`: a detector is gone by itself; the return is impossible, and so is a slash by that detector
 * - `released`: all co-signers together sent the bond elsewhere
 *
 * From the first of these on the slot key's signatures prove nothing any more: it may be everybody's.
 */
export type BondOutcome = 'slashed' | 'returned' | 'frozen' | 'released'

/** Undefined for a transaction that leaves the bond alone. */
export function bondOutcome(stake: BondStake, { inputs, outputs }: L1Transaction): BondOutcome | undefined {
  const spent = new Map(inputs.map(({ previous, witness }) => [outpointKey(previous), witness]))
  const detectors = stake.detectors.map(({ outpoint }) => spent.get(outpointKey(outpoint)))
  const gone = detectors.filter((witness) => witness !== undefined)
  if (!spent.has(outpointKey(stake.bond.outpoint))) return gone.length > 0 ? 'frozen' : undefined
  const [first] = outputs
  const { forfeit, keys, returnDelay } = stake
  const isForfeited = first?.value === forfeit.value && equalBytes(first.script, forfeit.script)
  if (gone.length === 1 && isForfeited) return 'slashed'
  // All co-signers could make such a transaction of their own: with the return key, and late. Nobody can tell.
  const home = detectorOutput(keys, returnDelay).leaves[DETECTOR_LEAVES.return]?.leaf ?? new Uint8Array(0)
  const isHome = (witness: readonly Uint8Array[] | undefined) => equalBytes(witness?.at(-2) ?? EMPTY, home)
  return detectors.every(isHome) ? 'returned' : 'released'
}

const EMPTY = new Uint8Array(0)
