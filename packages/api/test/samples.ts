import { encodeHeader, headerHash, type Params, regtestRules, toHex } from '@kedge/core'
import type { RouteName, RouteRequest, RouteResponse } from '../src/routes.ts'

/** One request and one answer a route, with every optional field there. */

const fill = (byte: number) => byte.toString(16).padStart(2, '0').repeat(32)

export const key = fill(0x11)
const txid = fill(0x22)
export const id = fill(0x33)

const params: Params = {
  ...regtestRules,
  genesis: { txid: new Uint8Array(32).fill(7), vout: 1 },
  vault: { txid: new Uint8Array(32).fill(7), vout: 2, value: 10_000n },
  scanHeight: 101,
  keys: {
    anchor: new Uint8Array(32).fill(1),
    slot: new Uint8Array(32).fill(2),
    fees: new Uint8Array(32).fill(3),
    watchers: [new Uint8Array(32).fill(4), new Uint8Array(32).fill(5)],
    threshold: 2,
  },
}

const headerBytes = encodeHeader({
  network: new Uint8Array(32).fill(9),
  number: 7,
  parent: new Uint8Array(32),
  origin: { height: 120, hash: new Uint8Array(32).fill(8) },
  pre: new Uint8Array(32).fill(1),
  post: new Uint8Array(32).fill(2),
  opsRoot: new Uint8Array(32).fill(3),
  stepsRoot: new Uint8Array(32).fill(4),
  opCount: 5,
  nonceRoot: new Uint8Array(32).fill(5),
  prevSig: new Uint8Array(96).fill(6),
})

const header: RouteResponse<'header'> = {
  hash: toHex(headerHash(headerBytes)),
  bytes: toHex(headerBytes),
  number: 7,
  parent: fill(0),
  origin: { height: 120, blockHash: fill(8) },
  pre: fill(1),
  post: fill(2),
  opsRoot: fill(3),
  stepsRoot: fill(4),
  opCount: 5,
}

const deposit = {
  position: { height: 110, tx: 2, index: 1 },
  txid,
  vout: 1,
  key,
  sats: 250_000n,
  dueAt: 111,
  refundableAt: 190,
  creditedIn: { batch: 3, index: 0 },
}

const anchor = { txid, height: 121, depth: 4 }
const acknowledgement = { operation: 'ab'.repeat(174), receipt: 'cd'.repeat(268) }

const proof = { bytes: '02'.repeat(2500), blockHeader: '01'.repeat(80), height: 121 }

const batch: RouteResponse<'batch'> = {
  outcome: 'batch',
  number: 7,
  anchor,
  headerHash: header.hash,
  status: 'void',
  header,
  finalHeight: 127,
  void: { height: 124, cause: 'evidence', fault: 'wrong-root' },
  challenges: [{ kind: 'steps', txid, height: 122, deadline: 126, answeredAt: 123 }],
  data: 'held',
  verdict: 'rejected',
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
  batches: { before: 8, limit: 200 },
  header: { hash: header.hash },
  blockHeaders: { height: 110, limit: 200 },
  bonds: {},
  deposits: { key, before: { height: 110, tx: 2, index: 1 }, limit: 1 },
  evidence: { before: { height: 130, tx: 9, index: 0 }, limit: 50 },
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
    head: { number: 7, hash: header.hash, post: fill(2) },
    final: { number: 5 },
    balance: { assets: 2_000_000n, liabilities: 1_999_999n },
    exit: { from: 128, root: fill(0x77) },
    watcher: 'waiting',
    capped: [{ what: 'anchor 8', deadline: 141 }, { what: 'the vault’s payout' }],
    pinned: [{ what: 'the vault’s payout', vbytes: 88_321 }],
    pending: { number: 8, reason: 'no peer has its data yet' },
    rejected: { number: 9, fault: 'wrong-root' },
    peers: 3,
    engine: 'tiny-secp256k1 × 2',
  },
  params: { network: fill(9), params },
  metrics: '# HELP kedge_peers Peers that are connected.\n# TYPE kedge_peers gauge\nkedge_peers 3\n',
  account: {
    key,
    balance: 2_100_000_000_000_000_000n,
    cells: [
      { cell: 0, nonce: 2n ** 64n - 1n, balance: 2_099_999_999_999_999_999n },
      { cell: 2 ** 47, nonce: 0n, balance: 1n },
    ],
    rung: 'sequenced',
    waiting: [deposit],
  },
  accountHistory: {
    entries: [
      {
        id,
        kind: 'transfer',
        direction: 'out',
        amount: 1_000n,
        fee: 100n,
        counterparty: fill(0x44),
        memo: fill(0x55),
        batch: 7,
        index: 4,
        rung: 'final',
      },
      { id, kind: 'collect', direction: 'in', amount: 5n, fee: 0n, batch: 6, index: 0, rung: 'sequenced' },
    ],
    next: { batch: 6, index: 0 },
  },
  submitTransfer: { id, rung: 'sequenced', acknowledgement },
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
  submitTransfers: {
    accepted: 1,
    receipts: [{ row: 0, count: 1, ...acknowledgement }],
    refused: [
      { row: 1, code: 'insufficient-funds' },
      { row: 2, code: 'overloaded' },
    ],
  },
  payment: { rung: 'anchored', id, batch: 7, index: 4, depth: 2, acknowledgement, proof },
  batch,
  operation: { id: fill(0x66), operation: 'ab'.repeat(174), path: [fill(1), fill(2)] },
  batches: {
    batches: [
      batch,
      { outcome: 'resume', number: 6, anchor, parent: header.hash },
      { outcome: 'null', number: 5, anchor, reason: 'it says number 7' },
      { outcome: 'close', number: 4, anchor, reason: 'the spend of the anchor link is malformed' },
    ],
    next: 4,
  },
  header,
  blockHeaders: { headers: '01'.repeat(160) },
  bonds: {
    asked: true,
    height: 130,
    covered: true,
    left: 60,
    bonds: [
      {
        txid,
        sats: 1_000_000n,
        detectorSats: 1_000n,
        fundedAt: 110,
        slash: { signature: '07'.repeat(64), height: 111 },
        covers: { from: 112, to: 210 },
        returnableAt: 260,
        end: { outcome: 'returned', height: 261, txid },
      },
    ],
  },
  deposits: { deposits: [deposit], next: deposit.position },
  evidence: {
    evidence: [
      { height: 124, txid, headerHash: header.hash, number: 7, kind: 'evidence', outcome: 'void', fault: 'wrong-root' },
      {
        height: 124,
        txid,
        headerHash: header.hash,
        number: 7,
        kind: 'challenge',
        outcome: 'raised',
        data: 'data',
        deadline: 130,
      },
      {
        height: 123,
        txid,
        headerHash: header.hash,
        kind: 'challenge',
        outcome: 'ignored',
        reason: 'it burns too little',
      },
    ],
    next: { height: 123, tx: 4, index: 0 },
  },
}
