import { equalBytes } from './bytes.ts'
import { Reader, Writer } from './codec.ts'
import type { L1Transaction, Position } from './l1.ts'
import type { Apply } from './operation.ts'
import { readPieces } from './pieces.ts'
import { applySigned, decodeSigned, encodeSigned, type SignedOperation, withinBounds } from './signed.ts'
import type { Totals } from './totals.ts'

/** A signed operation that somebody published on Bitcoin, so that no sequencer can leave it out. */
export interface ForcedEntry {
  /** Of the transaction; its index is 0. */
  readonly position: Position
  readonly operation: SignedOperation
}

/** The operation that carries an entry into a batch. It always stands: an entry that is refused is used up by it. */
export interface Forced extends ForcedEntry {
  readonly kind: 'forced'
}

export const FORCED_KIND = 5

/** What stands before the operation that it carries. */
export const FORCED_HEAD_BYTES = 9

export function encodeForced({ position, operation }: Forced): Uint8Array {
  const inner = encodeSigned(operation)
  return new Writer(FORCED_HEAD_BYTES + inner.length)
    .u8(FORCED_KIND)
    .u32(position.height)
    .u32(position.tx)
    .fixed(inner, inner.length).bytes
}

export function decodeForced(bytes: Uint8Array): Forced | undefined {
  const reader = new Reader(bytes)
  reader.exactly(FORCED_KIND)
  const position = { height: reader.u32(), tx: reader.u32(), index: 0 }
  const operation = decodeSigned(reader.view(reader.left))
  return reader.done && operation !== undefined ? { kind: 'forced', position, operation } : undefined
}

/** The operation that a transaction's pieces carry; undefined unless they are exactly one that is signed. */
export function readForced(transaction: L1Transaction): SignedOperation | undefined {
  return decodeSigned(readPieces(transaction))
}

/**
 * What carries an entry into a ledger of `count` cells. Where the payer allows a new cell, it is made: nobody can know its
 * number when he publishes, and were it the sequencer who says which cell it is, he could name one that is refused.
 */
export function carry({ position, operation }: ForcedEntry, count: number): Forced {
  const makesCell = operation.kind === 'transfer' && operation.mayCreate
  return { kind: 'forced', position, operation: makesCell ? { ...operation, toCell: count } : operation }
}

export function isSameForced(one: Forced, other: Forced): boolean {
  return equalBytes(encodeForced(one), encodeForced(other))
}

/** An entry that can't stand must not make a batch void: then one bad entry would void them all. */
export const applyForced: Apply<Forced> = (context, cells, totals, { position, operation }) => {
  const outcome = withinBounds(applySigned(context, cells, totals, operation))
  return outcome.ok
    ? { ...outcome, totals: withCursor(outcome.totals, position) }
    : { ok: true, updates: [], totals: withCursor(totals, position) }
}

function withCursor(totals: Totals, forcedCursor: Position): Totals {
  return { ...totals, forcedCursor }
}
