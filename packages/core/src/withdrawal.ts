import { Reader, U64_MAX, Writer } from './codec.ts'
import { readDestination, writeDestination } from './destination.ts'
import { taggedHash } from './hash.ts'
import type { Apply } from './operation.ts'
import type { Params } from './params.ts'
import type { Totals } from './totals.ts'

/** Takes bitcoin out: the cell is debited at once, the vault owes the amount from when the batch is final. */
export interface Withdrawal {
  readonly kind: 'withdrawal'
  readonly from: number
  readonly nonce: bigint
  /** The Bitcoin output script to pay to: one of five forms (`destination.ts`). */
  readonly script: Uint8Array
  /** Satoshis taken from the cell. What arrives is this less the claim's share of the payout's fee. */
  readonly amount: bigint
  /** Satoshis that this share may be at most. */
  readonly payoutFee: bigint
  /** Millisatoshis, the ledger's fee, as a transfer pays one. */
  readonly fee: bigint
  /** The last origin height at which it may be executed. */
  readonly expiry: number
  /** BIP340, over `withdrawalMessage`. */
  readonly signature: Uint8Array
}

export const WITHDRAWAL_KIND = 4
export const WITHDRAWAL_BYTES = 142

/** The withdrawals that the totals can count. */
const MAX_WITHDRAWALS = 0xffffffff

export function encodeWithdrawal(withdrawal: Withdrawal): Uint8Array {
  const writer = new Writer(WITHDRAWAL_BYTES).u8(WITHDRAWAL_KIND)
  return writeSigned(writer, withdrawal).fixed(withdrawal.signature, 64).bytes
}

export function decodeWithdrawal(bytes: Uint8Array): Withdrawal | undefined {
  const reader = new Reader(bytes)
  reader.exactly(WITHDRAWAL_KIND)
  const withdrawal: Withdrawal = {
    kind: 'withdrawal',
    from: reader.cell(),
    nonce: reader.u64(),
    script: readDestination(reader),
    amount: reader.u64(),
    payoutFee: reader.u64(),
    fee: reader.u64(),
    expiry: reader.u32(),
    signature: reader.fixed(64),
  }
  return reader.done ? withdrawal : undefined
}

/** The 32 bytes that the cell's owner signs: all of it. */
export function withdrawalMessage(network: Uint8Array, withdrawal: Omit<Withdrawal, 'signature'>): Uint8Array {
  const writer = new Writer(32 + WITHDRAWAL_BYTES).hash(network)
  return taggedHash('kedge/withdrawal/1', writeSigned(writer, withdrawal).bytes)
}

function writeSigned(writer: Writer, withdrawal: Omit<Withdrawal, 'signature'>): Writer {
  writer.cell(withdrawal.from).u64(withdrawal.nonce)
  return writeDestination(writer, withdrawal.script)
    .u64(withdrawal.amount)
    .u64(withdrawal.payoutFee)
    .u64(withdrawal.fee)
    .u32(withdrawal.expiry)
}

/** Satoshis: the least that a withdrawal with this limit may take, so that what arrives is never dust. */
export function leastWithdrawal(params: Params, payoutFee: bigint): bigint {
  return params.fees.dust + payoutFee
}

/** The checks stand in the order of a transfer's. */
export const applyWithdrawal: Apply<Withdrawal> = (context, cells, totals, withdrawal) => {
  const { from, amount, payoutFee, fee } = withdrawal
  const { fees } = context.params
  if (from >= totals.count) return { ok: false, refusal: 'unknown-cell' }
  const payer = cells.account(from)
  if (withdrawal.nonce !== payer.nonce)
    return { ok: false, refusal: withdrawal.nonce < payer.nonce ? 'nonce-used' : 'nonce-ahead' }
  if (context.originHeight > withdrawal.expiry) return { ok: false, refusal: 'expired' }
  if (fee < fees.transfer) return { ok: false, refusal: 'fee-too-low' }
  if (payoutFee < fees.payout) return { ok: false, refusal: 'payout-fee-too-low' }
  if (amount < leastWithdrawal(context.params, payoutFee)) return { ok: false, refusal: 'dust' }
  const owed = amount * 1000n
  if (payer.balance < owed + fee) return { ok: false, refusal: 'insufficient-funds' }
  if (totals.owed + owed > U64_MAX || totals.withdrawals === MAX_WITHDRAWALS) return { ok: false, refusal: 'overflow' }
  if (!context.isSigned(payer.owner, withdrawal)) return { ok: false, refusal: 'bad-signature' }
  const account = { owner: payer.owner, nonce: payer.nonce + 1n, balance: payer.balance - owed - fee }
  return { ok: true, updates: [{ cell: from, account }], totals: totalsAfter(totals, owed, fee) }
}

function totalsAfter(before: Totals, owed: bigint, fee: bigint): Totals {
  return {
    ...before,
    fees: before.fees + fee,
    owed: before.owed + owed,
    withdrawals: before.withdrawals + 1,
  }
}
