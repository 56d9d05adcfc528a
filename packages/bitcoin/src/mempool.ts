import { type Outpoint, toHex } from '@kedge/core'
import {
  asBytes,
  asFeeRate,
  asHash,
  asInteger,
  asList,
  asRecord,
  asSatoshis,
  asText,
  isRecord,
  printBitcoin,
  printHash,
} from './answer.ts'
import { batchRpc, callRpc, RPC_CODES, type Rpc, RpcError, unlessCode } from './rpc.ts'

/** Sending, and what became of what was sent. */

/** `ok`: the backend holds it in its mempool, since now or since before. */
export type Sent = { readonly ok: true } | { readonly ok: false; readonly reason: SendRefusal; readonly detail: string }

/**
 * - `mined`: it stands in the best chain already
 * - `inputs`: an input is missing, or spent by the chain (by itself too, once its own outputs are all spent)
 * - `fee`: too low for the mempool, or for replacing what is there
 * - `chain`: too many unconfirmed ancestors or descendants
 * - `early`: a lock of its own has not run out
 * - `invalid`: anything else, worded in `detail`; sending it again will not help
 */
export type SendRefusal = 'mined' | 'inputs' | 'fee' | 'chain' | 'early' | 'invalid'

/** Parts of bitcoind's reasons (its `validation.cpp` and `policy/rbf.cpp`), the first match counts. */
const REFUSALS: readonly (readonly [RegExp, SendRefusal])[] = [
  [/missingorspent|missing-inputs/, 'inputs'],
  [/fee not met|insufficient fee|mempool full/, 'fee'],
  [/too-long-mempool-chain|too-large-cluster|too many potential replacements/, 'chain'],
  [/non-final|non-BIP68-final/, 'early'],
]

/** @param burn satoshis that its OP_RETURN outputs may hold. */
export async function sendTransaction(rpc: Rpc, raw: Uint8Array, burn: bigint): Promise<Sent> {
  try {
    await callRpc(rpc, 'sendrawtransaction', [toHex(raw), 0, printBitcoin(burn)])
    return { ok: true }
  } catch (error) {
    if (!(error instanceof RpcError)) throw error
    const reason = refusalOf(error)
    if (reason === undefined) throw error
    return { ok: false, reason, detail: error.reason }
  }
}

function refusalOf({ code, reason }: RpcError): SendRefusal | undefined {
  if (code === RPC_CODES.inChain) return 'mined'
  if (code !== RPC_CODES.transaction && code !== RPC_CODES.refused) return undefined
  return classify(reason)
}

function classify(detail: string): SendRefusal {
  return REFUSALS.find(([pattern]) => pattern.test(detail))?.[1] ?? 'invalid'
}

/** Whether the mempool would take a transaction, without sending it. It burns and pays whatever it likes. */
export async function testAccept(rpc: Rpc, raw: Uint8Array): Promise<Sent> {
  const [answer] = asList(await callRpc(rpc, 'testmempoolaccept', [[toHex(raw)], 0]), 'testmempoolaccept')
  const verdict = asRecord(answer, 'testmempoolaccept')
  if (verdict.allowed === true) return { ok: true }
  const detail = asText(verdict['reject-reason'], 'reject-reason')
  if (detail === 'txn-already-in-mempool') return { ok: true }
  return { ok: false, reason: detail === 'txn-already-known' ? 'mined' : classify(detail), detail }
}

export interface MempoolEntry {
  readonly vsize: number
  /** Satoshis. */
  readonly fee: bigint
  /** Counted with the transaction itself. */
  readonly ancestors: number
  readonly descendants: number
  /** Of itself and all that hangs on it: what a replacement must pay for, beside its own relay (BIP125). */
  readonly hanging: { readonly vsize: number; readonly fee: bigint }
}

/** Undefined for a transaction that is not in the mempool. */
export async function readMempoolEntry(rpc: Rpc, txid: Uint8Array): Promise<MempoolEntry | undefined> {
  const answer = await unlessCode(RPC_CODES.notFound, callRpc(rpc, 'getmempoolentry', [printHash(txid)]))
  if (answer === undefined) return undefined
  const entry = asRecord(answer, 'getmempoolentry')
  const fees = asRecord(entry.fees, 'fees')
  return {
    vsize: asInteger(entry.vsize, 'vsize'),
    fee: asSatoshis(fees.base, 'fees.base'),
    ancestors: asInteger(entry.ancestorcount, 'ancestorcount'),
    descendants: asInteger(entry.descendantcount, 'descendantcount'),
    hanging: {
      vsize: asInteger(entry.descendantsize, 'descendantsize'),
      fee: asSatoshis(fees.descendant, 'fees.descendant'),
    },
  }
}

/** The raw transaction of the mempool that spends an output; undefined where none does. */
export async function readSpending(rpc: Rpc, { txid, vout }: Outpoint): Promise<Uint8Array | undefined> {
  const asked = [{ txid: printHash(txid), vout }]
  const [answer] = asList(await callRpc(rpc, 'gettxspendingprevout', [asked]), 'gettxspendingprevout')
  const { spendingtxid } = asRecord(answer, 'gettxspendingprevout')
  if (spendingtxid === undefined) return undefined
  return readWaiting(rpc, asText(spendingtxid, 'spendingtxid'))
}

/** A raw transaction of the mempool; undefined where it has left it since its txid was read. */
export function readWaitingTransaction(rpc: Rpc, txid: Uint8Array): Promise<Uint8Array | undefined> {
  return readWaiting(rpc, printHash(txid))
}

async function readWaiting(rpc: Rpc, txid: string): Promise<Uint8Array | undefined> {
  const raw = await unlessCode(RPC_CODES.notFound, callRpc(rpc, 'getrawtransaction', [txid]))
  return raw === undefined ? undefined : asBytes(raw, 'getrawtransaction')
}

/** How deep an unspent output is: 0 in the mempool, undefined where there is none (any more). */
export async function readDepth(rpc: Rpc, { txid, vout }: Outpoint): Promise<number | undefined> {
  const answer = await callRpc(rpc, 'gettxout', [printHash(txid), vout, true])
  return answer === null ? undefined : asInteger(asRecord(answer, 'gettxout').confirmations, 'confirmations')
}

/** Txids of everything in the mempool. */
export async function readMempool(rpc: Rpc): Promise<Uint8Array[]> {
  return asList(await callRpc(rpc, 'getrawmempool', []), 'getrawmempool').map((txid) => asHash(txid, 'txid'))
}

/**
 * Fee rate in sat/vB for confirmation within `blocks`, at least what the mempool asks for now.
 * @param fallback where the backend has seen too little to tell, as on a fresh chain
 */
export async function estimateFeeRate(rpc: Rpc, blocks: number, fallback: number): Promise<number> {
  const [estimate, mempool] = await batchRpc(rpc, [
    { method: 'estimatesmartfee', params: [blocks] },
    { method: 'getmempoolinfo', params: [] },
  ])
  const known = isRecord(estimate) && estimate.feerate !== undefined
  const rate = known ? asFeeRate(estimate.feerate, 'feerate') : fallback
  return Math.max(rate, asFeeRate(asRecord(mempool, 'getmempoolinfo').mempoolminfee, 'mempoolminfee'))
}
