import { equalBytes } from './bytes.ts'
import { Reader, Writer } from './codec.ts'
import { comparePositions, type Position } from './l1.ts'
import type { Apply } from './operation.ts'
import { MAX_SUPPLY } from './totals.ts'

/** A deposit as Bitcoin states it: an output to the vault in a transaction with one deposit tag. */
export interface Deposit {
  readonly position: Position
  readonly txid: Uint8Array
  /** The rollup key to credit. */
  readonly key: Uint8Array
  readonly refundKey: Uint8Array
  /** Satoshis. */
  readonly value: bigint
}

/** The operation that credits a deposit. */
export interface Credit {
  readonly kind: 'deposit'
  readonly position: Position
  readonly key: Uint8Array
  /** Millisatoshis. */
  readonly amount: bigint
  readonly cell: number
}

export const DEPOSIT_KIND = 2
const DEPOSIT_BYTES = 61

export function encodeCredit(credit: Credit): Uint8Array {
  const { height, tx, vout } = credit.position
  return new Writer(DEPOSIT_BYTES)
    .u8(DEPOSIT_KIND)
    .u32(height)
    .u32(tx)
    .u32(vout)
    .hash(credit.key)
    .u64(credit.amount)
    .cell(credit.cell).bytes
}

export function decodeCredit(bytes: Uint8Array): Credit | undefined {
  const reader = new Reader(bytes)
  reader.exactly(DEPOSIT_KIND)
  const position = { height: reader.u32(), tx: reader.u32(), vout: reader.u32() }
  const credit: Credit = { kind: 'deposit', position, key: reader.hash(), amount: reader.u64(), cell: reader.cell() }
  return reader.done ? credit : undefined
}

export function creditOf(deposit: Deposit, cell: number): Credit {
  return { kind: 'deposit', position: deposit.position, key: deposit.key, amount: deposit.value * 1000n, cell }
}

export function creditsDeposit(credit: Credit, deposit: Deposit): boolean {
  return (
    comparePositions(credit.position, deposit.position) === 0 &&
    equalBytes(credit.key, deposit.key) &&
    credit.amount === deposit.value * 1000n
  )
}

export const applyCredit: Apply<Credit> = (context, cells, totals, credit) => {
  const creates = credit.cell === totals.count
  if (credit.cell > totals.count) return { ok: false, refusal: 'unknown-cell' }
  const account = creates ? { owner: credit.key, nonce: 0n, balance: 0n } : cells.account(credit.cell)
  if (!equalBytes(account.owner, credit.key)) return { ok: false, refusal: 'wrong-recipient' }
  const fee = creates ? context.params.fees.cell : 0n
  if (credit.amount <= fee) return { ok: false, refusal: 'fee-too-low' }
  if (totals.supply + credit.amount > MAX_SUPPLY) return { ok: false, refusal: 'overflow' }
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
