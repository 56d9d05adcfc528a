import {
  encodeTransfer,
  encodeWithdrawal,
  type SignedOperation,
  toHex,
  transferMessage,
  type Withdrawal,
  withdrawalMessage,
} from '@kedge/core'
import { type SendRecord, signedOf } from './content.ts'
import { evidenceIn, isSettled } from './evidence.ts'
import { memoCommitment } from './memo.ts'
import type { NodeWord } from './node-word.ts'
import { signTransfer, signWithdrawal } from './signing.ts'
import { changeContent, type Wallet } from './wallet.ts'

/** Payments and withdrawals as the wallet's file records them. */

/** What is signed, with the memo as its payer wrote it. */
export interface Terms {
  readonly from: number
  readonly nonce: bigint
  /** The recipient's rollup key. */
  readonly to: Uint8Array
  /** Undefined where the recipient has no cell, and is to have one. */
  readonly toCell: number | undefined
  /** Millisatoshis. */
  readonly amount: bigint
  readonly fee: bigint
  readonly expiry: number
  readonly memo: string | undefined
}

/** @throws WalletError `bad-memo` */
export function signRecord({ keys, network }: Wallet, { toCell, memo, ...terms }: Terms): SendRecord {
  const { rollup } = keys
  const unsigned = {
    kind: 'transfer',
    ...terms,
    // Not signed: whoever builds the batch names the cell it finds for the key, or the one it creates.
    toCell: toCell ?? 0,
    mayCreate: toCell === undefined,
    memo: memoCommitment(rollup, terms.from, terms.nonce, memo),
  } as const
  const transfer = toHex(encodeTransfer(signTransfer(network, unsigned, rollup.secret)))
  const record = { id: toHex(transferMessage(network, unsigned)), transfer, state: 'recorded' } as const
  return memo === undefined ? record : { ...record, memo }
}

export function signWithdrawalRecord(
  { keys, network }: Wallet,
  terms: Omit<Withdrawal, 'kind' | 'signature'>,
): SendRecord {
  const unsigned = { kind: 'withdrawal', ...terms } as const
  const withdrawal = toHex(encodeWithdrawal(signWithdrawal(network, unsigned, keys.rollup.secret)))
  return { id: toHex(withdrawalMessage(network, unsigned)), withdrawal, state: 'recorded' }
}

/** It is on disk when this is done: nothing leaves before that. */
export async function addRecord(wallet: Wallet, record: SendRecord): Promise<void> {
  await changeContent(wallet, (content) => ({ ...content, sends: [...content.sends, dated(record)] }))
}

/** As it is signed now. */
export function dated(record: SendRecord): SendRecord {
  return { ...record, signedAt: Math.floor(Date.now() / 1000) }
}

/** Changes a payment's record as it is in the file by then: others may have written meanwhile. */
export async function amendRecord(
  wallet: Wallet,
  id: string,
  change: (record: SendRecord) => SendRecord,
): Promise<void> {
  await changeContent(wallet, (content) => ({
    ...content,
    sends: content.sends.map((sent) => (sent.id === id ? change(sent) : sent)),
  }))
}

/** Whether somebody has acknowledged it at some time. */
export function wasAcknowledged({ state }: SendRecord): boolean {
  return state === 'sequenced' || state === 'dropped' || state === 'final'
}

/** As it is after a node refused it. That frees no nonce: whoever has its bytes may submit them yet (`nonces.ts`). */
export function refusedFor(reason: string): (record: SendRecord) => SendRecord {
  return (record) => ({ ...record, state: wasAcknowledged(record) ? 'dropped' : 'refused', reason })
}

/** As it is once a node says that it is ordered. Where its evidence is new, `isTold` says whether its payer hears of it. */
export function ordered(
  { reason: _, untold, ...now }: SendRecord,
  shown: Pick<SendRecord, 'acknowledgement' | 'proven'>,
  { state, isTold }: { readonly state: 'sequenced' | 'final'; readonly isTold: boolean },
): SendRecord {
  const next = { ...now, ...shown, state }
  const isNews = untold === true || (!isSettled(now) && isSettled(next))
  return isNews && !isTold ? { ...next, untold: true } : next
}

/**
 * Keeps a record in step with what a node says, so that a dropped payment's nonce is free again. What was refused or
 * dropped may be executed after all: until it expires, whoever has its bytes can submit it again.
 * @param isTold whether its payer has asked for it, and hears what the node says
 */
export async function follow(wallet: Wallet, record: SendRecord, said: NodeWord, isTold = false): Promise<void> {
  if (said.rung === 'pending') return
  if (said.rung === 'refused' || said.rung === 'dropped') {
    const { rung, reason } = said
    const state = rung === 'dropped' ? rung : refusedFor(reason)(record).state
    if (record.state !== state || record.reason !== reason)
      await amendRecord(wallet, record.id, (now) => ({ ...now, state, reason }))
    return
  }
  const state = said.rung === 'sequenced' || said.rung === 'anchored' ? 'sequenced' : 'final'
  const shown = isSettled(record) ? {} : evidenceIn(wallet, record, said)
  const isNews = record.state !== state || Object.keys(shown).length > 0 || (isTold && record.untold === true)
  if (isNews) await amendRecord(wallet, record.id, (now) => ordered(now, shown, { state, isTold }))
}

/** All payments and withdrawals for one nonce of one cell, in the order in which they were signed: at most one of them is ever executed. */
export function rivalsIn(sends: readonly SendRecord[]): SendRecord[][] {
  const groups = new Map<string, SendRecord[]>()
  for (const record of sends) {
    const { from, nonce } = signedOf(record)
    const name = `${from}/${nonce}`
    groups.set(name, [...(groups.get(name) ?? []), record])
  }
  return [...groups.values()]
}

/** What was refused gives way to another payment. What nobody took in time doesn't: its payer was told that it is kept. */
export function mayBeWanted({ state, reason }: SendRecord): boolean {
  return state !== 'refused' || reason === 'expired'
}

/** Whether two records pay the same to the same: one was signed in the place of the other. */
export function paysTheSame(a: SendRecord, b: SendRecord): boolean {
  const [one, other] = [signedOf(a), signedOf(b)]
  return toHex(payeeOf(one)) === toHex(payeeOf(other)) && one.amount === other.amount
}

/** A rollup key, or the script of a withdrawal, which is longer or shorter. */
function payeeOf(operation: SignedOperation): Uint8Array {
  return operation.kind === 'transfer' ? operation.to : operation.script
}
