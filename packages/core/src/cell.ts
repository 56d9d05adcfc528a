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
  writeAccount(bytes, new DataView(bytes.buffer), 0, account)
  return bytes
}

/** Writes at `at`, where nothing but accounts or zeros may have been. `view` is that of the same bytes. */
export function writeAccount(target: Uint8Array, view: DataView, at: number, account: Account): void {
  target[at] = ACCOUNT_KIND
  view.setBigUint64(at + NONCE_AT, account.nonce, true)
  view.setBigUint64(at + BALANCE_AT, account.balance, true)
  target.set(account.owner, at + OWNER_AT)
}

/** Reads a cell that this process wrote itself: no checks. `view` is that of the same bytes. */
export function readAccount(source: Uint8Array, view: DataView, at: number): Account {
  return {
    owner: readOwner(source, at),
    nonce: view.getBigUint64(at + NONCE_AT, true),
    balance: view.getBigUint64(at + BALANCE_AT, true),
  }
}

/** A copy of the key of a cell that this process wrote itself. */
export function readOwner(source: Uint8Array, at: number): Uint8Array {
  return source.slice(at + OWNER_AT, at + OWNER_AT + 32)
}

/** Whether that is `key`. */
export function isOwner(source: Uint8Array, at: number, key: Uint8Array): boolean {
  for (let byte = 0; byte < 32; byte++) if (source[at + OWNER_AT + byte] !== key[byte]) return false
  return true
}

/** Whether its nonce is above the one at `nonceAt` of `bytes`, a u64 as it stands in a signed operation. */
export function isNonceAbove(source: Uint8Array, at: number, bytes: Uint8Array, nonceAt: number): boolean {
  for (let byte = 7; byte >= 0; byte--) {
    const difference = (source[at + NONCE_AT + byte] as number) - (bytes[nonceAt + byte] as number)
    if (difference !== 0) return difference > 0
  }
  return false
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
