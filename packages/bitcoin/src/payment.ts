import type { L1Output } from '@kedge/core'
import { type Built, buildFunded, type Funding } from './transaction.ts'

/** Pays to scripts, in their order, change last. @throws InsufficientFundsError */
export function buildPayment(outputs: readonly L1Output[], funding: Funding): Built {
  return buildFunded([], outputs, funding)
}
