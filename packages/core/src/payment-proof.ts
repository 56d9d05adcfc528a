import { equalBytes } from './bytes.ts'
import { Reader, Writer } from './codec.ts'
import { decodeHeader, type Header, headerHash, MAX_HEADER_BYTES } from './header.ts'
import { type Inclusion, MAX_INCLUSION_HELPERS, MAX_TRANSACTION_BYTES, readInclusion } from './inclusion.ts'
import type { L1Transaction, Outpoint } from './l1.ts'
import { computeRoot } from './merkle.ts'
import { batchAnchor, decodeMessage, encodeMessage } from './message.ts'
import { decodeOperation, MAX_OPERATION_BYTES, operationId } from './operation.ts'
import type { Params } from './params.ts'
import { anchorScript, dataCarrier } from './scripts.ts'
import { decodeStripped } from './stripped.ts'
import { type Transfer, transferMessage } from './transfer.ts'

/** What leads from a payment up to the Merkle root of a Bitcoin block. The block's header comes beside it. */
export interface PaymentProof {
  readonly operation: Uint8Array
  /** Of the operation in its batch, with its path to the header's opsRoot. */
  readonly index: number
  readonly path: readonly Uint8Array[]
  readonly header: Uint8Array
  /**
   * The transaction whose output the anchor spends, without witnesses. Anybody can write an anchor's bytes; that it
   * spends the anchor script shows whose it is, and costs less than a signature with all that it signs over.
   */
  readonly previous: Uint8Array
  readonly anchor: Inclusion
}

const MAX_PATH = 32

export function encodePaymentProof({ operation, index, path, header, previous, anchor }: PaymentProof): Uint8Array {
  const writer = new Writer(4096).sized(operation).u32(index).hashes(path).sized(header)
  writeTransaction(writer, previous)
  writeTransaction(writer, anchor.transaction)
  writeTransaction(writer.u32(anchor.index).hashes(anchor.helpers), anchor.coinbase)
  return writer.bytes
}

export function decodePaymentProof(bytes: Uint8Array): PaymentProof | undefined {
  const reader = new Reader(bytes)
  const operation = reader.sized(MAX_OPERATION_BYTES)
  const index = reader.u32()
  const path = reader.hashes(MAX_PATH)
  const header = reader.sized(MAX_HEADER_BYTES)
  const previous = readTransaction(reader)
  const transaction = readTransaction(reader)
  const place = { index: reader.u32(), helpers: reader.hashes(MAX_INCLUSION_HELPERS) }
  const anchor = { transaction, ...place, coinbase: readTransaction(reader) }
  return reader.done ? { operation, index, path, header, previous, anchor } : undefined
}

function writeTransaction(writer: Writer, raw: Uint8Array): void {
  writer.u32(raw.length).fixed(raw, raw.length)
}

function readTransaction(reader: Reader): Uint8Array {
  const size = reader.u32()
  if (size > MAX_TRANSACTION_BYTES || size > reader.left) reader.failed = true
  return reader.failed ? new Uint8Array(0) : reader.fixed(size)
}

/**
 * What a proof goes through, in this order:
 * - `payment`: the operation is a transfer
 * - `batch`: it is in the batch with this header, and the header is this network's
 * - `anchor`: the transaction commits to that header, and has a link's form
 * - `link`: it spends the anchor script
 * - `block`: it is in a Bitcoin block with this Merkle root
 */
export const PROOF_STAGES = ['payment', 'batch', 'anchor', 'link', 'block'] as const

export type ProofStage = (typeof PROOF_STAGES)[number]

/** A payment that stands in some Bitcoin block. Which blocks are Bitcoin's is another question. */
export interface AnchoredPayment {
  /** What the payer signed. */
  readonly id: Uint8Array
  readonly transfer: Transfer
  readonly header: Header
  readonly headerHash: Uint8Array
  /** Of the transfer in the batch. */
  readonly index: number
  readonly anchor: { readonly txid: Uint8Array; readonly index: number }
  /**
   * The link before is the first one, which spends the genesis output that the parameters name: so this is a link of the
   * chain. Elsewhere only all links back to there would show it.
   */
  readonly isSecondLink: boolean
  readonly merkleRoot: Uint8Array
}

export type OpenedProof =
  | { readonly ok: true; readonly payment: AnchoredPayment }
  | { readonly ok: false; readonly stage: ProofStage; readonly reason: string }

/** Follows a proof from the payment to a Merkle root; the first stage that it fails ends it. */
export function openPaymentProof(params: Params, network: Uint8Array, proof: PaymentProof): OpenedProof {
  const fail = (stage: ProofStage, reason: string) => ({ ok: false, stage, reason }) as const
  const transfer = decodeOperation(proof.operation)
  if (transfer?.kind !== 'transfer') return fail('payment', 'the operation is no transfer')
  const header = decodeHeader(proof.header)
  if (header === undefined) return fail('batch', 'the header does not decode')
  const notThere = findBatchFault(network, proof, header)
  if (notThere !== undefined) return fail('batch', notThere)
  const anchor = decodeStripped(proof.anchor.transaction)
  if (anchor === undefined) return fail('anchor', 'the bytes are no transaction')
  const hash = headerHash(proof.header)
  const noAnchor = findAnchorFault(params, anchor, header, hash)
  if (noAnchor !== undefined) return fail('anchor', noAnchor)
  const link = readPrevious(params, anchor, proof.previous)
  if (!link.ok) return fail('link', link.reason)
  if (link.isFirst && header.number !== 2) return fail('link', `the second link can’t be number ${header.number}`)
  const included = readInclusion(proof.anchor)
  if (!included.ok) return fail('block', included.reason)
  const id = transferMessage(network, transfer)
  const place = { index: proof.index, anchor: { txid: anchor.txid, index: proof.anchor.index } }
  const batch = { header, headerHash: hash, isSecondLink: link.isFirst }
  return { ok: true, payment: { id, transfer, ...batch, ...place, merkleRoot: included.root } }
}

function findBatchFault(network: Uint8Array, proof: PaymentProof, header: Header): string | undefined {
  if (!equalBytes(header.network, network)) return 'the header is another network’s'
  if (proof.index >= header.opCount) return 'the batch has no operation of this index'
  const root = computeRoot(header.opCount, [proof.index], [operationId(proof.operation)], proof.path)
  return root !== undefined && equalBytes(root, header.opsRoot) ? undefined : 'the operation is not in the batch'
}

function findAnchorFault(
  params: Params,
  { outputs: [tag, next] }: L1Transaction,
  header: Header,
  hash: Uint8Array,
): string | undefined {
  const payload = tag && dataCarrier(tag.script)
  const message = payload && decodeMessage(payload)
  if (message?.kind !== 'batch') return 'the transaction anchors no batch'
  if (!equalBytes(message.headerHash, hash)) return 'the transaction anchors another header'
  if (!equalBytes(encodeMessage(message), encodeMessage(batchAnchor(header, hash))))
    return 'the anchor’s state root, origin or parent is not the header’s'
  const carriesOn = next !== undefined && equalBytes(next.script, anchorScript(params))
  return carriesOn ? undefined : 'the transaction does not carry the anchor chain on'
}

type ReadPrevious = { readonly ok: true; readonly isFirst: boolean } | { readonly ok: false; readonly reason: string }

/** A link's successor spends its vout 1. */
function readPrevious(params: Params, { inputs: [spending] }: L1Transaction, raw: Uint8Array): ReadPrevious {
  const previous = decodeStripped(raw)
  const spent = spending?.previous
  const output = spent?.vout === 1 ? previous?.outputs[1] : undefined
  const isSpent = previous !== undefined && spent !== undefined && equalBytes(previous.txid, spent.txid)
  if (!isSpent || output === undefined || !equalBytes(output.script, anchorScript(params)))
    return { ok: false, reason: 'the transaction does not spend an output of the anchor script' }
  const [first] = previous.inputs
  return { ok: true, isFirst: first !== undefined && isSame(first.previous, params.genesis) }
}

function isSame(a: Outpoint, b: Outpoint): boolean {
  return a.vout === b.vout && equalBytes(a.txid, b.txid)
}
