import { Reader, Writer } from './codec.ts'
import { hashPair, hashRecord, ZERO_HASH } from './hash.ts'
import type { Position } from './l1.ts'

/**
 * The ledger's aggregates (`aux` in the papers). They are half of every state root, so each of them can be proven.
 * Invariant: supply = Σ balances + fees + owed. Supply and owed only grow: what the vault pays changes neither.
 */
export interface Totals {
  /** Cells that exist: the number of the next new one. Gives the state tree its depth. */
  readonly count: number
  readonly supply: bigint
  readonly fees: bigint
  readonly owed: bigint
  /** The last deposit that was credited; zeros before the first. */
  readonly depositCursor: Position
  readonly forcedCursor: Position
  readonly withdrawals: number
}

export const TOTALS_BYTES = 64

/** 21 million bitcoin in millisatoshis. */
export const MAX_SUPPLY = 2_100_000_000_000_000_000n

const START: Position = { height: 0, tx: 0, index: 0 }

export const GENESIS_TOTALS: Totals = {
  count: 0,
  supply: 0n,
  fees: 0n,
  owed: 0n,
  depositCursor: START,
  forcedCursor: START,
  withdrawals: 0,
}

export function encodeTotals(totals: Totals): Uint8Array {
  return writeTotals(new Writer(TOTALS_BYTES), totals).bytes
}

export function writeTotals(writer: Writer, totals: Totals): Writer {
  writer.u64(BigInt(totals.count)).u64(totals.supply).u64(totals.fees).u64(totals.owed)
  for (const { height, tx, index } of [totals.depositCursor, totals.forcedCursor]) writer.u32(height).u32(tx).u32(index)
  return writer.u32(totals.withdrawals).zeros(4)
}

export function decodeTotals(bytes: Uint8Array): Totals | undefined {
  const reader = new Reader(bytes)
  const count = reader.cell()
  const supply = reader.u64()
  const fees = reader.u64()
  const owed = reader.u64()
  const depositCursor = { height: reader.u32(), tx: reader.u32(), index: reader.u32() }
  const forcedCursor = { height: reader.u32(), tx: reader.u32(), index: reader.u32() }
  const withdrawals = reader.u32()
  reader.zeros(4)
  return reader.done ? { count, supply, fees, owed, depositCursor, forcedCursor, withdrawals } : undefined
}

/** The count of encoded totals that begin at `at`: it is their first field, and below 2^48. */
export function countOf(bytes: Uint8Array, at: number): number {
  return Number(new DataView(bytes.buffer, bytes.byteOffset + at).getBigUint64(0, true))
}

export function stateRoot(cellsRoot: Uint8Array, totals: Totals): Uint8Array {
  return hashPair(cellsRoot, hashRecord(encodeTotals(totals)))
}

export const GENESIS_ROOT: Uint8Array = stateRoot(ZERO_HASH, GENESIS_TOTALS)
