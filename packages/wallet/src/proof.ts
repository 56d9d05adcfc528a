import type { PaymentProof as ShownProof } from '@kedge/api'
import {
  type AnchoredPayment,
  decodeBlockHeader,
  decodePaymentProof,
  equalBytes,
  fromHex,
  openPaymentProof,
  type Params,
  PROOF_STAGES,
  type ProofStage,
} from '@kedge/core'

/** One thing that was looked at. `unchecked`: it takes somebody's word, and `note` says whose. */
export interface Check {
  readonly name: CheckName
  readonly verdict: 'holds' | 'fails' | 'unchecked'
  readonly note: string
}

/**
 * - `withdrawal`: it is the one that was signed
 * - `payout`: a transaction in Bitcoin pays it
 * - `payment`: the operation is the payment asked for, as it was signed
 * - `receipt`: the sequencer promised it
 * - `batch`: the operation is in the batch with this header
 * - `anchor`: the transaction anchors that header
 * - `link`: it spends an output that only the anchor key, or the watchers, could spend
 * - `block`: the transaction is in the Bitcoin block
 * - `best-chain`: the block is in Bitcoin's best chain
 * - `final`: nothing can make the batch void any more
 */
export type CheckName =
  | 'withdrawal'
  | 'payout'
  | 'payment'
  | 'receipt'
  | 'batch'
  | 'anchor'
  | 'link'
  | 'block'
  | 'best-chain'
  | 'final'

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

/** What a proof is expected to be of. */
export interface ExpectedPayment {
  readonly id: Uint8Array
  readonly batch: number
  readonly index: number
}

/**
 * Follows a payment's proof from the operation up to a Bitcoin block. It says nothing about whether that block is in
 * the best chain, or whether the batch went void later.
 */
export function checkProof(
  params: Params,
  network: Uint8Array,
  expected: ExpectedPayment,
  shown: ShownProof,
): CheckedProof {
  const proof = decodePaymentProof(fromHex(shown.bytes))
  if (proof === undefined) return { checks: [fails('batch', 'the proof does not decode')] }
  const opened = openPaymentProof(params, network, proof)
  if (!opened.ok) return { checks: [...heldBefore(opened.stage), fails(opened.stage, opened.reason)] }
  const { payment } = opened
  const wrong = findMismatch(payment, expected)
  if (wrong !== undefined) return { checks: [fails('batch', wrong)] }
  const block = decodeBlockHeader(fromHex(shown.blockHeader))
  const checks = [
    holds('batch', `operation ${payment.index} of ${payment.header.opCount} in batch ${payment.header.number}`),
    holds('anchor', 'the transaction commits to the batch’s header and state'),
    holds('link', 'it spends the anchor script, so the network’s anchor key or its watchers made it'),
  ]
  if (block === undefined) return { checks: [...checks, fails('block', 'the block has no proof of work')] }
  if (!equalBytes(block.merkleRoot, payment.merkleRoot))
    return { checks: [...checks, fails('block', 'the transaction is not in the block')] }
  const inBlock = holds('block', `the anchor is transaction ${payment.anchor.index} of its Bitcoin block`)
  return { checks: [...checks, inBlock], blockHash: block.hash }
}

function findMismatch({ id, header, index }: AnchoredPayment, expected: ExpectedPayment): string | undefined {
  if (header.number !== expected.batch) return `the header is batch ${header.number}’s, not batch ${expected.batch}’s`
  if (index !== expected.index) return 'the proof is for another index'
  return equalBytes(id, expected.id) ? undefined : 'the operation in the batch is another payment'
}

/** A proof that fails a stage has passed those before it. That it is the payment asked for is a check of its own. */
function heldBefore(stage: ProofStage): Check[] {
  const passed = PROOF_STAGES.slice(0, PROOF_STAGES.indexOf(stage)).filter((name) => name !== 'payment')
  return passed.map((name) => holds(name, 'nothing is wrong with it'))
}
