import { type Receipt, type Refusal, TRANSFER_BYTES, toHex } from '@kedge/core'

/** What a node does with submitted transfers: a sequencer takes them, any other node passes them on. */
export interface Intake {
  /** `rows`: transfers, back to back, which stay as they are. One result for each, in order. */
  submit(rows: Uint8Array): Promise<readonly IntakeResult[]>
  /** What the sequencer has taken and Bitcoin does not show yet. */
  find(paymentId: Uint8Array): Promise<Taken | undefined>
}

/** Row `row` of a submission, as a view. What a row says is decoded where it is needed: values live longer than they are cheap. */
export function rowAt(rows: Uint8Array, row: number): Uint8Array {
  return rows.subarray(row * TRANSFER_BYTES, (row + 1) * TRANSFER_BYTES)
}

export type IntakeResult =
  | { readonly ok: true; readonly taken: Taken }
  /** Taken earlier: the same signed transfer. */
  | { readonly ok: true; readonly repeated: true }
  | {
      readonly ok: false
      readonly code: Refusal | 'overloaded' | 'syncing' | 'chain-broken' | 'batch-rejected' | 'no-sequencer'
    }

/** A transfer with its place in the order of a batch. */
export interface Taken {
  readonly number: number
  readonly index: number
  /** As it stands in the batch: the recipient's cell may have been resolved anew. */
  readonly operation: Uint8Array
  /** Neighbours taken in one request share a tick: only the first of a run needs a path of its own. */
  readonly receipt?: Receipt
}

/** Name of the mark (in table marks) of a payment that was accepted and can't stand any more; its value says why. */
export function droppedMark(paymentId: Uint8Array): string {
  return `dropped/${toHex(paymentId)}`
}
