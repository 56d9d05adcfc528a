import { createRequire } from 'node:module'
import {
  concatBytes,
  encodeTransfer,
  encodeWithdrawal,
  taggedHash,
  transferMessage,
  withdrawalMessage,
} from '@kedge/core'
import { schnorr } from '@noble/curves/secp256k1.js'

const tiny: typeof import('tiny-secp256k1') = createRequire(import.meta.url)('tiny-secp256k1')

export const NETWORK = Uint8Array.from({ length: 32 }, (_, at) => at + 1)

export interface SignedTransfer {
  readonly owner: Uint8Array
  readonly bytes: Uint8Array
}

/** Bytes that follow from `seed`: the same on each run. */
export function bytesFrom(seed: string, length: number): Uint8Array {
  const blocks: Uint8Array[] = []
  for (let at = 0; at < length; at += 32) blocks.push(taggedHash(`${seed}/${at}`, new Uint8Array(0)))
  return concatBytes(...blocks).slice(0, length)
}

/** Signs fast; that it signs right is what the tests of the engines show. */
export function sign(message: Uint8Array, secret: Uint8Array): Uint8Array {
  return tiny.signSchnorr(message, secret)
}

/** A transfer between arbitrary cells, signed for `network` by the owner that comes with it. */
export function makeTransfer(seed: string, network = NETWORK): SignedTransfer {
  const secret = bytesFrom(`${seed}/secret`, 32)
  const numbers = new DataView(bytesFrom(`${seed}/numbers`, 40).buffer)
  const unsigned = {
    kind: 'transfer',
    from: numbers.getUint32(0),
    nonce: numbers.getBigUint64(8),
    to: bytesFrom(`${seed}/to`, 32),
    toCell: numbers.getUint32(4),
    mayCreate: numbers.getUint8(16) > 127,
    amount: numbers.getBigUint64(20),
    fee: numbers.getBigUint64(28),
    expiry: numbers.getUint32(36),
    memo: bytesFrom(`${seed}/memo`, 32),
  } as const
  const signature = sign(transferMessage(network, unsigned), secret)
  return { owner: schnorr.getPublicKey(secret), bytes: encodeTransfer({ ...unsigned, signature }) }
}

/** As `makeTransfer`: bitcoin that an arbitrary cell takes out, to a script hash. */
export function makeWithdrawal(seed: string, network = NETWORK): SignedTransfer {
  const secret = bytesFrom(`${seed}/secret`, 32)
  const numbers = new DataView(bytesFrom(`${seed}/numbers`, 40).buffer)
  const unsigned = {
    kind: 'withdrawal',
    from: numbers.getUint32(0),
    nonce: numbers.getBigUint64(8),
    script: concatBytes(Uint8Array.of(0, 32), bytesFrom(`${seed}/script`, 32)),
    amount: numbers.getBigUint64(16),
    payoutFee: numbers.getBigUint64(24),
    fee: numbers.getBigUint64(28),
    expiry: numbers.getUint32(36),
  } as const
  const signature = sign(withdrawalMessage(network, unsigned), secret)
  return { owner: schnorr.getPublicKey(secret), bytes: encodeWithdrawal({ ...unsigned, signature }) }
}
