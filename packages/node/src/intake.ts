import { type Receipt, type Refusal, type SignedOperation, TRANSFER_BYTES, toHex, WITHDRAWAL_BYTES } from '@kedge/core'

/** What a node does with submitted operations: a sequencer takes them, any other node passes them on. */
export interface Intake {
  /** One result for each row, in order. @param from where it is known who submits */
  submit(submission: Submission, from?: Submitter): Promise<readonly IntakeResult[]>
  /**
   * What the sequencer has taken and Bitcoin does not show yet.
   * @param id what the operation's owner signed (core's `signedMessage`)
   */
  find(id: Uint8Array): Promise<Taken | undefined>
}

/** Who submits: neither is proof of anything, but both cost something to change. */
export interface Submitter {
  /** Undefined where requests come without one. Destroyed once nobody waits for an answer there. */
  readonly connection?: { readonly destroyed: boolean }
  readonly address: string
  /** Is told how many rows of a request were taken. */
  readonly credit?: (rows: number) => void
}

/** What one request submits: signed operations of one kind, back to back, which stay as they are. */
export interface Submission {
  readonly kind: SignedOperation['kind']
  readonly rows: Uint8Array
}

const BYTES = { transfer: TRANSFER_BYTES, withdrawal: WITHDRAWAL_BYTES } as const

export function rowCount({ kind, rows }: Submission): number {
  return rows.length / BYTES[kind]
}

/** Row `row` of a submission, as a view. What a row says is decoded where it is needed: values live longer than they are cheap. */
export function rowAt({ kind, rows }: Submission, row: number): Uint8Array {
  const size = BYTES[kind]
  return rows.subarray(row * size, (row + 1) * size)
}

export type IntakeResult =
  | { readonly ok: true; readonly taken: Taken }
  /** Taken earlier: the same signed operation. */
  | { readonly ok: true; readonly repeated: true }
  | {
      readonly ok: false
      readonly code: Refusal | 'overloaded' | 'syncing' | 'chain-broken' | 'batch-rejected' | 'no-sequencer'
    }

/** A signed operation with its place in the order of a batch. */
export interface Taken {
  readonly number: number
  readonly index: number
  /** As it stands in the batch: a transfer's recipient's cell may have been resolved anew. */
  readonly operation: Uint8Array
  /** It is taken without a promise: its batch holds it only if watchers vouch for that, else a later one will. */
  readonly isPending?: true
  /** Neighbours taken in one request share a tick: only the first of a run needs a path of its own. */
  readonly receipt?: Receipt
}

/** Name of the mark (in table marks) of an operation that was accepted and can't stand any more; its value says why. */
export function droppedMark(id: Uint8Array): string {
  return `dropped/${toHex(id)}`
}
