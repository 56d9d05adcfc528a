import { type L1Output, type Outpoint, tapLeafHash } from '@kedge/core'
import { Transaction } from 'bitcoinjs-lib'
import { type Coin, dustLimit } from './coins.ts'
import { type CoinKey, signHash } from './keys.ts'

/** Putting a transaction together: size, fee, change, signatures. The files beside this one say what goes in. */

/** A signed transaction. */
export interface Built {
  readonly raw: Uint8Array
  /** Hashing order. */
  readonly txid: Uint8Array
  readonly vsize: number
  /** Satoshis. */
  readonly fee: bigint
}

/** Where money comes from, and change goes back to. */
export interface Funding {
  readonly key: CoinKey
  /** Coins of `key`, taken in this order as far as they are needed. */
  readonly coins: readonly Coin[]
  /** sat/vB. */
  readonly feeRate: number
}

/** A taproot output being spent. */
export interface Spend {
  readonly outpoint: Outpoint
  readonly value: bigint
  readonly script: Uint8Array
  readonly sequence: number
  /** Undefined for a spend by the key path. */
  readonly leaf: Uint8Array | undefined
  /** `sign` gives the signature of this input by a secret key. Every witness has the same size. */
  readonly witness: (sign: (secret: Uint8Array) => Uint8Array) => Uint8Array[]
}

/** Says that the transaction may be replaced (BIP125), and locks nothing. */
export const REPLACEABLE = 0xfffffffd

/**
 * Default relay takes 100,000 vB, of a transaction as well as of one with its unconfirmed ancestors (101,000); the
 * rest is for the commit that a reveal spends.
 */
export const MAX_VSIZE = 90_000

/** BIP340. */
const SIGNATURE_SIZE = 64

/** Outpoint 36, script size 1, sequence 4, and a quarter of a witness of 66: what one more coin costs. */
const KEY_SPEND_VSIZE = 57.5

export function keySpend(
  coin: { readonly outpoint: Outpoint; readonly value: bigint },
  script: Uint8Array,
  secret: Uint8Array,
): Spend {
  const { outpoint, value } = coin
  return { outpoint, value, script, sequence: REPLACEABLE, leaf: undefined, witness: (sign) => [sign(secret)] }
}

/**
 * Adds coins until they pay for the outputs and the fee, and an output for the change unless that would be dust.
 * @throws InsufficientFundsError
 */
export function buildFunded(spends: readonly Spend[], outputs: readonly L1Output[], funding: Funding): Built {
  const { key, feeRate } = funding
  const coins = funding.coins.filter(({ value }) => Number(value) > KEY_SPEND_VSIZE * feeRate)
  const change: L1Output = { value: 0n, script: key.script }
  for (let taken = spends.length === 0 ? 1 : 0; taken <= coins.length; taken++) {
    const all = [...spends, ...coins.slice(0, taken).map((coin) => keySpend(coin, key.script, key.spendingSecret))]
    const left = sum(all) - sum(outputs)
    const value = left - feeOf(all, [...outputs, change], feeRate)
    if (value >= dustLimit(key.script)) return build(all, [...outputs, { ...change, value }])
    if (left >= feeOf(all, outputs, feeRate)) return build(all, outputs)
  }
  throw new InsufficientFundsError(sum(outputs), sum(spends) + sum(coins), feeRate)
}

/** Satoshis, rounded up. */
export function feeOf(spends: readonly Spend[], outputs: readonly L1Output[], feeRate: number): bigint {
  return BigInt(Math.ceil(unsigned(spends, outputs).virtualSize() * feeRate))
}

/** Of a transaction. From 2 on relative locks count (BIP68); 3 asks relay to allow little beside it (BIP431). */
type TransactionVersion = 2 | 3

/** Signs; what the inputs hold beyond the outputs is the fee. @throws RangeError for a transaction that can't relay. */
export function build(spends: readonly Spend[], outputs: readonly L1Output[], version: TransactionVersion = 2): Built {
  const transaction = unsigned(spends, outputs, version)
  const vsize = transaction.virtualSize()
  if (vsize > MAX_VSIZE) throw new RangeError(`a transaction of ${vsize} vB, more than ${MAX_VSIZE}`)
  const hashes = hashesOf(transaction, spends)
  spends.forEach(({ witness }, at) => {
    const hash = hashes[at] as Uint8Array
    transaction.setWitness(
      at,
      witness((secret) => signHash(hash, secret)),
    )
  })
  return { raw: transaction.toBuffer(), txid: transaction.getHash(), vsize, fee: sum(spends) - sum(outputs) }
}

/** What a transaction's signatures sign, input by input, and its txid, which they don't change. */
export interface ToSign {
  readonly txid: Uint8Array
  readonly hashes: readonly Uint8Array[]
}

export function toSign(
  spends: readonly Spend[],
  outputs: readonly L1Output[],
  version: TransactionVersion = 2,
): ToSign {
  const transaction = unsigned(spends, outputs, version)
  return { txid: transaction.getHash(), hashes: hashesOf(transaction, spends) }
}

function hashesOf(transaction: Transaction, spends: readonly Spend[]): Uint8Array[] {
  const scripts = spends.map(({ script }) => script)
  const values = spends.map(({ value }) => value)
  return spends.map(({ leaf }, at) => {
    const leafHash = leaf && tapLeafHash(leaf)
    return transaction.hashForWitnessV1(at, scripts, values, Transaction.SIGHASH_DEFAULT, leafHash)
  })
}

/** With zeros where signatures go, so that it has its final size. */
function unsigned(
  spends: readonly Spend[],
  outputs: readonly L1Output[],
  version: TransactionVersion = 2,
): Transaction {
  const transaction = new Transaction()
  transaction.version = version
  const blank = new Uint8Array(SIGNATURE_SIZE)
  for (const { outpoint, sequence, witness } of spends) {
    const at = transaction.addInput(outpoint.txid, outpoint.vout, sequence)
    transaction.setWitness(
      at,
      witness(() => blank),
    )
  }
  for (const { script, value } of outputs) transaction.addOutput(script, value)
  return transaction
}

function sum(list: readonly { readonly value: bigint }[]): bigint {
  return list.reduce((total, { value }) => total + value, 0n)
}

/** The coins at hand do not pay for a transaction. */
export class InsufficientFundsError extends Error {
  override readonly name = 'InsufficientFundsError'

  constructor(needed: bigint, available: bigint, feeRate: number) {
    super(`${available} sat do not pay ${needed} sat and the fee at ${feeRate} sat/vB`)
  }
}
