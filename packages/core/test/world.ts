import { schnorr } from '@noble/curves/secp256k1.js'
import { concatBytes, equalBytes } from '../src/bytes.ts'
import type { Account } from '../src/cell.ts'
import { taggedHash } from '../src/hash.ts'
import type { Context } from '../src/operation.ts'
import { networkId, type Params, regtestRules } from '../src/params.ts'
import { type SignedOperation, signedMessage } from '../src/signed.ts'
import { GENESIS_TOTALS, type Totals } from '../src/totals.ts'
import type { Transfer } from '../src/transfer.ts'
import type { Withdrawal } from '../src/withdrawal.ts'

/** The network that all tests are on: regtest's windows, caps small enough to reach. */

export const bytes32 = (fill: number): Uint8Array => new Uint8Array(32).fill(fill)

export const secretOf = (seed: number): Uint8Array => bytes32(seed)
export const keyOf = (seed: number): Uint8Array => schnorr.getPublicKey(secretOf(seed))

export const params: Params = {
  ...regtestRules,
  caps: { operations: 64, deposits: 4, forced: 3, ticks: 8, answerVbytesPerBlock: 1_000_000 },
  genesis: { txid: bytes32(0x0e), vout: 1 },
  vault: { txid: bytes32(0x0f), vout: 0, value: 10_000n },
  scanHeight: 101,
  keys: { anchor: keyOf(1), slot: keyOf(2), fees: keyOf(3), watchers: [keyOf(11), keyOf(12), keyOf(13)], threshold: 2 },
}

export const network = networkId(params)

/** The number of cases that random tests share out among them: 10,000 normally, KEDGE_FUZZ in the long run. */
export const CASES = Number(process.env.KEDGE_FUZZ ?? 10_000)
export const FUZZ_TIMEOUT = 60_000 + 5 * CASES

/** What a payment says; what is left out is the most ordinary. */
export type Payment = Pick<Transfer, 'from' | 'to' | 'toCell' | 'amount'> & Partial<Omit<Transfer, 'kind'>>

export function transferOf(payment: Payment): Transfer {
  const plain = { nonce: 0n, mayCreate: false, fee: params.fees.transfer, expiry: 0xffffffff }
  return { kind: 'transfer', ...plain, memo: bytes32(0), signature: new Uint8Array(64), ...payment }
}

/** What a withdrawal says; what is left out is the most ordinary: a whole coin of it to a key of somebody's. */
export type Taking = Pick<Withdrawal, 'from' | 'amount'> & Partial<Omit<Withdrawal, 'kind'>>

/** P2TR of a key that nobody looks at. */
export const payoutScript = (seed = 1): Uint8Array => concatBytes(Uint8Array.of(0x51, 32), bytes32(seed))

export function withdrawalOf(taking: Taking): Withdrawal {
  const plain = { nonce: 0n, script: payoutScript(), payoutFee: 1_000n, fee: params.fees.transfer, expiry: 0xffffffff }
  return { kind: 'withdrawal', ...plain, signature: new Uint8Array(64), ...taking }
}

/** BIP340 with zero auxiliary randomness, so that vectors stay the same. Costs milliseconds. */
export function sign(secret: Uint8Array, payment: Payment): Transfer {
  return signOperation(secret, transferOf(payment))
}

export function signWithdrawal(secret: Uint8Array, taking: Taking): Withdrawal {
  return signOperation(secret, withdrawalOf(taking))
}

function signOperation<O extends SignedOperation>(secret: Uint8Array, operation: O): O {
  return { ...operation, signature: schnorr.sign(signedMessage(network, operation), secret, bytes32(0)) }
}

export const isSigned: Context['isSigned'] = (owner, operation) =>
  schnorr.verify(operation.signature, signedMessage(network, operation), owner)

/**
 * A stand-in for BIP340 where thousands of signatures are needed and none is the point: anybody can make one, but it
 * fits one owner and one operation only. `quickKey`s are owners' names, and lie on no curve.
 */
export function quickSign(owner: Uint8Array, payment: Payment): Transfer {
  const transfer = transferOf(payment)
  return { ...transfer, signature: quickSignature(owner, transfer) }
}

export function quickWithdrawal(owner: Uint8Array, taking: Taking): Withdrawal {
  const withdrawal = withdrawalOf(taking)
  return { ...withdrawal, signature: quickSignature(owner, withdrawal) }
}

export const isQuickSigned: Context['isSigned'] = (owner, operation) =>
  equalBytes(operation.signature, quickSignature(owner, operation))

export const quickKey = (seed: number): Uint8Array => taggedHash('test/key', Uint8Array.of(seed & 255, seed >> 8))

function quickSignature(owner: Uint8Array, operation: SignedOperation): Uint8Array {
  const half = taggedHash('test/signature', concatBytes(owner, signedMessage(network, operation)))
  return concatBytes(half, half)
}

export function accountOf(owner: Uint8Array, balance: bigint, nonce = 0n): Account {
  return { owner, nonce, balance }
}

/** Totals that fit these accounts, with some fees collected before. */
export function totalsOf(accounts: readonly Account[], fees = 0n): Totals {
  const supply = accounts.reduce((sum, { balance }) => sum + balance, fees)
  return { ...GENESIS_TOTALS, count: accounts.length, supply, fees }
}
