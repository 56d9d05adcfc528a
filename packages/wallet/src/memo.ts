import { concatBytes, equalBytes, taggedHash, Writer, ZERO_HASH } from '@kedge/core'
import { WalletError } from './errors.ts'
import type { RollupKey } from './keys.ts'

/**
 * A transfer commits to its memo and does not carry it. The salt keeps others from guessing the text; it follows from
 * the payer's secret and the payment's place, so whoever has the words can show later what was meant.
 */

export const MEMO_BYTES_MAX = 500

/** @throws WalletError `bad-memo` when the text is too long. */
export function memoCommitment(owner: RollupKey, from: number, nonce: bigint, memo: string | undefined): Uint8Array {
  if (memo === undefined) return ZERO_HASH
  const text = new TextEncoder().encode(memo)
  if (text.length > MEMO_BYTES_MAX) {
    throw new WalletError(`A memo holds at most ${MEMO_BYTES_MAX} bytes; this one has ${text.length}.`, {
      code: 'bad-memo',
    })
  }
  return taggedHash('kedge/memo', concatBytes(memoSalt(owner, from, nonce), text))
}

export function isMemoOf(commitment: Uint8Array, owner: RollupKey, from: number, nonce: bigint, memo: string): boolean {
  return equalBytes(commitment, memoCommitment(owner, from, nonce, memo))
}

function memoSalt({ secret }: RollupKey, from: number, nonce: bigint): Uint8Array {
  return taggedHash('kedge/memo-salt', new Writer(48).hash(secret).u64(BigInt(from)).u64(nonce).bytes)
}
