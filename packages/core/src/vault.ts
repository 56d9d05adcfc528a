import { equalBytes } from './bytes.ts'
import { type L1Transaction, type Outpoint, outpointKey } from './l1.ts'
import type { PayoutTag } from './message.ts'
import type { Params } from './params.ts'
import { cover, gapsIn, isIn, numbersIn, type Runs } from './runs.ts'
import { vaultScript } from './scripts.ts'

/**
 * The vault: one chain of Bitcoin outputs, each spent by the next sweep or payout. Claims are consumed in its order, so
 * that a payout which a reorg brought back can't pay twice. Its keys are the watchers': what stands here says what their
 * spends mean, not that they may make them.
 */
export interface Vault {
  /** What the next sweep or payout spends. */
  readonly head: Outpoint
  /** Satoshis in it; 0 once the chain has ended. */
  readonly value: bigint
  /** Spends so far. */
  readonly number: number
  /** The height of the spend that ended the chain. */
  readonly closedAt?: number
  readonly paid: PaidClaims
}

/** Numbers of claims. One that nobody can pay is a gap: it costs its own place, and not one for each that comes later. */
export type PaidClaims = Runs

export interface VaultSpend {
  readonly vault: Vault
  /** Whether the deposits that it spends are swept. */
  readonly sweeps: boolean
  /** Claims that it pays and none before it did. */
  readonly claims: readonly number[]
}

export function genesisVault({ vault: { txid, vout, value } }: Params): Vault {
  return { head: { txid, vout }, value, number: 0, paid: [] }
}

/** Which input spends the vault's head; -1 where none does, or there is none any more. */
export function findVaultInput(vault: Vault, transaction: L1Transaction): number {
  if (vault.closedAt !== undefined) return -1
  const head = outpointKey(vault.head)
  return transaction.inputs.findIndex(
    ({ previous }) => previous.vout === vault.head.vout && outpointKey(previous) === head,
  )
}

/**
 * What a spend of the head by its input `input` means. The chain goes on where vout 0 pays to the vault script, and has
 * ended otherwise. `tag` is the transaction's one message, where it is a payout's.
 */
export function spendVault(
  params: Params,
  vault: Vault,
  transaction: L1Transaction,
  input: number,
  height: number,
  tag: PayoutTag | undefined,
): VaultSpend {
  const next = transaction.outputs[0]
  const number = vault.number + 1
  const { paid } = vault
  const head = { txid: transaction.txid, vout: 0 }
  if (next === undefined || !equalBytes(next.script, vaultScript(params)))
    return { vault: { head, value: 0n, number, closedAt: height, paid }, sweeps: false, claims: [] }
  const pays = tag !== undefined && input === 0 && transaction.outputs.length === FIRST_PAYMENT + tag.claims.length
  const claims = pays ? tag.claims.filter((claim) => !isPaid(paid, claim)) : []
  return { vault: { head, value: next.value, number, paid: addPaid(paid, claims) }, sweeps: true, claims }
}

/** A payout's outputs: the next head, the tag, then one for each claim in order. */
const FIRST_PAYMENT = 2

export function isPaid(paid: PaidClaims, claim: number): boolean {
  return isIn(paid, claim)
}

/** Claims that `later` counts as paid and `earlier` does not, ascending. */
export function paidBetween(earlier: PaidClaims, later: PaidClaims): number[] {
  return later.flatMap(([start, end]) => numbersIn(gapsIn(earlier, start, end)))
}

/** Claims from `from` on and below `count` that are not paid, ascending, at most `limit`. */
export function unpaidBelow(paid: PaidClaims, count: number, from = 0, limit?: number): number[] {
  return numbersIn(gapsIn(paid, from, count), limit)
}

/** One above the highest claim that was paid. */
export function paidEnd(paid: PaidClaims): number {
  return paid.at(-1)?.[1] ?? 0
}

function addPaid(paid: PaidClaims, claims: readonly number[]): PaidClaims {
  return claims.reduce((runs, claim) => cover(runs, [claim, claim + 1]), paid)
}
