import { type Claim, decodeOperation, FORCED_KIND, WITHDRAWAL_KIND } from '@kedge/core'
import { idles, type Store } from '@kedge/storage'
import { readClaims } from './claim-index.ts'
import type { Head } from './snapshot.ts'

/** A claim with the index of its withdrawal in the batch. */
export interface PlacedClaim {
  readonly claim: Claim
  readonly index: number
}

/** The claims of a batch that this node has executed, in order: those of its withdrawals, be they forced, that stood. */
export async function placeClaims(store: Store, head: Head, operations: readonly Uint8Array[]): Promise<PlacedClaim[]> {
  const claims = await readClaims(store, head)
  return claims.length === 0 ? [] : placeAmong(operations, claims, await readIdle(store, head.headerHash))
}

/** @param idle indices of forced operations that changed nothing */
export function placeAmong(
  operations: readonly Uint8Array[],
  claims: readonly Claim[],
  idle: readonly number[],
): PlacedClaim[] {
  const placed: PlacedClaim[] = []
  for (let index = 0; index < operations.length && placed.length < claims.length; index++) {
    if (!idle.includes(index) && isWithdrawal(operations[index] as Uint8Array))
      placed.push({ claim: claims[placed.length] as Claim, index })
  }
  return placed
}

/** Indices of forced operations of a batch that changed nothing. */
export async function readIdle(store: Store, headerHash: Uint8Array): Promise<readonly number[]> {
  return (await store.get(idles, headerHash)) ?? []
}

function isWithdrawal(bytes: Uint8Array): boolean {
  if (bytes[0] !== FORCED_KIND) return bytes[0] === WITHDRAWAL_KIND
  const operation = decodeOperation(bytes)
  return operation?.kind === 'forced' && operation.operation.kind === 'withdrawal'
}
