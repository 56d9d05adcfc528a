import { buildCommit, buildReveal, coinKey, type Funding } from '@kedge/bitcoin'
import { answerBlocks, type DataKind, encodeMessage, type Message, type Params, regtestRules } from '@kedge/core'

/** What the tables of specification and readme are computed from, again, by tests. */

export const of = (byte: number) => new Uint8Array(32).fill(byte)
export const point = (byte: number) => coinKey(of(byte)).publicKey

/** Regtest's rules, with 3 of 5 watchers. */
export const params: Params = {
  ...regtestRules,
  genesis: { txid: of(7), vout: 0 },
  vault: { txid: of(7), vout: 1, value: 10_000n },
  scanHeight: 101,
  keys: { anchor: point(1), slot: point(2), fees: point(3), watchers: [11, 12, 13, 14, 15].map(point), threshold: 3 },
}

/** One coin, and change. */
export const funding: Funding = {
  key: coinKey(of(20)),
  coins: [{ outpoint: { txid: of(21), vout: 0 }, value: 100_000_000n, height: undefined, coinbase: false }],
  feeRate: 1,
}

/** Vbytes of both transactions that publish a message with these bytes. */
export function published(message: Message, bytes: Uint8Array): number {
  const publication = { params, payload: encodeMessage(message), bytes }
  const commit = buildCommit(publication, 10, funding)
  return commit.vsize + buildReveal(publication, commit.raw, { ...funding, coins: [] }).vsize
}

/** Vbytes of the largest answer: at one a block it takes as many blocks. */
export function largestAnswer(kind: DataKind, rules = params): number {
  return answerBlocks({ ...rules, caps: { ...rules.caps, answerVbytesPerBlock: 1 } }, kind)
}
