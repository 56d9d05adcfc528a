import { equalBytes } from './bytes.ts'
import { Reader, Writer } from './codec.ts'
import type { Apply } from './operation.ts'

/** Moves collected fees to a cell of the network's fee key. Needs no signature: nobody else can gain by it. */
export interface Collect {
  readonly kind: 'collect'
  readonly cell: number
  /** Millisatoshis taken from the collected fees. */
  readonly amount: bigint
}

export const COLLECT_KIND = 3
const COLLECT_BYTES = 17

export function encodeCollect(collect: Collect): Uint8Array {
  return new Writer(COLLECT_BYTES).u8(COLLECT_KIND).cell(collect.cell).u64(collect.amount).bytes
}

export function decodeCollect(bytes: Uint8Array): Collect | undefined {
  const reader = new Reader(bytes)
  reader.exactly(COLLECT_KIND)
  const collect: Collect = { kind: 'collect', cell: reader.cell(), amount: reader.u64() }
  return reader.done ? collect : undefined
}

export const applyCollect: Apply<Collect> = (context, cells, totals, { cell, amount }) => {
  const creates = cell === totals.count
  if (cell > totals.count) return { ok: false, refusal: 'unknown-cell' }
  if (amount === 0n) return { ok: false, refusal: 'zero-amount' }
  if (amount > totals.fees) return { ok: false, refusal: 'insufficient-funds' }
  const owner = context.params.keys.fees
  const account = creates ? { owner, nonce: 0n, balance: 0n } : cells.account(cell)
  if (!equalBytes(account.owner, owner)) return { ok: false, refusal: 'wrong-recipient' }
  const cost = creates ? context.params.fees.cell : 0n
  if (amount <= cost) return { ok: false, refusal: 'fee-too-low' }
  return {
    ok: true,
    updates: [{ cell, account: { ...account, balance: account.balance + amount - cost } }],
    totals: { ...totals, count: creates ? totals.count + 1 : totals.count, fees: totals.fees - amount + cost },
  }
}
