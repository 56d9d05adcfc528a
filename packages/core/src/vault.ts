import { equalBytes } from './bytes.ts'
import { type L1Transaction, type Outpoint, outpointKey } from './l1.ts'
import type { PayoutTag } from './message.ts'
import type { Params } from './params.ts'
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

/** Claims below `below`, and some more, ascending. */
export interface PaidClaims {
  readonly below: number
  readonly more: readonly number[]
}

export interface VaultSpend {
  readonly vault: Vault
  /** Whether the deposits that it spends are swept. */
  readonly sweeps: boolean
  /** Claims that it pays and none before it did. */
  readonly claims: readonly number[]
}

export function genesisVault({ vault: { txid, vout, value } }: Params): Vault {
  return { head: { txid, vout }, value, number: 0, paid: { below: 0, more: [] } }
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

/** By halves: one claim that nobody can pay for yet leaves all later ones in `more`. */
export function isPaid({ below, more }: PaidClaims, claim: number): boolean {
  if (claim < below) return true
  let [from, to] = [0, more.length]
  while (from < to) {
    const middle = (from + to) >>> 1
    if ((more[middle] as number) < claim) from = middle + 1
    else to = middle
  }
  return more[from] === claim
}

/** Claims that `later` counts as paid and `earlier` does not, ascending. */
export function paidBetween(earlier: PaidClaims, later: PaidClaims): number[] {
  const below = Array.from({ length: Math.max(0, later.below - earlier.below) }, (_, at) => earlier.below + at)
  return [...below, ...later.more].filter((claim) => !isPaid(earlier, claim))
}

/** Claims below `count` that are not paid, ascending. */
export function unpaidBelow({ below, more }: PaidClaims, count: number): number[] {
  const paid = new Set(more)
  return Array.from({ length: Math.max(0, count - below) }, (_, at) => below + at).filter((claim) => !paid.has(claim))
}

function addPaid(paid: PaidClaims, claims: readonly number[]): PaidClaims {
  const all = [...paid.more, ...claims].sort((a, b) => a - b)
  let { below } = paid
  while (all[below - paid.below] === below) below++
  return { below, more: all.slice(below - paid.below) }
}
