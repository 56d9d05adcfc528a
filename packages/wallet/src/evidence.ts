import { type HistoryEntry, PAGE_LIMIT_MAX } from '@kedge/api'
import {
  decodeOperation,
  decodePaymentProof,
  decodeSigned,
  fromHex,
  type SignedOperation,
  signedMessage,
  toHex,
} from '@kedge/core'
import { type SendRecord, signedOf } from './content.ts'
import { askNode, type NodeWord, orNothing } from './node-word.ts'
import { checkProof } from './proof.ts'
import { isAcknowledged } from './receipt.ts'
import { isSignature } from './signing.ts'
import type { Wallet } from './wallet.ts'

/**
 * What shows that something was ordered that this wallet's key signed, as far as it is checked here: the sequencer's
 * signature, or a path up to a block of Bitcoin. What a node only says is no evidence.
 */

type Shown = Pick<SendRecord, 'acknowledgement' | 'proven'>

/** What a node's answer holds of evidence for what a record signed. */
export function evidenceIn(wallet: Wallet, record: SendRecord, said: NodeWord): Shown {
  const { id } = record
  const signed = signedOf(record)
  const acknowledgement = 'acknowledgement' in said ? said.acknowledgement : undefined
  if (acknowledgement !== undefined && isAcknowledged(wallet, id, signed, acknowledgement).ok)
    return { acknowledgement }
  if (!('proof' in said)) return {}
  const { batch, index, proof } = said
  const { blockHash } = checkProof(wallet.params, wallet.network, { batch, id: fromHex(id), index }, proof)
  return blockHash === undefined ? {} : { proven: true }
}

/**
 * Whether there is evidence, and it was not lost with its batch since. Of what a batch carries because it was forced, and of a withdrawal without a receipt, nodes
 * show none.
 */
export function isSettled(record: SendRecord): boolean {
  if (record.state === 'dropped') return false
  if (record.acknowledgement !== undefined || record.proven === true) return true
  const isPlaced = record.state === 'sequenced' || record.state === 'final'
  return isPlaced && (record.forced === true || 'withdrawal' in record)
}

/** Whether there is evidence, and whoever asked for it was told so. */
export function isTold(record: SendRecord): boolean {
  return record.untold !== true && isSettled(record)
}

/** Pages of history that are looked through: the newest use of a cell's nonce is on the first, as a rule. */
const PAGES_MAX = 5

/**
 * The id of what used a nonce of a cell, as the node shows it. Undefined where it shows nothing that this wallet's key signed: no
 * cell's nonce rises without its owner's signature.
 * @throws ApiError
 */
export async function findUse(wallet: Wallet, cell: number, nonce: bigint): Promise<string | undefined> {
  const key = toHex(wallet.keys.rollup.key)
  let page = await wallet.client.accountHistory({ key, limit: PAGE_LIMIT_MAX })
  for (let read = 1; ; read++) {
    for (const entry of page.entries.filter(isOwn)) {
      const signed = await readSigned(wallet, entry)
      if (signed?.from !== cell) continue
      if (signed.nonce === nonce) return entry.id
      if (signed.nonce < nonce) return undefined
    }
    if (page.next === undefined || read === PAGES_MAX) return undefined
    page = await wallet.client.accountHistory({ key, limit: PAGE_LIMIT_MAX, before: page.next })
  }
}

function isOwn({ kind, direction }: HistoryEntry): boolean {
  return direction !== 'in' && (kind === 'transfer' || kind === 'withdrawal')
}

/** The operation of this entry, if this wallet's key signed it. */
async function readSigned(wallet: Wallet, entry: HistoryEntry): Promise<SignedOperation | undefined> {
  const { id } = entry
  const said = await askNode(wallet, id, entry.kind === 'transfer' ? 'transfer' : 'withdrawal')
  const signed = (said && signedIn(said)) ?? (await signedAt(wallet, entry))
  if (signed === undefined || toHex(signedMessage(wallet.network, signed)) !== id) return undefined
  return isSignature(signed.signature, fromHex(id), wallet.keys.rollup.key) ? signed : undefined
}

function signedIn(said: NodeWord): SignedOperation | undefined {
  if ('acknowledgement' in said && said.acknowledgement !== undefined)
    return decodeSigned(fromHex(said.acknowledgement.operation))
  if ('operation' in said && said.operation !== undefined) return decodeSigned(fromHex(said.operation))
  const proof = 'proof' in said ? decodePaymentProof(fromHex(said.proof.bytes)) : undefined
  return proof && decodeSigned(proof.operation)
}

/** What stands at a place of a batch, be it that it was forced there. */
async function signedAt({ client }: Wallet, { batch, index }: HistoryEntry): Promise<SignedOperation | undefined> {
  const placed = await orNothing(() => client.operation({ number: batch, index }))
  const operation = placed && decodeOperation(fromHex(placed.operation))
  if (operation?.kind === 'forced') return operation.operation
  return operation?.kind === 'transfer' || operation?.kind === 'withdrawal' ? operation : undefined
}
