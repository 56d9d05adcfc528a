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
  metrics: {},
  params: {},
  account: { key },
  accountHistory: { key, before: { batch: 7, index: 12 }, limit: 20 },
  submitTransfer: { transfer: 'ab'.repeat(174) },
  submitTransfers: { bytes: new Uint8Array(2 * 174).fill(0xab) },
  submitWithdrawal: { withdrawal: 'ab'.repeat(142) },
  withdrawal: { id },
  vault: {},
  claims: { after: 4, limit: 200 },
  forcedOperations: { before: { height: 130, tx: 9, index: 0 }, limit: 50 },
  forced: { id },
  payment: { id },
  batch: { number: 7 },
  operation: { number: 7, index: 3 },
  batches: { before: 8 },
  header: { hash: headerHash },
  blockHeaders: { height: 110, limit: 3 },
  bonds: {},
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
  metrics: '# HELP kedge_peers Peers that are connected.\n# TYPE kedge_peers gauge\nkedge_peers 3\n',
  account: {
    key,
    balance: 2n ** 61n,
    cells: [{ cell: 3, nonce: 1n, balance: 2n ** 61n }],
    rung: 'sequenced',
    waiting: [],
  },
  accountHistory: { entries: [], next: { batch: 6, index: 0 } },
  submitTransfer: { id, rung: 'pending' },
  withdrawal: {
    rung: 'paid',
    id,
    ...{ batch: 7, index: 3, amount: 20_000n, payoutFee: 100n, script: `5120${key}` },
    ...{ claim: 4, depth: 9, payableAt: 131, payout: { txid, height: 132 } },
  },
  vault: {
    ...{ height: 132, head: { txid, vout: 0, sats: 410_000n, number: 6 } },
    ...{ balances: 390_000_000n, fees: 100n, owed: 20_000_000n, unpaid: 1, uncredited: 0n, unswept: 2_000_000n },
    ...{ assets: 412_000_000n, liabilities: 411_999_900n },
  },
  claims: {
    claims: [
      {
        ...{ number: 5, amount: 20_000n, payoutFee: 100n, script: `5120${key}`, batch: 7, index: 3 },
        ...{ rung: 'payable', payableAt: 131 },
      },
    ],
    next: 5,
  },
  forcedOperations: { forced: [], next: { height: 120, tx: 1, index: 0 } },
  forced: {
    forced: [
      {
        ...{ id, kind: 'transfer', operation: 'ab'.repeat(174), position: { height: 120, tx: 1, index: 0 } },
        ...{ dueFrom: 122, lastWithout: 141, rung: 'final', carriedIn: { batch: 7, index: 0 }, effect: 'executed' },
      },
    ],
  },
  submitWithdrawal: { id, rung: 'pending' },
  submitTransfers: { accepted: 1, receipts: [], refused: [{ row: 1, code: 'insufficient-funds' }] },
  payment: { rung: 'refused', id, reason: 'expired' },
  batch,
  operation: { id: fill(0x66), operation: 'ab'.repeat(174), path: [fill(1), fill(2)] },
  batches: { batches: [batch], next: 7 },
  header,
  blockHeaders: { headers: '01'.repeat(160) },
  bonds: { asked: false, height: 0, covered: true, left: 0, bonds: [] },
  deposits: { deposits: [] },
  evidence: { evidence: [{ height: 124, txid, headerHash, kind: 'evidence', outcome: 'void', fault: 'wrong-root' }] },
}
