import type { PaymentProof } from '@kedge/api'
import {
  anchorScript,
  computeRoot,
  dataCarrier,
  decodeHeader,
  decodeMessage,
  equalBytes,
  fromHex,
  type Header,
  headerHash,
  type L1Transaction,
  operationId,
  type Params,
} from '@kedge/core'
import { parseStripped, verifyInclusion } from './inclusion.ts'

/** One thing that was looked at. `unchecked`: it takes somebody's word, and `note` says whose. */
export interface Check {
  readonly name: CheckName
  readonly verdict: 'holds' | 'fails' | 'unchecked'
  readonly note: string
}

/**
 * - `payment`: the operation is the payment asked for, as it was signed
 * - `receipt`: the sequencer promised it
 * - `batch`: the operation is in the batch with this header
 * - `anchor`: the transaction anchors that header
 * - `link`: it spends an output that only the anchor key, or the watchers, could spend
 * - `block`: the transaction is in the Bitcoin block
 * - `best-chain`: the block is in Bitcoin's best chain
 * - `final`: nothing can make the batch void any more
 */
export type CheckName = 'payment' | 'receipt' | 'batch' | 'anchor' | 'link' | 'block' | 'best-chain' | 'final'

export function holds(name: CheckName, note: string): Check {
  return { name, verdict: 'holds', note }
}

export function fails(name: CheckName, note: string): Check {
  return { name, verdict: 'fails', note }
}

export function unchecked(name: CheckName, note: string): Check {
  return { name, verdict: 'unchecked', note }
}

export interface CheckedProof {
  readonly checks: readonly Check[]
  /** Hash of the Bitcoin block, hashing order, when the transaction is in it. */
  readonly blockHash?: Uint8Array
}

/**
 * Follows a payment's proof from the operation up to a Bitcoin block. It says nothing about whether that block is in
 * the best chain, or whether the batch went void later.
 */
export function checkProof(params: Params, network: Uint8Array, batch: number, proof: PaymentProof): CheckedProof {
  const header = decodeHeader(fromHex(proof.header))
  const fault = findBatchFault(network, batch, proof, header)
  if (header === undefined || fault !== undefined)
    return { checks: [fails('batch', fault ?? 'the header does not decode')] }
  const inBatch = holds('batch', `operation ${proof.index} of ${header.opCount} in batch ${header.number}`)
  const { anchor } = proof
  const included = verifyInclusion({
    rawTx: fromHex(anchor.rawTx),
    path: anchor.path.map(fromHex),
    txIndex: anchor.txIndex,
    blockHeader: fromHex(anchor.blockHeader),
    coinbase: { rawTx: fromHex(anchor.coinbase.rawTx), path: anchor.coinbase.path.map(fromHex) },
  })
  if (!included.ok) return { checks: [inBatch, fails('block', included.reason)] }
  const checks = [
    inBatch,
    checkAnchor(params, included.transaction, header, fromHex(proof.header)),
    checkLink(params, included.transaction, anchor.previousTx),
    holds('block', `the anchor is transaction ${anchor.txIndex} of its Bitcoin block`),
  ]
  return { checks, blockHash: included.blockHash }
}

function findBatchFault(
  network: Uint8Array,
  batch: number,
  proof: PaymentProof,
  header: Header | undefined,
): string | undefined {
  if (header === undefined) return 'the header does not decode'
  if (!equalBytes(header.network, network)) return 'the header is another network’s'
  if (header.number !== batch) return `the header is batch ${header.number}’s, not batch ${batch}’s`
  if (proof.index >= header.opCount) return 'the batch has no operation of this index'
  const id = operationId(fromHex(proof.operation))
  const root = computeRoot(header.opCount, [proof.index], [id], proof.path.map(fromHex))
  return root !== undefined && equalBytes(root, header.opsRoot) ? undefined : 'the operation is not in the batch'
}

function checkAnchor(params: Params, transaction: L1Transaction, header: Header, bytes: Uint8Array): Check {
  const [tag, next] = transaction.outputs
  const payload = tag && dataCarrier(tag.script)
  const message = payload && decodeMessage(payload)
  if (message?.kind !== 'batch') return fails('anchor', 'the transaction anchors no batch')
  if (!equalBytes(message.headerHash, headerHash(bytes)))
    return fails('anchor', 'the transaction anchors another header')
  if (message.number !== header.number || !equalBytes(message.word, header.post)) {
    return fails('anchor', 'the anchor’s number or state root is not the header’s')
  }
  if (next === undefined || !equalBytes(next.script, anchorScript(params))) {
    return fails('anchor', 'the transaction does not carry the anchor chain on')
  }
  return holds('anchor', 'the transaction commits to the batch’s header and state')
}

/** Anybody can write an anchor's bytes; only a spend of the anchor script shows who did. */
function checkLink(params: Params, transaction: L1Transaction, previous: string | undefined): Check {
  const spent = transaction.inputs[0]?.previous
  if (previous === undefined || spent === undefined) {
    return unchecked(
      'link',
      'the node did not show the link before: that this anchor is part of the anchor chain is its word',
    )
  }
  const before = parseStripped(fromHex(previous))
  const output = before?.outputs[spent.vout]
  const right = before !== undefined && equalBytes(before.txid, spent.txid) && output !== undefined
  if (!right || !equalBytes(output.script, anchorScript(params))) {
    return fails('link', 'the transaction does not spend an output of the anchor script')
  }
  return holds('link', 'it spends the anchor script, so the network’s anchor key or its watchers made it')
}
