import { type BondStake, readFunding, stakeOf } from './bond.ts'
import { type BondOutcome, bondOutcome, isSlashSigned } from './bond-spend.ts'
import type { L1Transaction, Outpoint } from './l1.ts'
import type { BondTag } from './message.ts'
import type { Params } from './params.ts'

/** The bonds that Bitcoin holds, and which batches they cover. */

/** One bond, from the block that funded it. */
export interface Bond extends Pick<BondStake, 'bond' | 'detectors'> {
  /** Height of the block that holds both outputs: T and the epoch count from here. */
  readonly fundedAt: number
  /** All co-signers' signature for the slash, and the height from which everybody had it. */
  readonly slash?: { readonly signature: Uint8Array; readonly height: number }
  readonly end?: { readonly outcome: BondOutcome; readonly height: number; readonly txid: Uint8Array }
}

/** `funded`: both outputs are there. `counts`: everybody has what it takes to slash it. */
export type BondChange = { readonly outcome: 'funded' | 'counts' | BondOutcome; readonly outpoint: Outpoint }

export interface BondStep {
  readonly bonds: readonly Bond[]
  readonly changes: readonly BondChange[]
}

/** What a transaction spends of bonds, and the bond that it funds. */
export function readBondOutputs(
  params: Params,
  before: readonly Bond[],
  transaction: L1Transaction,
  height: number,
): BondStep {
  if (params.bond === undefined) return { bonds: before, changes: [] }
  const changes: BondChange[] = []
  const bonds = before.map((bond): Bond => {
    const outcome = bond.end === undefined ? bondOutcome(stakeOf(params, bond), transaction) : undefined
    if (outcome === undefined) return bond
    changes.push({ outcome, outpoint: bond.bond.outpoint })
    return { ...bond, end: { outcome, height, txid: transaction.txid } }
  })
  const funded = readFunding(params, transaction)
  if (funded === undefined) return changes.length === 0 ? { bonds: before, changes } : { bonds, changes }
  changes.push({ outcome: 'funded', outpoint: funded.bond.outpoint })
  return { bonds: [...bonds, { ...funded, fundedAt: height }], changes }
}

/**
 * A bond whose slash everybody can make counts from here on. The tag names none: its signature fits one bond alone.
 * @returns undefined where it fits none that waits for it
 */
export function readBondTag(
  params: Params,
  bonds: readonly Bond[],
  { signature }: BondTag,
  height: number,
): BondStep | undefined {
  const at = bonds.findIndex((bond) => isOpen(bond) && isSlashSigned(stakeOf(params, bond), 0, signature))
  const bond = bonds[at]
  if (bond === undefined) return undefined
  const counting: Bond = { ...bond, slash: { signature, height } }
  return { bonds: bonds.with(at, counting), changes: [{ outcome: 'counts', outpoint: bond.bond.outpoint }] }
}

function isOpen({ slash, end }: Bond): boolean {
  return slash === undefined && end === undefined
}

/**
 * Whether a bond stands behind a batch that is anchored at this height: one that counts since k blocks, was funded no
 * more than an epoch ago, and is still there. A network that asks for no bond has all its batches covered.
 */
export function isCovered(params: Params, bonds: readonly Bond[], height: number): boolean {
  return params.bond === undefined || bonds.some((bond) => covers(params, bond, height))
}

/** Whether this one does. */
export function covers(params: Params, bond: Bond, height: number): boolean {
  const { slash, end } = bond
  if (params.bond === undefined || slash === undefined || end !== undefined) return false
  return slash.height + params.windows.originDepth <= height && height <= bond.fundedAt + params.bond.epoch
}
