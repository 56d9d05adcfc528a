import type { Checkpoint } from '../src/block-headers.ts'
import { concatBytes } from '../src/bytes.ts'
import { hashTwice, sha256 } from '../src/hash.ts'
import type { Header } from '../src/header.ts'
import { proveInclusion } from '../src/inclusion.ts'
import type { Outpoint } from '../src/l1.ts'
import { MerkleLog, rowOf } from '../src/merkle.ts'
import { batchAnchor, encodeMessage } from '../src/message.ts'
import { encodeOperation, operationId } from '../src/operation.ts'
import { encodePaymentProof, type PaymentProof } from '../src/payment-proof.ts'
import { encodeReceipt } from '../src/receipt.ts'
import { anchorScript, dataCarrierScript } from '../src/scripts.ts'
import type { ShownPayment } from '../src/verify-payment.ts'
import { coinbase, mineHeader, rawTransaction } from './blocks.ts'
import { commit } from './rollup.ts'
import { signTick } from './slots.ts'
import { bytes32, keyOf, network, params, secretOf, sign } from './world.ts'

/** A payment in a batch in a block, with everything around it as large as a test wants it. */
export interface Setting {
  readonly operations: number
  readonly index: number
  /** Transactions of the anchor's block, and the anchor's place among them. */
  readonly transactions: number
  readonly place: number
  readonly coinbase: Uint8Array
  /** Coins that pay for a link beside the one before it, and whether there is change. */
  readonly coins: number
  /** The batch's number. 2 follows the first link, which spends the genesis output. */
  readonly number: number
  readonly originAge: number
  /** Blocks of the run before the origin, and behind the anchor's. */
  readonly before: number
  readonly behind: number
  readonly header: Partial<Header>
}

const ordinary: Setting = {
  ...{ operations: 5, index: 2, transactions: 7, place: 5, coinbase: coinbase(200), coins: 0 },
  ...{ number: 9, originAge: 2, before: 1, behind: 3, header: {} },
}

export interface Shown {
  readonly proof: PaymentProof
  readonly shown: ShownPayment
  readonly header: Header
  readonly anchorHeight: number
  /** The last block of the run. */
  readonly tip: Checkpoint
  /** Each block of the run, oldest first. */
  readonly blocks: readonly Checkpoint[]
}

const FIRST_HEIGHT = 200

export const paid = sign(secretOf(41), {
  ...{ from: 3, nonce: 7n, to: keyOf(42), toCell: 4, amount: 1_234_567n, fee: 100n, expiry: 400 },
})

export const operation = encodeOperation(paid)

/** The receipt for the payment as operation 2 of the first five of a batch. */
export function promise(secret = secretOf(2)): Uint8Array {
  const log = new MerkleLog()
  const ids = Array.from({ length: 5 }, (_, at) => (at === 2 ? operationId(operation) : bytes32(at)))
  log.append(rowOf(ids))
  const place = { number: 7, index: 3, origin: { height: 120, hash: bytes32(5) }, parent: bytes32(6) }
  const tick = { ...place, count: 5, opsRoot: log.root() }
  return encodeReceipt({ ...signTick(tick, secret), opIndex: 2, path: log.prove(2) })
}

export function showPayment(change: Partial<Setting> = {}): Shown {
  const setting = { ...ordinary, ...change }
  const { before, behind, originAge, operations, index } = setting
  const headers = [mineHeader(bytes32(0x77), bytes32(0x78))]
  const mine = (root: Uint8Array) => headers.push(mineHeader(hashTwice(headers.at(-1) as Uint8Array), root))
  while (headers.length < before + originAge) mine(sha256(Uint8Array.of(headers.length)))
  const originHash = hashTwice(headers[before] as Uint8Array)
  const batch = batchOf(setting, { height: FIRST_HEIGHT + before, hash: originHash })
  const { previous, anchor, txid } = linksOf(setting, batch)
  const txids = Array.from({ length: setting.transactions }, (_, at) => sha256(Uint8Array.of(1, at, at >> 8)))
  txids[0] = hashTwice(setting.coinbase)
  txids[setting.place] = txid
  const { root, helpers } = proveInclusion(txids, setting.place)
  mine(root)
  const anchorHeight = FIRST_HEIGHT + headers.length - 1
  for (let at = 0; at < behind; at++) mine(sha256(Uint8Array.of(2, at)))
  const log = new MerkleLog()
  log.append(rowOf(batch.operations.map(operationId)))
  const proof: PaymentProof = {
    ...{ operation: batch.operations[index] as Uint8Array, index, path: log.prove(index), header: batch.headerBytes },
    ...{ previous, anchor: { transaction: anchor, index: setting.place, coinbase: setting.coinbase, helpers } },
  }
  const blocks = headers.map((header, at) => ({ height: FIRST_HEIGHT + at, hash: hashTwice(header) }))
  const shown = { proof: encodePaymentProof(proof), blockHeaders: concatBytes(...headers) }
  if (operations <= index) throw new Error('there is no such operation')
  return { proof, shown, header: batch.header, anchorHeight, tip: blocks.at(-1) as Checkpoint, blocks }
}

/** Random operations, but for the payment. */
function batchOf({ operations, index, number, header }: Setting, origin: Header['origin']) {
  const all = Array.from({ length: operations }, (_, at) =>
    at === index ? operation : sha256(Uint8Array.of(3, at, at >> 8)),
  )
  const place = { network, number, parent: bytes32(0xbb), origin }
  return commit(place, { pre: bytes32(1), operations: all, stepRoots: new Uint8Array(32 * operations).fill(9) }, header)
}

function linksOf({ number, coins }: Setting, { hash, header }: ReturnType<typeof batchOf>) {
  const link = (spent: Outpoint, tag: Uint8Array) =>
    rawTransaction(
      [spent, ...Array.from({ length: coins }, (_, at) => ({ txid: bytes32(at + 1), vout: at }))],
      [
        { value: 0n, script: dataCarrierScript(tag) },
        { value: 10_000n, script: anchorScript(params) },
        ...(coins > 0 ? [{ value: 5_000n, script: new Uint8Array(34).fill(0x51) }] : []),
      ],
    )
  const start = number === 2 ? params.genesis : { txid: bytes32(0xaa), vout: 1 }
  const resume = encodeMessage({ kind: 'resume', headerHash: bytes32(0), word: bytes32(0) })
  const previous = link(start, resume)
  const tag = encodeMessage(batchAnchor(header, hash))
  const anchor = link({ txid: hashTwice(previous), vout: 1 }, tag)
  return { previous, anchor, txid: hashTwice(anchor) }
}
