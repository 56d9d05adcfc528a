import {
  type BrokenPromise,
  decodeBrokenPromise,
  encodeBrokenPromise,
  type Outpoint,
  Reader,
  Writer,
} from '@kedge/core'
import type { FraudSignature, Reward } from './complete.ts'

/**
 * Whoever wants the sequencer slashed for a lie that Script can't see asks the watchers for their word. What it shows
 * them is only where to look: each judges by the state that it derived itself.
 */
export interface FraudRequest {
  /** B of the bond that is to be slashed. */
  readonly bond: Outpoint
  readonly claim: FraudClaim
  readonly reward: Reward
}

/**
 * - `batch`: the batch of this number is void for a lie, or for want of an answer
 * - `promise`: the sequencer broke this promise
 */
export type FraudClaim =
  | { readonly kind: 'batch'; readonly number: number }
  | { readonly kind: 'promise'; readonly shown: BrokenPromise }

export type FraudAnswer =
  | ({ readonly ok: true } & FraudSignature)
  | { readonly ok: false; readonly watcher: Uint8Array; readonly reason: string }

/** Watchers are asked for two things; the first byte says which (`signed-message.ts`). */
const FRAUD = 2
const BATCH = 1
const PROMISE = 2
/** An operation, a receipt, two headers and a path, the longest of each. */
const MAX_PROMISE = 5_000
const MAX_SCRIPT = 34
const MAX_REASON = 300
const SIGNATURE = 64
/** Fee rates go as sat for 1,000 vB. */
const THOUSAND = 1000
/** ASCII without control characters: a stranger's text is shown to a person. */
const PRINTED = /^[\x20-\x7e]*$/

export function encodeFraudRequest({ bond, claim, reward }: FraudRequest): Uint8Array {
  const writer = new Writer(128).u8(FRAUD).hash(bond.txid).u32(bond.vout)
  writer.u32(Math.round(reward.feeRate * THOUSAND)).sized(reward.script)
  if (claim.kind === 'batch') return writer.u8(BATCH).u32(claim.number).bytes
  return writer.u8(PROMISE).sized(encodeBrokenPromise(claim.shown)).bytes
}

export function decodeFraudRequest(bytes: Uint8Array): FraudRequest | undefined {
  const reader = new Reader(bytes)
  reader.exactly(FRAUD)
  const bond = { txid: reader.hash(), vout: reader.u32() }
  const feeRate = reader.u32() / THOUSAND
  const script = reader.sized(MAX_SCRIPT)
  const claim = readClaim(reader)
  if (!reader.done || claim === undefined || script.length === 0) return undefined
  return { bond, claim, reward: { script, feeRate } }
}

function readClaim(reader: Reader): FraudClaim | undefined {
  const kind = reader.u8()
  if (kind === BATCH) return { kind: 'batch', number: reader.u32() }
  const shown = kind === PROMISE ? decodeBrokenPromise(reader.sized(MAX_PROMISE)) : undefined
  return shown && { kind: 'promise', shown }
}

export function encodeFraudAnswer(answer: FraudAnswer): Uint8Array {
  const writer = new Writer(128).u8(answer.ok ? 1 : 0).hash(answer.watcher)
  if (answer.ok) return writer.fixed(answer.signature, SIGNATURE).bytes
  const reason = new TextEncoder().encode(answer.reason.replace(/[^\x20-\x7e]/g, '?')).slice(0, MAX_REASON)
  return writer.sized(reason).bytes
}

export function decodeFraudAnswer(bytes: Uint8Array): FraudAnswer | undefined {
  const reader = new Reader(bytes)
  const kind = reader.u8()
  const watcher = reader.hash()
  if (kind === 1) {
    const signature = reader.fixed(SIGNATURE)
    return reader.done ? { ok: true, watcher, signature } : undefined
  }
  const reason = new TextDecoder().decode(reader.sized(MAX_REASON))
  return kind === 0 && reader.done && PRINTED.test(reason) ? { ok: false, watcher, reason } : undefined
}
