import { equalBytes } from './bytes.ts'
import { Reader, Writer } from './codec.ts'
import { taggedHash } from './hash.ts'
import type { Apply } from './operation.ts'
import type { Totals } from './totals.ts'
import type { CellTree } from './tree.ts'

export interface Transfer {
  readonly kind: 'transfer'
  /** The paying cell. Signed, because one key may own several. */
  readonly from: number
  readonly nonce: bigint
  /** The recipient: an x-only key. */
  readonly to: Uint8Array
  /** The recipient's cell. Not signed: whoever builds the batch names it, execution checks that it is the key's. */
  readonly toCell: number
  /** The payer agrees to pay the cell fee for a recipient that has no cell yet. */
  readonly mayCreate: boolean
  /** Millisatoshis. */
  readonly amount: bigint
  /** Millisatoshis. */
  readonly fee: bigint
  /** The last origin height at which it may be executed. */
  readonly expiry: number
  /** Commitment to a memo: a salted hash, or zeros. */
  readonly memo: Uint8Array
  /** BIP340, over `transferMessage`. */
  readonly signature: Uint8Array
}

export const TRANSFER_KIND = 1
export const TRANSFER_BYTES = 174

export function encodeTransfer(transfer: Transfer): Uint8Array {
  return new Writer(TRANSFER_BYTES)
    .u8(TRANSFER_KIND)
    .cell(transfer.from)
    .u64(transfer.nonce)
    .hash(transfer.to)
    .cell(transfer.toCell)
    .u8(transfer.mayCreate ? 1 : 0)
    .u64(transfer.amount)
    .u64(transfer.fee)
    .u32(transfer.expiry)
    .hash(transfer.memo)
    .fixed(transfer.signature, 64).bytes
}

/** Keys, memo and signature are views of `bytes`, which must stay as they are. */
export function decodeTransfer(bytes: Uint8Array): Transfer | undefined {
  const reader = new Reader(bytes)
  reader.exactly(TRANSFER_KIND)
  const from = reader.cell()
  const nonce = reader.u64()
  const to = reader.view(32)
  const toCell = reader.cell()
  const flags = reader.u8()
  const amount = reader.u64()
  const fee = reader.u64()
  const expiry = reader.u32()
  const memo = reader.view(32)
  const signature = reader.view(64)
  if (!reader.done || flags > 1) return undefined
  return { kind: 'transfer', from, nonce, to, toCell, mayCreate: flags === 1, amount, fee, expiry, memo, signature }
}

const FROM_AT = 1
const NONCE_AT = 9

/** The cell that a transfer of TRANSFER_BYTES, or a withdrawal, is from, or what stands there in bytes that don't decode. */
export function payerOf(bytes: Uint8Array): number {
  let cell = 0
  for (let at = FROM_AT + 7; at >= FROM_AT; at--) cell = cell * 256 + (bytes[at] as number)
  return cell
}

/** Whether `payer`, a cell of the tree, has used the nonce of these bytes: a look without decoding, as `payerOf` is one. */
export function isNonceUsed(tree: CellTree, payer: number, bytes: Uint8Array): boolean {
  return tree.hasUsed(payer, bytes, NONCE_AT)
}

/** The 32 bytes that the payer signs. */
export function transferMessage(network: Uint8Array, transfer: Omit<Transfer, 'signature' | 'toCell'>): Uint8Array {
  const message = new Writer(136)
    .hash(network)
    .cell(transfer.from)
    .u64(transfer.nonce)
    .hash(transfer.to)
    .u8(transfer.mayCreate ? 1 : 0)
    .u64(transfer.amount)
    .u64(transfer.fee)
    .u32(transfer.expiry)
    .hash(transfer.memo).bytes
  return taggedHash('kedge/transfer/1', message)
}

/** The order of the checks is that of the reasons a person would want to hear; the signature, the dearest, is last. */
export const applyTransfer: Apply<Transfer> = (context, cells, totals, transfer) => {
  const { from, toCell, amount, fee } = transfer
  const creates = toCell === totals.count
  if (from >= totals.count || toCell > totals.count) return { ok: false, refusal: 'unknown-cell' }
  if (from === toCell) return { ok: false, refusal: 'self-transfer' }
  if (amount === 0n) return { ok: false, refusal: 'zero-amount' }
  const payer = cells.account(from)
  if (transfer.nonce !== payer.nonce)
    return { ok: false, refusal: transfer.nonce < payer.nonce ? 'nonce-used' : 'nonce-ahead' }
  if (context.originHeight > transfer.expiry) return { ok: false, refusal: 'expired' }
  if (creates && !transfer.mayCreate) return { ok: false, refusal: 'may-not-create' }
  const { fees } = context.params
  if (fee < fees.transfer + (creates ? fees.cell : 0n)) return { ok: false, refusal: 'fee-too-low' }
  const recipient = creates ? { owner: transfer.to, nonce: 0n, balance: 0n } : cells.account(toCell)
  if (!equalBytes(recipient.owner, transfer.to)) return { ok: false, refusal: 'wrong-recipient' }
  if (payer.balance < amount + fee) return { ok: false, refusal: 'insufficient-funds' }
  if (!context.isSigned(payer.owner, transfer)) return { ok: false, refusal: 'bad-signature' }
  return {
    ok: true,
    updates: [
      { cell: from, account: { owner: payer.owner, nonce: payer.nonce + 1n, balance: payer.balance - amount - fee } },
      {
        cell: toCell,
        account: { owner: recipient.owner, nonce: recipient.nonce, balance: recipient.balance + amount },
      },
    ],
    totals: totalsAfter(totals, creates ? totals.count + 1 : totals.count, totals.fees + fee),
  }
}

/** Field by field: a spread would take longer than the rest of the transfer. */
function totalsAfter(before: Totals, count: number, fees: bigint): Totals {
  const { supply, owed, depositCursor, forcedCursor, withdrawals } = before
  return { count, supply, fees, owed, depositCursor, forcedCursor, withdrawals }
}
