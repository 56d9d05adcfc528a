import { type BatchContext, BatchExecution } from './batch.ts'
import { concatBytes } from './bytes.ts'
import { batchLimits, findDue, findDutyFault } from './duty.ts'
import type { EndEvidence, Opening, StepEvidence, StepPair } from './evidence.ts'
import type { Ledger } from './ledger.ts'
import { MerkleLog, rowOf } from './merkle.ts'
import { decodeOperation, operationId, touchedCells } from './operation.ts'
import { stepLeaves } from './steps.ts'
import { encodeTotals } from './totals.ts'

/** A batch as its sequencer committed to it: bytes and step roots that hash to the header. */
export interface CommittedBatch {
  readonly headerBytes: Uint8Array
  readonly pre: Uint8Array
  readonly operations: readonly Uint8Array[]
  /** A row. */
  readonly stepRoots: Uint8Array
}

/**
 * Evidence that operation `index` can't stand or gives another root. The ledger stands at the batch's pre-state, where
 * it is left again; all steps before `index` are right.
 */
export function proveStep(context: BatchContext, ledger: Ledger, batch: CommittedBatch, index: number): StepEvidence {
  const ids = logOf(rowOf(batch.operations.map(operationId)))
  const operation = batch.operations[index] as Uint8Array
  const undo = advance(context, ledger, batch, index)
  const cells = neededCells(context, ledger, operation, index)
  const evidence: StepEvidence = {
    claim: 'step',
    header: batch.headerBytes,
    index,
    operation,
    opHelpers: ids.prove(index),
    step: pairAt(batch, index),
    opening: openingOf(ledger),
    cells: cells.filter((cell) => cell < ledger.totals.count).map((cell) => ledger.tree.bytes(cell)),
    cellHelpers: cells.length === 0 ? [] : ledger.tree.prove(cells).map((hash) => hash.slice()),
  }
  undo()
  return evidence
}

/** Evidence that the batch leaves out something due, or that its post root is not its last step's. */
export function proveEnd(context: BatchContext, ledger: Ledger, batch: CommittedBatch): EndEvidence {
  const undo = advance(context, ledger, batch, batch.operations.length)
  const last = batch.operations.length - 1
  const step = last < 0 ? { before: batch.pre, after: batch.pre, helpers: [] } : pairAt(batch, last)
  const evidence: EndEvidence = { claim: 'end', header: batch.headerBytes, step, opening: openingOf(ledger) }
  undo()
  return evidence
}

/** The first step at which committed roots part from true ones; undefined where they agree as far as both go. */
export function findFirstDifference(committed: Uint8Array, truth: Uint8Array): number | undefined {
  const end = Math.min(committed.length, truth.length)
  for (let at = 0; at < end; at++) if (committed[at] !== truth[at]) return Math.floor(at / 32)
  return undefined
}

/** Executes the first `count` operations, and gives what takes them back. */
function advance(context: BatchContext, ledger: Ledger, batch: CommittedBatch, count: number): () => void {
  const execution = new BatchExecution(context, ledger)
  for (const bytes of batch.operations.slice(0, count)) {
    const refusal = execution.addBytes(bytes)
    if (refusal !== undefined)
      throw new Error(`operation ${execution.count}, before the one to prove, is refused itself: ${refusal}`)
  }
  const { delta } = execution.seal()
  return () => ledger.undo(delta)
}

/** Cells that the judge will ask for: none where the fault shows without them. */
function neededCells(context: BatchContext, ledger: Ledger, bytes: Uint8Array, index: number): readonly number[] {
  const operation = decodeOperation(bytes)
  if (operation === undefined) return []
  const due = findDue(batchLimits(context.params), context.facts, context.origin.height, ledger.totals, index)
  return findDutyFault(context.params, due, operation) === undefined ? touchedCells(operation, ledger.totals.count) : []
}

function openingOf(ledger: Ledger): Opening {
  return { cellsRoot: ledger.tree.root().slice(), totals: encodeTotals(ledger.totals) }
}

function pairAt(batch: CommittedBatch, index: number): StepPair {
  const chain = concatBytes(batch.pre, batch.stepRoots)
  const [before, after] = [chain.slice(32 * index, 32 * index + 32), chain.slice(32 * index + 32, 32 * index + 64)]
  return {
    before,
    after,
    helpers: logOf(stepLeaves(batch.pre, batch.stepRoots))
      .prove(index)
      .map((hash) => hash.slice()),
  }
}

function logOf(leaves: Uint8Array): MerkleLog {
  const log = new MerkleLog()
  log.append(leaves)
  return log
}
