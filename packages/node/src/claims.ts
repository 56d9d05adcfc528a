import { type Claim, decodeOperation, FORCED_KIND, WITHDRAWAL_KIND } from '@kedge/core'
import type { EffectsRecord } from '@kedge/storage'

/** A claim with the index of its withdrawal in the batch. */
export interface PlacedClaim {
  readonly claim: Claim
  readonly index: number
}

/** The claims of a batch, in order: those of its withdrawals, be they forced, that were not refused. */
export function claimsIn(operations: readonly Uint8Array[], { claims, idle }: EffectsRecord): PlacedClaim[] {
  const placed: PlacedClaim[] = []
  for (const [index, bytes] of operations.entries()) {
    const claim = claims[placed.length]
    if (claim === undefined) break
    if (!idle.includes(index) && isWithdrawal(bytes)) placed.push({ claim, index })
  }
  return placed
}

function isWithdrawal(bytes: Uint8Array): boolean {
  if (bytes[0] !== FORCED_KIND) return bytes[0] === WITHDRAWAL_KIND
  const operation = decodeOperation(bytes)
  return operation?.kind === 'forced' && operation.operation.kind === 'withdrawal'
}
