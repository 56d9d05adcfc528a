import { type BatchContext, checkBatch } from '../src/batch.ts'
import { headOf } from '../src/chain.ts'
import type { SweptDeposit } from '../src/deposit.ts'
import type { Evidence, HeaderEvidence } from '../src/evidence.ts'
import type { L1Facts } from '../src/facts.ts'
import type { ForcedEntry } from '../src/forced.ts'
import type { AnchoredLink } from '../src/header.ts'
import type { Ledger } from '../src/ledger.ts'
import { operationId } from '../src/operation.ts'
import { findFirstDifference, proveEnd, proveStep } from '../src/prove.ts'
import { factsOf } from './facts.ts'
import { type Batch, contextOf, type Rollup } from './rollup.ts'

/** What Bitcoin will say of a batch that is anchored in the next block. */
export function linkOf(rollup: Rollup, batch: Batch): AnchoredLink {
  const { number, parent, post } = batch.header
  const { link } = rollup.chain
  const { nonceRoot: parentNonceRoot } = headOf(rollup.chain)
  return {
    ...{ number, headerHash: batch.hash, post, anchorHeight: rollup.bitcoin.height + 1, parent },
    ...(link.nonceRoot && { nonceRoot: link.nonceRoot }),
    ...(parentNonceRoot && { parentNonceRoot }),
  }
}

/**
 * What one who knows everything can show against a batch; undefined where it is right. The ledger stands before the
 * batch, where it is left again.
 */
function findEvidence(context: BatchContext, ledger: Ledger, batch: Batch): Evidence | undefined {
  const checked = checkBatch(context, ledger, batch.header, batch.operations, batch.operations.map(operationId))
  if (checked.ok) {
    ledger.undo(checked.sealed.delta)
    return undefined
  }
  const different = findFirstDifference(batch.stepRoots, checked.stepRoots)
  if (different !== undefined) return proveStep(context, ledger, batch, different)
  const at = checked.fault?.at
  return typeof at === 'number' ? proveStep(context, ledger, batch, at) : proveEnd(context, ledger, batch)
}

/** The same against a batch that the rollup has just built. */
export function proveAgainst(rollup: Rollup, batch: Batch): Evidence | undefined {
  rollup.ledger.undo(batch.delta)
  const evidence = findEvidence(contextOf(rollup.facts, batch.header.origin, rollup.isSigned), rollup.ledger, batch)
  rollup.ledger.redo(batch.delta)
  return evidence
}

export function headerEvidence(batch: Batch, parent?: Batch): HeaderEvidence {
  const grandparent = batch.before?.before?.headerBytes ?? new Uint8Array(0)
  return { claim: 'header', header: batch.headerBytes, parent: parent?.headerBytes ?? new Uint8Array(0), grandparent }
}

/** Bitcoin as a liar would have it: the same blocks with other swept deposits and forced operations. */
export function factsWith(
  rollup: Rollup,
  swept: readonly SweptDeposit[],
  forced: readonly ForcedEntry[] = [],
): L1Facts {
  return factsOf(
    rollup.bitcoin.blocks.map(({ hash }) => hash),
    { swept, forced },
  )
}
