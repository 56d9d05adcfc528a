import type { RouteName, RouteRequest, RouteResponse } from '@kedge/api'
import { type Params, regtestRules } from '@kedge/core'

/** A request and an answer for each route, for a server that has no node behind it. */

const fill = (byte: number) => byte.toString(16).padStart(2, '0').repeat(32)
const bytes = (byte: number) => new Uint8Array(32).fill(byte)

export const key = fill(0x11)
export const id = fill(0x33)
const txid = fill(0x22)
const headerHash = fill(0x44)

const params: Params = {
  ...regtestRules,
  genesis: { txid: bytes(7), vout: 1 },
  vault: { txid: bytes(7), vout: 2, value: 10_000n },
  scanHeight: 101,
  keys: { anchor: bytes(1), slot: bytes(2), fees: bytes(3), watchers: [bytes(4)], threshold: 1 },
}

const header = {
  hash: headerHash,
  bytes: '01'.repeat(367),
  number: 7,
  parent: fill(0),
  origin: { height: 120, blockHash: fill(8) },
  pre: fill(1),
  post: fill(2),
  opsRoot: fill(3),
  stepsRoot: fill(4),
  opCount: 5,
}

const batch: RouteResponse<'batch'> = {
  outcome: 'batch',
  number: 7,
  anchor: { txid, height: 121, depth: 4 },
  headerHash,
  status: 'anchored',
  challenges: [],
  data: 'held',
  verdict: 'checked',
}

export const requests: { readonly [N in RouteName]: RouteRequest<N> } = {
  health: {},
  params: {},
  account: { key },
  accountHistory: { key, before: { batch: 7, index: 12 }, limit: 20 },
  submitTransfer: { transfer: 'ab'.repeat(174) },
  submitTransfers: { bytes: new Uint8Array(2 * 174).fill(0xab) },
  submitWithdrawal: { withdrawal: 'ab'.repeat(142) },
  payment: { id },
  batch: { number: 7 },
  batches: { before: 8 },
  header: { hash: headerHash },
  blockHeaders: { height: 110, limit: 3 },
  deposits: { key, before: { height: 110, tx: 2, index: 1 } },
  evidence: { limit: 50 },
}

export const responses: { readonly [N in RouteName]: RouteResponse<N> } = {
  health: {
    network: fill(9),
    chain: 'regtest',
    role: 'challenger',
    version: '0.1.0',
    tip: { height: 130, blockHash: fill(0xbb) },
    bitcoin: { height: 131 },
    synced: false,
    mode: 'active',
    head: { number: 7, hash: headerHash, post: fill(2) },
    final: { number: 5 },
    peers: 3,
    engine: 'tiny-secp256k1',
  },
  params: { network: fill(9), params },
  account: {
    key,
    balance: 2n ** 61n,
    cells: [{ cell: 3, nonce: 1n, balance: 2n ** 61n }],
    rung: 'sequenced',
    waiting: [],
  },
  accountHistory: { entries: [], next: { batch: 6, index: 0 } },
  submitTransfer: { id, rung: 'pending' },
  submitWithdrawal: { id, rung: 'pending' },
  submitTransfers: { accepted: 1, receipts: [], refused: [{ row: 1, code: 'insufficient-funds' }] },
  payment: { rung: 'refused', id, reason: 'expired' },
  batch,
  batches: { batches: [batch], next: 7 },
  header,
  blockHeaders: { headers: '01'.repeat(160) },
  deposits: { deposits: [] },
  evidence: { evidence: [{ height: 124, txid, headerHash, kind: 'evidence', outcome: 'void', fault: 'wrong-root' }] },
}
