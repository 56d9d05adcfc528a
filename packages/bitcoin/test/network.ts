import { type L1Block, type L1Transaction, type Params, regtestRules } from '@kedge/core'
import { publicKeyOf } from '../src/keys.ts'

export const secretOf = (seed: number): Uint8Array => new Uint8Array(32).fill(seed)

export const WATCHERS = [secretOf(11), secretOf(12), secretOf(13)]

export const ANCHOR_SECRET = secretOf(1)

/** Regtest's rules with keys of known secrets, 2 of 3 watchers. */
export const PARAMS: Params = {
  ...regtestRules,
  genesis: { txid: new Uint8Array(32).fill(7), vout: 1 },
  vault: { txid: new Uint8Array(32).fill(7), vout: 2, value: 10_000n },
  scanHeight: 101,
  keys: {
    anchor: publicKeyOf(ANCHOR_SECRET),
    slot: publicKeyOf(secretOf(2)),
    fees: publicKeyOf(secretOf(3)),
    watchers: WATCHERS.map(publicKeyOf),
    threshold: 2,
  },
}

export function transactionOf(seed: number, parts: Partial<L1Transaction>): L1Transaction {
  return { txid: new Uint8Array(32).fill(seed), inputs: [], outputs: [], ...parts }
}

export function blockOf(height: number, ...transactions: L1Transaction[]): L1Block {
  return { height, hash: new Uint8Array(32).fill(height), parent: new Uint8Array(32).fill(height - 1), transactions }
}
