import { encodeTransfer, type Refusal, type SignedOperation } from '@kedge/core'
import type { Executor } from '@kedge/node'
import type { Ticks } from './ticks.ts'

/** What somebody signed, with the key that it was found signed by, if it was. */
export interface Candidate {
  readonly operation: SignedOperation
  readonly bytes: Uint8Array
  /** Undefined where the bytes were changed since it was computed. */
  readonly id: Uint8Array | undefined
  readonly signedBy: Uint8Array | undefined
}

/** `promises`: of the batch that it is in. */
export type Added =
  | { readonly ok: true; readonly promises: Ticks; readonly index: number }
  | { readonly ok: false; readonly code: Refusal | Unready }

/**
 * `syncing`: behind Bitcoin. `chain-broken`: a batch is void, or has lapsed or is about to, the chain is closed, or no bond
 * covers a batch for as long as its anchor may take. `batch-rejected`:
 * one on Bitcoin is faulty, and not void yet. `overloaded`: come again.
 */
export type Unready = 'syncing' | 'chain-broken' | 'batch-rejected' | 'overloaded'

/** The recipient's cell isn't signed: whatever the wallet named, it becomes the key's cell, or the next new one. */
export function resolveRecipient({ ledger, owners }: Executor, candidate: Candidate): Candidate {
  const { operation: transfer } = candidate
  if (transfer.kind !== 'transfer') return candidate
  if (ledger.tree.isOwner(transfer.toCell, transfer.to)) return candidate
  const toCell = owners.find(transfer.to) ?? ledger.totals.count
  if (toCell === transfer.toCell) return candidate
  const resolved = { ...transfer, toCell }
  return { ...candidate, operation: resolved, bytes: encodeTransfer(resolved), id: undefined }
}
