import {
  type Anchor,
  type BatchPlace,
  type BuiltHeader,
  batchAnchor,
  buildHeader,
  type DataKind,
  encodeWhole,
  type Ledger,
  type Receipt,
  type SealedBatch,
  type SlotFields,
} from '@kedge/core'
import type { NodeParts } from '@kedge/node'
import { operations, type Write } from '@kedge/storage'
import { delGroups, sealGroups } from './journal.ts'
import type { Ticks } from './ticks.ts'

/** What a lying sequencer of the test network does to what it commits to and serves. */
export interface Tamper {
  seal(sealed: SealedBatch, ledger: Ledger, place: BatchPlace, slots: SlotFields): SealedBatch
  /** Whether it shows a batch's data to peers that ask, or on Bitcoin where it was challenged. */
  mayServe(headerHash: Uint8Array, kind: 'header' | DataKind, where: 'peers' | 'bitcoin'): boolean
  /** What a payer is told instead of what was promised. */
  promise(honest: Receipt, operation: Uint8Array): Receipt
  /** Whether it takes nothing of the owner of this key. */
  ignores(payer: Uint8Array): boolean
}

/** A batch that is ready to be committed to. */
export interface Sealing {
  readonly anchor: Anchor
  readonly built: BuiltHeader
  /** What the ledger went through. */
  readonly honest: SealedBatch
  /** Its data, and what becomes of its groups, to go into one commit with the anchor's intent. */
  readonly writes: readonly Write[]
}

/**
 * Everything accepted is on disk and promised, while its steps are hashed. The ledger stands after the batch from here on:
 * unless the writes reach the disk, memory is ahead of it.
 */
export async function sealBatch(
  open: Ticks,
  { executor }: Pick<NodeParts, 'executor'>,
  tamper: Tamper | undefined,
  fields: Promise<SlotFields>,
): Promise<Sealing> {
  const [honest] = await Promise.all([open.batch.seal(fields), open.finish()])
  const { place } = open.batch
  const sealed = tamper === undefined ? honest : tampered(tamper, honest, executor.ledger, place, await fields)
  const built = { header: sealed.header, bytes: sealed.bytes, hash: sealed.hash }
  const isInGroups = tamper === undefined && open.areGroupsWhole
  return {
    anchor: batchAnchor(built.header, built.hash),
    built,
    honest,
    writes: executor.writesOf(built.hash, built.bytes, sealed, {
      operations: isInGroups ? sealGroups(built.hash, open.groups) : rewriteGroups(built, sealed, open.groups),
      steps: encodeWhole('steps', { ...sealed, headerBytes: built.bytes }),
    }),
  }
}

/** A batch's operations in one piece, instead of the groups in which they were accepted. */
export function rewriteGroups(
  { hash, bytes }: Pick<BuiltHeader, 'hash' | 'bytes'>,
  sealed: SealedBatch,
  groups: readonly number[],
): Write[] {
  return [operations.put(hash, encodeWhole('data', { ...sealed, headerBytes: bytes })), ...delGroups(groups)]
}

function tampered(
  tamper: Tamper,
  honest: SealedBatch,
  ledger: Ledger,
  place: BatchPlace,
  slots: SlotFields,
): SealedBatch & BuiltHeader {
  const sealed = tamper.seal(honest, ledger, place, slots)
  return { ...sealed, ...buildHeader(place, sealed, slots) }
}

export class SealError extends Error {
  override readonly name = 'SealError'

  constructor(number: number, { cause }: { cause: unknown }) {
    super(`batch ${number} was sealed and could not be written to disk`, { cause })
  }
}
