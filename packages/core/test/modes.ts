import { schnorr } from '@noble/curves/secp256k1.js'
import { equalBytes } from '../src/bytes.ts'
import { type Certificate, certificateMessage, type WatcherSignature } from '../src/certificate.ts'
import { certifiedBytes, type Header } from '../src/header.ts'
import type { L1Transaction } from '../src/l1.ts'
import type { Params } from '../src/params.ts'
import { signalScript } from '../src/scripts.ts'
import { transaction } from './bitcoin.ts'
import { type Batch, type Content, type Rollup, startedRollup } from './rollup.ts'
import { bytes32, params, secretOf } from './world.ts'

/** The tests' network with a cap that a handful of operations exceeds, and watchers who vouch for up to 16. */
export const certifying: Params = {
  ...params,
  caps: { ...params.caps, operations: 7 },
  data: { kind: 'certified', operations: 16 },
}

/** The tests' network, with all data on Bitcoin. */
export const publishing: Params = { ...params, data: { kind: 'bitcoin' } }

/** A transaction whose message is for the signal script of a network with these rules. */
export function signalling(rules: Params, { inputs, outputs }: L1Transaction): L1Transaction {
  const [mine, theirs] = [signalScript(params), signalScript(rules)]
  const changed = outputs.map((output) => (equalBytes(output.script, mine) ? { ...output, script: theirs } : output))
  return transaction(inputs, changed)
}

/** So many operations that nobody could execute, and as many states: what Bitcoin alone says of a batch needs no more. */
export function contentOf(pre: Uint8Array, count: number, fill = 1): Content {
  const operations = Array.from({ length: count }, (_, at) => new Uint8Array(20 + at).fill(fill))
  return { pre, operations, stepRoots: new Uint8Array(32 * count).map((_, at) => fill + (at >> 5)) }
}

/** A rollup that has resumed from genesis, and its first batch (number 2), of `count` operations, not anchored yet. */
export function begun(rules: Params, count: number): { rollup: Rollup; batch: Batch } {
  const rollup = startedRollup(undefined, rules)
  return { rollup, batch: rollup.put(contentOf(rollup.ledger.root, count)) }
}

/** What the watcher at a place says of a header; `secret` is another's where somebody lies about who he is. */
export function vouch(header: Header, place: number, secret = secretOf(11 + place)): WatcherSignature {
  return { place, signature: schnorr.sign(certificateMessage(certifiedBytes(header)), secret, bytes32(0)) }
}

/** The certificate that the watchers at these places give. */
export function certificateOf(header: Header, ...places: readonly number[]): Certificate {
  return { signatures: places.map((place) => vouch(header, place)) }
}
