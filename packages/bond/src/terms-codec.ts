import { type FundedOutput, type L1Output, type Reader, taggedHash, Writer } from '@kedge/core'
import type { BondTerms } from './terms.ts'

/** Terms as bytes: fixed widths, little-endian; lists and scripts behind their lengths. */

/** Longer scripts and more detectors are refused anyway (`findTermsFault`). */
const MAX_SCRIPT = 100
const MAX_WATCHERS = 15

/** Names the terms as a whole. */
export function setupId(terms: BondTerms): Uint8Array {
  const writer = new Writer(1024)
  writeTerms(writer, terms)
  return taggedHash('kedge/bond/1', writer.bytes)
}

export function writeTerms(writer: Writer, terms: BondTerms): void {
  const { network, keys, returnDelay, bond, detectors, forfeit, returned } = terms
  writer.hash(network).hash(keys.sequencer).hash(keys.slot).hash(keys.return)
  writer.hashes(keys.watchers).u8(keys.threshold).u32(returnDelay).u8(detectors.length)
  for (const { outpoint, value } of [bond, ...detectors]) writer.hash(outpoint.txid).u32(outpoint.vout).u64(value)
  for (const { script, value } of [forfeit, returned]) writer.u64(value).sized(script)
}

/** The reader has failed where these are none (`Reader.done`). */
export function readTerms(reader: Reader): BondTerms {
  const network = reader.hash()
  const [sequencer, slot, own] = [reader.hash(), reader.hash(), reader.hash()]
  const keys = { sequencer, slot, return: own, watchers: reader.hashes(MAX_WATCHERS), threshold: reader.u8() }
  const returnDelay = reader.u32()
  const count = reader.u8()
  const bond = readFunded(reader)
  const detectors = Array.from({ length: count }, () => readFunded(reader))
  return { network, keys, returnDelay, bond, detectors, forfeit: readOutput(reader), returned: readOutput(reader) }
}

function readFunded(reader: Reader): FundedOutput {
  return { outpoint: { txid: reader.hash(), vout: reader.u32() }, value: reader.u64() }
}

function readOutput(reader: Reader): L1Output {
  const value = reader.u64()
  return { value, script: reader.sized(MAX_SCRIPT) }
}
