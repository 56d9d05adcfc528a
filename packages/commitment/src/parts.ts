import { MAX_PUBLICATION } from '@kedge/bitcoin'
import { type DataKind, encodeParts, type PartSource } from '@kedge/core'

/**
 * What stands in a part beside its header and leaves (spec §9): the header's and the helpers' u16, start, count, the root before
 * the first step, and a proof of two helpers at each of at most 20 levels (2^20 operations).
 */
const AROUND = 2 + 4 + 4 + 32 + 2 + 2 * 20 * 32

/** A batch's data of one kind in as few parts as reveals can carry, each of about the same size. */
export function answerParts(kind: DataKind, source: PartSource): Uint8Array[] {
  const leaves = kind === 'data' ? source.operations.length : source.stepRoots.length / 32
  const longest = Math.max(1, ...source.operations.map(({ length }) => length))
  const room = Math.floor((MAX_PUBLICATION - AROUND - source.headerBytes.length) / (kind === 'data' ? 2 + longest : 32))
  const parts = Math.max(1, Math.ceil(leaves / room))
  return encodeParts(kind, source, Math.max(1, Math.ceil(leaves / parts)))
}
