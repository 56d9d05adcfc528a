import { equalBytes } from './bytes.ts'
import { Reader, Writer } from './codec.ts'
import { comparePositions, type L1Transaction, type Outpoint, type Position } from './l1.ts'
import type { DepositTag } from './message.ts'
import type { Apply } from './operation.ts'
import type { Params } from './params.ts'
import { depositOutput } from './scripts.ts'
import { MAX_SUPPLY } from './totals.ts'

/** A deposit as Bitcoin states it: an output to the script that is derived from the transaction's one deposit tag. */
export interface Deposit {
  /** Of the output. */
  readonly position: Position
  readonly txid: Uint8Array
  /** The rollup key to credit. */
  readonly key: Uint8Array
  readonly refundKey: Uint8Array
  /** Satoshis. */
  readonly value: bigint
}

/**
 * A deposit that the vault has swept. Only now can its depositor no longer take it back, so only now does it fall due:
 * in the order of sweeps.
 */
export interface SweptDeposit {
  /** Of the input that spent it. */
  readonly position: Position
  readonly deposit: Deposit
}

/** The operation that credits a swept deposit. */
export interface Credit {
  readonly kind: 'deposit'
  /** Of the sweep's input. */
  readonly position: Position
  readonly key: Uint8Array
  /** Millisatoshis. */
  readonly amount: bigint
  readonly cell: number
}

export const DEPOSIT_KIND = 2
const DEPOSIT_BYTES = 61

export function encodeCredit(credit: Credit): Uint8Array {
  const { height, tx, index } = credit.position
  return new Writer(DEPOSIT_BYTES)
    .u8(DEPOSIT_KIND)
    .u32(height)
    .u32(tx)
    .u32(index)
    .hash(credit.key)
    .u64(credit.amount)
    .cell(credit.cell).bytes
}

export function decodeCredit(bytes: Uint8Array): Credit | undefined {
  const reader = new Reader(bytes)
  reader.exactly(DEPOSIT_KIND)
  const position = { height: reader.u32(), tx: reader.u32(), index: reader.u32() }
  const credit: Credit = { kind: 'deposit', position, key: reader.hash(), amount: reader.u64(), cell: reader.cell() }
  return reader.done ? credit : undefined
}

export function outpointOf({ txid, position }: Deposit): Outpoint {
  return { txid, vout: position.index }
}

/** The deposits that a transaction with this tag makes, at a place in Bitcoin. */
export function readDeposits(
  params: Params,
  transaction: L1Transaction,
  place: { readonly height: number; readonly tx: number },
  { key, refundKey }: DepositTag,
): Deposit[] {
  const { script } = depositOutput(params, key, refundKey)
  return transaction.outputs.flatMap((output, index) => {
    if (output.value < params.fees.minDeposit || !equalBytes(output.script, script)) return []
    return [{ position: { ...place, index }, txid: transaction.txid, key, refundKey, value: output.value }]
  })
}

/** Some deposits: how many, and their satoshis. */
export interface DepositSum {
  readonly count: number
  readonly value: bigint
}

/** Millisatoshis: deposits less what sweeping each may cost. */
export function creditedTotal({ fees }: Params, { count, value }: DepositSum): bigint {
  return (value - BigInt(count) * fees.deposit) * 1000n
}

/** Millisatoshis. */
export function creditedAmount(params: Params, { value }: Deposit): bigint {
  return creditedTotal(params, { count: 1, value })
}

export function creditOf(params: Params, { position, deposit }: SweptDeposit, cell: number): Credit {
  return { kind: 'deposit', position, key: deposit.key, amount: creditedAmount(params, deposit), cell }
}

export function creditsDeposit(params: Params, credit: Credit, { position, deposit }: SweptDeposit): boolean {
  return (
    comparePositions(credit.position, position) === 0 &&
    equalBytes(credit.key, deposit.key) &&
    credit.amount === creditedAmount(params, deposit)
  )
}

export const applyCredit: Apply<Credit> = (context, cells, totals, credit) => {
  const creates = credit.cell === totals.count
  if (credit.cell > totals.count) return { ok: false, refusal: 'unknown-cell' }
  const account = creates ? { owner: credit.key, nonce: 0n, balance: 0n } : cells.account(credit.cell)
  if (!equalBytes(account.owner, credit.key)) return { ok: false, refusal: 'wrong-recipient' }
  const fee = creates ? context.params.fees.cell : 0n
  if (credit.amount <= fee) return { ok: false, refusal: 'fee-too-low' }
  // What was taken out again no longer counts: coins may go in and out more often than there are any.
  if (totals.supply - totals.owed + credit.amount > MAX_SUPPLY) return { ok: false, refusal: 'overflow' }
  return {
    ok: true,
    updates: [{ cell: credit.cell, account: { ...account, balance: account.balance + credit.amount - fee } }],
    totals: {
      ...totals,
      count: creates ? totals.count + 1 : totals.count,
      supply: totals.supply + credit.amount,
      fees: totals.fees + fee,
      depositCursor: credit.position,
    },
  }
}
