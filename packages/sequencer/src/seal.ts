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
import type { Write } from '@kedge/storage'
import type { OpenBatch } from './open-batch.ts'

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
  /** Its data, to go into one commit with the anchor's intent. */
  readonly writes: readonly Write[]
}

/** The ledger stands after the batch from here on: unless the writes reach the disk, memory is ahead of it. */
export async function sealBatch(
  open: OpenBatch,
  { executor }: Pick<NodeParts, 'executor'>,
  tamper: Tamper | undefined,
  fields: Promise<SlotFields>,
): Promise<Sealing> {
  const honest = await open.seal(fields)
  const sealed = tamper === undefined ? honest : tampered(tamper, honest, executor.ledger, open.place, await fields)
  const built = { header: sealed.header, bytes: sealed.bytes, hash: sealed.hash }
  const wholes = {
    data: encodeWhole('data', { ...sealed, headerBytes: built.bytes }),
    steps: encodeWhole('steps', { ...sealed, headerBytes: built.bytes }),
  }
  return {
    anchor: batchAnchor(built.header, built.hash),
    built,
    honest,
    writes: executor.writesOf(built.hash, built.bytes, sealed, wholes),
  }
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
