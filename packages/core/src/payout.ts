import type { Claim } from './claim.ts'
import { type Deposit, outpointOf } from './deposit.ts'
import { ZERO_HASH } from './hash.ts'
import { comparePositions, type L1Output, type Outpoint } from './l1.ts'
import { CLAIM_SPAN, encodeMessage } from './message.ts'
import type { Params } from './params.ts'
import { dataCarrierScript, depositOutput, type LeafOutput, vaultOutput } from './scripts.ts'
import { genesisVault, isPaid, type Vault } from './vault.ts'

/**
 * The vault's next spend, to the last byte but its signatures: no lock time, each input's sequence 0xfffffffd, signed by
 * its leaf with the default hash type. A function of what all watchers know, so each of them makes it for itself and signs
 * nothing else.
 */
export interface VaultPlan {
  /**
   * Payouts are of version 3 (BIP431): where relay keeps its rules, nobody who is paid can hang more than 1,000 vB on one
   * that waits, and so make it dear to replace. A sweep pays nobody, so nobody can hang anything on it, and it may be larger.
   */
  readonly version: 2 | 3
  readonly inputs: readonly PlannedInput[]
  readonly outputs: readonly L1Output[]
  /** Satoshis. */
  readonly fee: bigint
  /** Numbers of the claims that it pays, in the outputs' order. */
  readonly claims: readonly number[]
}

export interface PlannedInput {
  readonly previous: Outpoint
  /** Satoshis. */
  readonly value: bigint
  /** How the watchers spend it. */
  readonly by: LeafOutput
}

/** Virtual bytes: what relay takes of version 3 (BIP431). 226 claims by Taproot with 3 of 5 watchers. */
const MAX_PAYOUT_VBYTES = 10_000

/** The most deposits that one sweep takes: 100 of them are some 15,000 vB with 3 of 5 watchers. */
export const MAX_SWEPT = 100

/**
 * The sweep of all deposits that may be swept in block `height`; undefined where there are none, or where they can't pay
 * for it. The fee is taken from what deposits are credited less.
 * @param feeRate satoshis for 1,000 virtual bytes
 */
export function planSweep(
  params: Params,
  vault: Vault,
  deposits: readonly Deposit[],
  height: number,
  feeRate: bigint,
): VaultPlan | undefined {
  const due = deposits
    .filter((deposit) => maySweep(params, deposit, height))
    .sort((a, b) => comparePositions(a.position, b.position))
    .slice(0, MAX_SWEPT)
  if (due.length === 0 || vault.closedAt !== undefined) return undefined
  const { inputs, outputs } = sweepOf(params, vault, due, 0n)
  const fee = feeOf(params, inputs, outputs, feeRate)
  return fee > sweepBudget(params, due.length) ? undefined : sweepOf(params, vault, due, fee)
}

/** The sweep of these deposits, whatever they are. */
export function sweepOf(params: Params, vault: Vault, deposits: readonly Deposit[], fee: bigint): VaultPlan {
  const inputs = [vaultInput(params, vault), ...deposits.map((deposit) => depositInput(params, deposit))]
  const value = inputs.reduce((sum, input) => sum + input.value, -fee)
  return { version: 2, inputs, outputs: [{ value, script: vaultOutput(params).script }], fee, claims: [] }
}

/** Satoshis: what the deposits are credited less. */
export function sweepBudget({ fees }: Params, deposits: number): bigint {
  return BigInt(deposits) * fees.deposit
}

/** The last height of a sweep of a deposit: m blocks behind it, its depositor may take it back. */
export function sweepDeadline({ windows }: Params, { position }: Deposit): number {
  return position.height + windows.refund - windows.margin
}

/** k deep, so that it stays; and not so old that its depositor could take it back while the sweep may be undone. */
export function maySweep(params: Params, deposit: Deposit, height: number): boolean {
  const isDeep = height - deposit.position.height > params.windows.originDepth
  return isDeep && height <= sweepDeadline(params, deposit)
}

/**
 * The payout of as many claims as can be paid together: those of the highest limits, among the first that one tag can
 * name, within `MAX_PAYOUT_VBYTES`. All bear the same share of the fee, none more than its limit. Undefined where none can be paid at this rate.
 * @param claims payable ones: of final batches, `originDepth` blocks behind their finality
 * @param headerHash of the last final header
 * @param feeRate satoshis for 1,000 virtual bytes
 */
export function planPayout(
  params: Params,
  vault: Vault,
  claims: readonly Claim[],
  headerHash: Uint8Array,
  feeRate: bigint,
): VaultPlan | undefined {
  if (vault.closedAt !== undefined) return undefined
  const open = claims.filter(({ number }) => !isPaid(vault.paid, number)).sort((a, b) => a.number - b.number)
  for (let at = 0; at < open.length; ) {
    const end = (open[at] as Claim).number + CLAIM_SPAN
    const near = open.slice(at).filter(({ number }) => number < end)
    const plan = planAmong(params, vault, near, headerHash, feeRate)
    if (plan !== undefined) return plan
    at += near.length
  }
  return undefined
}

function planAmong(
  params: Params,
  vault: Vault,
  claims: readonly Claim[],
  headerHash: Uint8Array,
  feeRate: bigint,
): VaultPlan | undefined {
  const dearest = claims.toSorted((a, b) => Number(b.payoutFee - a.payoutFee) || a.number - b.number)
  for (let count = dearest.length; count > 0; count--) {
    const paid = dearest.slice(0, count).sort((a, b) => a.number - b.number)
    const limit = (dearest[count - 1] as Claim).payoutFee
    const plan = planFor(params, vault, paid, limit, headerHash, feeRate)
    if (plan !== undefined) return plan
  }
  return undefined
}

/** Exactly these claims, unless a share would exceed `limit`, or relay would find them too many. */
function planFor(
  params: Params,
  vault: Vault,
  claims: readonly Claim[],
  limit: bigint,
  headerHash: Uint8Array,
  feeRate: bigint,
): VaultPlan | undefined {
  const free = payoutOf(params, vault, claims, 0n, headerHash)
  if (free === undefined || plannedVbytes(params, free.inputs, free.outputs) > MAX_PAYOUT_VBYTES) return undefined
  const count = BigInt(claims.length)
  const share = (feeOf(params, free.inputs, free.outputs, feeRate) + count - 1n) / count
  return share > limit ? undefined : payoutOf(params, vault, claims, share, headerHash)
}

/**
 * The payout of these claims, whose share of the fee each of them must bear; undefined where the vault would be left
 * with dust.
 * @param claims at least one, ascending, all within `CLAIM_SPAN` of the first
 * @param share satoshis
 */
export function payoutOf(
  params: Params,
  vault: Vault,
  claims: readonly Claim[],
  share: bigint,
  headerHash: Uint8Array,
): VaultPlan | undefined {
  const value = claims.reduce((left, { amount }) => left - amount, vault.value)
  if (value < params.fees.dust) return undefined
  const numbers = claims.map(({ number }) => number)
  const tag = dataCarrierScript(encodeMessage({ kind: 'payout', headerHash, claims: numbers }))
  const outputs = [
    { value, script: vaultOutput(params).script },
    { value: 0n, script: tag },
    ...claims.map(({ amount, script }) => ({ value: amount - share, script })),
  ]
  return {
    version: 3,
    inputs: [vaultInput(params, vault)],
    outputs,
    fee: share * BigInt(claims.length),
    claims: numbers,
  }
}

/** Virtual bytes of a payout of this claim alone: what its share is at most for, at whatever rate. */
export function lonePayoutVbytes(params: Params, script: Uint8Array): number {
  const payload = encodeMessage({ kind: 'payout', headerHash: ZERO_HASH, claims: [0] })
  const scripts = [vaultOutput(params).script, dataCarrierScript(payload), script]
  const inputs = [vaultInput(params, genesisVault(params))]
  return plannedVbytes(
    params,
    inputs,
    scripts.map((each) => ({ value: 0n, script: each })),
  )
}

function vaultInput(params: Params, { head, value }: Vault): PlannedInput {
  return { previous: head, value, by: vaultOutput(params) }
}

function depositInput(params: Params, deposit: Deposit): PlannedInput {
  const { sweep } = depositOutput(params, deposit.key, deposit.refundKey)
  return { previous: outpointOf(deposit), value: deposit.value, by: sweep }
}

function feeOf(params: Params, inputs: readonly PlannedInput[], outputs: readonly L1Output[], feeRate: bigint): bigint {
  return (BigInt(plannedVbytes(params, inputs, outputs)) * feeRate + 999n) / 1000n
}

/** Virtual bytes of the signed transaction: exact, for a signature of the default hash type is always 64 bytes. */
export function plannedVbytes({ keys }: Params, inputs: readonly PlannedInput[], outputs: readonly L1Output[]): number {
  const signatures = keys.threshold * 65 + (keys.watchers.length - keys.threshold)
  const base =
    8 +
    sizeOfSize(inputs.length) +
    41 * inputs.length +
    sizeOfSize(outputs.length) +
    outputs.reduce((sum, { script }) => sum + 8 + sizeOfSize(script.length) + script.length, 0)
  const witness = inputs.reduce(
    (sum, { by: { leaf, control } }) =>
      sum + 1 + signatures + sizeOfSize(leaf.length) + leaf.length + 1 + control.length,
    2,
  )
  return base + Math.ceil(witness / 4)
}

/** Bytes of a CompactSize. */
function sizeOfSize(value: number): number {
  return value < 0xfd ? 1 : 3
}
