import { publicKeyOf } from '@kedge/bitcoin'
import { encodeTransfer, type Params, sha256, TRANSFER_BYTES, type Transfer, Writer, ZERO_HASH } from '@kedge/core'

/**
 * Who pays whom under load. Payer 0 has the deposit, in cell 0, and pays everybody else into being: payer i then owns
 * cell i. The rest are transfers between random pairs of them.
 */

/** Millisatoshis that each payer starts with: enough for a thousand transfers, whomever chance picks. */
const START_AMOUNT = 2_000_000n

const AMOUNT = 1000n

export function secretOf(payer: number): Uint8Array {
  return sha256(new Writer().hash(SEED).u32(payer).bytes)
}

const SEED = sha256(new TextEncoder().encode('payers of the benchmark'))

/** Where signatures are not checked, keys need lie on no curve. */
export function keyOf(payer: number, isSigned: boolean): Uint8Array {
  return isSigned ? publicKeyOf(secretOf(payer)) : secretOf(payer)
}

/** Satoshis that payer 0 must deposit. */
export function depositFor(payers: number, { fees }: Params): bigint {
  const each = START_AMOUNT + fees.transfer + fees.cell
  return (each * BigInt(payers) + fees.cell) / 1000n + fees.deposit + 1n
}

type Fields = Pick<Transfer, 'from' | 'nonce' | 'toCell' | 'to'>

/** Writes the transfer, not signed yet, as row `at`. */
function writeUnsigned(
  rows: Uint8Array,
  at: number,
  fields: Fields,
  rest: Pick<Transfer, 'amount' | 'fee' | 'mayCreate'>,
) {
  const fixed = { expiry: 0xffffffff, memo: ZERO_HASH, signature: NO_SIGNATURE }
  rows.set(encodeTransfer({ kind: 'transfer', ...fields, ...rest, ...fixed }), TRANSFER_BYTES * at)
}

const NO_SIGNATURE = new Uint8Array(64)

/** Fills `rows` with what makes payers 1, 2, 3 … @param keys 32 bytes a payer */
export function fillCreations(rows: Uint8Array, keys: Uint8Array, { fees }: Params): void {
  const rest = { amount: START_AMOUNT, fee: fees.transfer + fees.cell, mayCreate: true }
  for (let at = 0; at < rows.length / TRANSFER_BYTES; at++) {
    const toCell = at + 1
    writeUnsigned(rows, at, { from: 0, nonce: BigInt(at), toCell, to: keyAt(keys, toCell) }, rest)
  }
}

/**
 * Fills `rows` with lanes of equal length, one after another. A lane has payers of its own, so that lanes sent side by
 * side never wait for each other's nonces; recipients are anybody.
 */
export function fillTransfers(rows: Uint8Array, lanes: number, keys: Uint8Array, { fees }: Params): void {
  const payers = keys.length / 32 - 1
  const nonces = new Uint32Array(payers + 1)
  const perLane = rows.length / TRANSFER_BYTES / lanes
  const rest = { amount: AMOUNT, fee: fees.transfer, mayCreate: false }
  for (let at = 0; at < perLane * lanes; at++) {
    const lane = Math.floor(at / perLane)
    const from = 1 + lane + lanes * Math.floor(Math.random() * Math.floor(payers / lanes))
    const other = 1 + Math.floor(Math.random() * (payers - 1))
    const toCell = other < from ? other : other + 1
    const nonce = nonces[from] as number
    nonces[from] = nonce + 1
    writeUnsigned(rows, at, { from, nonce: BigInt(nonce), toCell, to: keyAt(keys, toCell) }, rest)
  }
}

function keyAt(keys: Uint8Array, payer: number): Uint8Array {
  return keys.subarray(32 * payer, 32 * payer + 32)
}
