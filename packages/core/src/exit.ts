import { type BatchContext, BatchExecution, type SealedBatch } from './batch.ts'
import type { Chain } from './chain.ts'
import type { DutyLimits } from './duty.ts'
import type { Ledger } from './ledger.ts'

/**
 * Exit mode: the chain of batches has ended, and Bitcoin alone moves the ledger on. Each block is then a step of its
 * own: what is due is executed without caps and without waiting, and collected fees go to their owner. So every cell's
 * owner gets out by a forced withdrawal, and whoever derives the chain comes to the same claims.
 */
const EXIT_LIMITS: DutyLimits = { deposits: Number.POSITIVE_INFINITY, forced: Number.POSITIVE_INFINITY, forcedDepth: 0 }

/** Whether the chain has ended and nothing can change its last batch any more: from that block on, each is a step. */
export function isExit(chain: Chain): boolean {
  return chain.mode === 'closed' && chain.line.length === 0
}

/**
 * The step of one block, which is the context's origin. The ledger stands after the steps before it, first after the
 * last final batch.
 * @param cellOf the lowest-numbered cell of a key
 */
export function executeExit(
  context: BatchContext,
  ledger: Ledger,
  cellOf: (key: Uint8Array) => number | undefined,
): SealedBatch {
  const execution = new BatchExecution(context, ledger, EXIT_LIMITS)
  execution.addDue(cellOf)
  const { fees } = context.params.keys
  const amount = ledger.totals.fees
  const cell = cellOf(fees)
  if (amount > (cell === undefined ? context.params.fees.cell : 0n))
    execution.add({ kind: 'collect', cell: cell ?? ledger.totals.count, amount })
  return execution.seal()
}
