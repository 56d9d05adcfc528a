import { toHex } from './bytes.ts'

/**
 * Bitcoin as the ledger reads it. The bitcoin package parses raw blocks into these values and knows nothing more.
 * Hashes and txids are in hashing order (reverse of what Bitcoin's RPC shows).
 */

export interface Outpoint {
  readonly txid: Uint8Array
  readonly vout: number
}

/** An outpoint as a map's key. */
export function outpointKey({ txid, vout }: Outpoint): string {
  return `${toHex(txid)}:${vout}`
}

export interface L1Input {
  readonly previous: Outpoint
  readonly witness: readonly Uint8Array[]
}

export interface L1Output {
  /** Satoshis. */
  readonly value: bigint
  readonly script: Uint8Array
}

export interface L1Transaction {
  readonly txid: Uint8Array
  readonly inputs: readonly L1Input[]
  readonly outputs: readonly L1Output[]
}

export interface L1Block {
  readonly height: number
  readonly hash: Uint8Array
  readonly parent: Uint8Array
  /** All of the block's transactions, in its order, the coinbase first. */
  readonly transactions: readonly L1Transaction[]
}

/** A place in Bitcoin: the order in which deposits and forced operations fall due. */
export interface Position {
  readonly height: number
  /** Of the transaction in its block. */
  readonly tx: number
  /** Of the output or input in its transaction. */
  readonly index: number
}

export function comparePositions(a: Position, b: Position): number {
  return a.height - b.height || a.tx - b.tx || a.index - b.index
}
