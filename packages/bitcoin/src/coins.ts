import { equalBytes, type L1Block, type L1Transaction, type Outpoint } from '@kedge/core'
import { printHash } from './answer.ts'

/** The coins that one script owns: a value that follows from the blocks, and no wallet that remembers. */

export interface Coin {
  readonly outpoint: Outpoint
  /** Satoshis. */
  readonly value: bigint
  /** Of the block it stands in; undefined while it is in none. */
  readonly height: number | undefined
  readonly coinbase: boolean
}

/** By outpoint, printed as `txid:vout`. */
export type Coins = ReadonlyMap<string, Coin>

export const NO_COINS: Coins = new Map()

/** Bitcoin's consensus: a coinbase may be spent in the hundredth block after its own. */
const COINBASE_MATURITY = 100

export function printOutpoint(outpoint: Outpoint): string {
  return `${printHash(outpoint.txid)}:${outpoint.vout}`
}

/** The coins of `script` after a block: those before it, less what it spends, and what it pays. */
export function scanBlock(coins: Coins, block: L1Block, script: Uint8Array): Coins {
  return block.transactions.reduce(
    (left, transaction, at) => apply(left, transaction, script, block.height, at === 0),
    coins,
  )
}

/** The coins of `script` once a transaction that no block holds yet is sent. */
export function applyUnconfirmed(coins: Coins, transaction: L1Transaction, script: Uint8Array): Coins {
  return apply(coins, transaction, script, undefined, false)
}

function apply(
  coins: Coins,
  transaction: L1Transaction,
  script: Uint8Array,
  height: number | undefined,
  coinbase: boolean,
): Coins {
  const spent =
    coins.size === 0
      ? []
      : transaction.inputs.map(({ previous }) => printOutpoint(previous)).filter((at) => coins.has(at))
  const paid = transaction.outputs.flatMap(({ value, script: to }, vout) =>
    equalBytes(to, script) ? [{ outpoint: { txid: transaction.txid, vout }, value, height, coinbase }] : [],
  )
  if (spent.length === 0 && paid.length === 0) return coins
  const after = new Map(coins)
  for (const at of spent) after.delete(at)
  for (const coin of paid) after.set(printOutpoint(coin.outpoint), coin)
  return after
}

/**
 * What may be spent in the block after `tip`, in the order in which to take it: confirmed coins first, as a
 * replacement may bring in no new unconfirmed ones (BIP125), and the largest of each first.
 */
export function spendableCoins(coins: Coins, tip: number): Coin[] {
  return [...coins.values()].filter((coin) => isMature(coin, tip)).sort(compareForSpending)
}

function isMature({ coinbase, height }: Coin, tip: number): boolean {
  return !coinbase || (height !== undefined && tip + 1 - height >= COINBASE_MATURITY)
}

function compareForSpending(a: Coin, b: Coin): number {
  const depth = Number(a.height === undefined) - Number(b.height === undefined)
  if (depth !== 0) return depth
  if (a.value !== b.value) return a.value > b.value ? -1 : 1
  return Buffer.compare(a.outpoint.txid, b.outpoint.txid) || a.outpoint.vout - b.outpoint.vout
}

/** Satoshis below which Core and Knots do not relay an output to `script`: 3 sat/vB of what spending it costs. */
export function dustLimit(script: Uint8Array): bigint {
  if (script[0] === 0x6a) return 0n
  // Value, script size, script; then an input of a witness program (67 vB) or of another script (148 vB).
  const output = 8 + 1 + script.length
  return BigInt(3 * (output + (isWitnessProgram(script) ? 67 : 148)))
}

function isWitnessProgram(script: Uint8Array): boolean {
  const [version = 0, size = 0] = script
  const known = version === 0 || (version >= 0x51 && version <= 0x60)
  return known && size === script.length - 2 && size >= 2 && size <= 40
}
