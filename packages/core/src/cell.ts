import { Reader } from './codec.ts'

/** A cell is 64 bytes; its leaf in the state tree is their SHA-256. So far there is one kind: the account. */
export const CELL_BYTES = 64

/** Cell numbers are u64 on the wire and stay below 2^48, so that a Number holds each exactly. */
export const MAX_CELL = 2 ** 48

const ACCOUNT_KIND = 1
const NONCE_AT = 8
const BALANCE_AT = 16
const OWNER_AT = 24

export interface Account {
  /** x-only public key, 32 bytes. Fixed when the cell is created. */
  readonly owner: Uint8Array
  /** The nonce its next transfer must carry. */
  readonly nonce: bigint
  /** Millisatoshis. */
  readonly balance: bigint
}

export function encodeAccount(account: Account): Uint8Array {
  const bytes = new Uint8Array(CELL_BYTES)
  writeAccount(bytes, 0, account)
  return bytes
}

/** Writes the cell's 64 bytes at `at`. */
export function writeAccount(target: Uint8Array, at: number, account: Account): void {
  const view = new DataView(target.buffer, target.byteOffset + at, CELL_BYTES)
  target.fill(0, at, at + CELL_BYTES)
  view.setUint8(0, ACCOUNT_KIND)
  view.setBigUint64(NONCE_AT, account.nonce, true)
  view.setBigUint64(BALANCE_AT, account.balance, true)
  target.set(account.owner, at + OWNER_AT)
}

/** Reads a cell that this process wrote itself: no checks. */
export function readAccount(source: Uint8Array, at: number): Account {
  const view = new DataView(source.buffer, source.byteOffset + at, CELL_BYTES)
  return {
    owner: source.slice(at + OWNER_AT, at + OWNER_AT + 32),
    nonce: view.getBigUint64(NONCE_AT, true),
    balance: view.getBigUint64(BALANCE_AT, true),
  }
}

/** Undefined unless the bytes are an account's one canonical form. */
export function decodeAccount(bytes: Uint8Array): Account | undefined {
  const reader = new Reader(bytes)
  reader.exactly(ACCOUNT_KIND)
  reader.zeros(7)
  const nonce = reader.u64()
  const balance = reader.u64()
  const owner = reader.hash()
  reader.zeros(8)
  return reader.done ? { owner, nonce, balance } : undefined
}
