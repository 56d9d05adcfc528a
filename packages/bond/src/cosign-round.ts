import { bondKey, concatBytes, cosignersOf, equalBytes, taggedHash, Writer } from '@kedge/core'
import type { XOnlyKey } from './key.ts'
import { isPublicNonce, type Nonces, openNonces, openSigning, type Signing, signPartial } from './musig.ts'
import { bondSighash, isCosigned, type PlannedSpend, plannedSpends, type Stage } from './planned.ts'
import type { BondTerms } from './terms.ts'

/** One co-signer's part in one session: the same for who leads and who follows. */
export interface Round {
  readonly session: Uint8Array
  readonly terms: BondTerms
  readonly stage: Stage
  readonly spends: readonly PlannedSpend[]
  readonly cosigners: readonly Uint8Array[]
  /** This co-signer's own, one for each spend. Their secrets are erased when they sign, and when the round is left. */
  readonly own: readonly Nonces[]
}

/** @param random 32 bytes that never come again */
export function openRound(
  key: XOnlyKey,
  session: Uint8Array,
  terms: BondTerms,
  stage: Stage,
  random: Uint8Array,
): Round {
  const cosigners = cosignersOf(terms.keys)
  const spends = plannedSpends(terms, stage)
  const own = spends.map((spend, at) => {
    const seed = taggedHash('kedge/bond-nonce', concatBytes(random, new Writer(4).u32(at).bytes))
    return openNonces(key, bondKey(terms.keys), bondSighash(spend), seed)
  })
  return { session, terms, stage, spends, cosigners, own }
}

export function shownNonces({ own }: Round): Uint8Array[] {
  return own.map((nonces) => nonces.public)
}

export function placeOf({ cosigners }: Round, key: Uint8Array): number {
  return cosigners.findIndex((cosigner) => equalBytes(cosigner, key))
}

/** Whether a co-signer's nonces have the form they must have. */
export function areNonces({ spends }: Round, nonces: readonly Uint8Array[]): boolean {
  return nonces.length === spends.length && nonces.every(isPublicNonce)
}

/** Whether all nonces are there, and this co-signer's own among them are those of the round. */
export function isComplete(round: Round, key: Uint8Array, all: readonly (readonly Uint8Array[])[]): boolean {
  const sent = all[placeOf(round, key)] ?? []
  if (all.length !== round.cosigners.length || !all.every((nonces) => areNonces(round, nonces))) return false
  return shownNonces(round).every((nonce, at) => equalBytes(nonce, sent[at] as Uint8Array))
}

/** Of each spend what is being signed. @param all for each co-signer its nonces, checked by `isComplete` */
export function signingsOf({ terms, spends, cosigners }: Round, all: readonly (readonly Uint8Array[])[]): Signing[] {
  return spends.map((spend, at) =>
    openSigning(
      cosigners,
      bondKey(terms.keys),
      bondSighash(spend),
      all.map((nonces) => nonces[at] as Uint8Array),
    ),
  )
}

/** This co-signer's share of each signature. The round's nonces are used up by it. @throws Error the second time */
export function signRound({ own }: Round, key: XOnlyKey, signings: readonly Signing[]): Uint8Array[] {
  return signings.map((signing, at) => signPartial(signing, own[at] as Nonces, key))
}

/** A round that is given up must never sign. */
export function eraseRound(round: Round | undefined): void {
  for (const { secret } of round?.own ?? []) secret.fill(0)
}

/** Whether all co-signers signed each spend of a stage. */
export function areCosigned(terms: BondTerms, stage: Stage, signatures: readonly Uint8Array[]): boolean {
  const spends = plannedSpends(terms, stage)
  return (
    signatures.length === spends.length && spends.every((spend, at) => isCosigned(spend, signatures[at] as Uint8Array))
  )
}
