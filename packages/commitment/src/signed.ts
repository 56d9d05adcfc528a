import { type Built, printOutpoint, readTransaction } from '@kedge/bitcoin'
import { equalBytes, type L1Transaction } from '@kedge/core'
import type { SignedRecord } from '@kedge/storage'

/** The node's own transactions, as they are stored. */

export function signedAt(height: number, { raw, txid, fee, vsize }: Built): SignedRecord {
  return { raw, txid, fee, vsize, sentAt: height }
}

const read = new WeakMap<SignedRecord, L1Transaction>()

/** Read once: it is asked for at every block. */
export function transactionOf(signed: SignedRecord): L1Transaction {
  const transaction = read.get(signed) ?? readTransaction(signed.raw)
  read.set(signed, transaction)
  return transaction
}

export function isSame(a: SignedRecord, b: SignedRecord): boolean {
  return equalBytes(a.txid, b.txid)
}

/** Outpoints, printed. */
export function spentBy(...signed: readonly SignedRecord[]): ReadonlySet<string> {
  const inputs = signed.flatMap((one) => transactionOf(one).inputs)
  return new Set(inputs.map(({ previous }) => printOutpoint(previous)))
}

/** Whether at most one of the two can ever be mined. */
export function conflict(a: SignedRecord, b: SignedRecord): boolean {
  const spent = spentBy(b)
  return [...spentBy(a)].some((outpoint) => spent.has(outpoint))
}
