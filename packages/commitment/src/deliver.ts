import { printHash, type Rpc, readTip, type SendRefusal, sendTransaction } from '@kedge/bitcoin'
import { equalBytes } from '@kedge/core'
import type { SignedRecord } from '@kedge/storage'
import { LEAST_RATE, rateOf } from './fees.ts'
import type { CommitmentLog } from './log.ts'
import { isSame } from './signed.ts'

/** A transaction that is now in the mempool, or why it isn't. */
export type Delivered =
  | { readonly ok: true; readonly signed: SignedRecord }
  | { readonly ok: false; readonly reason: string; readonly refusal?: SendRefusal }

export interface Delivery {
  /** For people, as in "anchor 5". */
  readonly name: string
  /** Satoshis that it burns. */
  readonly burn: bigint
  readonly current: SignedRecord | undefined
  /** The unconfirmed transactions that it stands on. */
  readonly below: readonly SignedRecord[]
  /** sat/vB that it should pay with all below. */
  readonly target: number
  /** Signs one for the target, or for `least` at least, and stores it. Undefined when the purse can't pay that. */
  readonly sign: (least: number) => Promise<SignedRecord | undefined>
}

export interface Carrier {
  readonly rpc: Rpc
  readonly log: CommitmentLog
}

/** The reason given when what bitcoind says is about another block than the node's. */
export const ELSEWHERE = 'bitcoind is at another block than the node'

/**
 * Sends what was signed before, unchanged. It is signed anew only where bitcoind can't take it as it is: its parents
 * are there, so an input that is missing is a coin that a reorganisation took, and a fee too low needs a higher one.
 * @param tip hash of the block that the node is at
 * @throws RpcUnreachableError
 */
export async function deliver(carrier: Carrier, tip: Uint8Array, delivery: Delivery): Promise<Delivered> {
  const { name, current, below, target, sign } = delivery
  const signed = current ?? (await sign(LEAST_RATE))
  if (signed === undefined) {
    carrier.log.warn({ name, target }, "the purse can't pay")
    return { ok: false, reason: `the purse can't pay for ${name}` }
  }
  const sent = await send(carrier, delivery, signed)
  if (sent.ok || (sent.refusal !== 'fee' && sent.refusal !== 'inputs')) return sent
  if (!equalBytes((await readTip(carrier.rpc)).hash, tip)) return { ok: false, reason: ELSEWHERE }
  const least = sent.refusal === 'fee' ? rateOf([...below, signed]) : LEAST_RATE
  const better = sent.refusal === 'fee' && least >= target ? undefined : await sign(least)
  return better === undefined || isSame(better, signed) ? sent : send(carrier, delivery, better)
}

/** Sends one transaction. What bitcoind refuses is logged here. */
export async function send(
  { rpc, log }: Carrier,
  { name, burn }: Pick<Delivery, 'name' | 'burn'>,
  signed: SignedRecord,
): Promise<Delivered> {
  const sent = await sendTransaction(rpc, signed.raw, burn)
  if (sent.ok) return { ok: true, signed }
  const { reason: refusal, detail } = sent
  log.warn({ name, txid: printHash(signed.txid), fee: signed.fee, refusal, detail }, 'bitcoind refused a transaction')
  return { ok: false, reason: `${name} was refused: ${detail}`, refusal }
}
