import { genesisEnd, isZero, type ParentEnd, parentEndOf } from '@kedge/core'
import { headers, type Store } from '@kedge/storage'
import type { BatchData } from './data.ts'
import type { Follower } from './follow.ts'

/** A batch's parent, as the batch is judged against it and as evidence shows it. */
export interface Ancestry {
  readonly end: ParentEnd
  /** The parent's header; empty at genesis. */
  readonly parent: Uint8Array
  /** The header that fixes the table which the parent is signed in; empty where a resume does, or nobody is signed. */
  readonly grandparent: Uint8Array
}

export interface AncestryParts {
  readonly store: Store
  readonly data: BatchData
  readonly follower: Follower
}

const NONE = new Uint8Array(0)

/** @param number of the batch, whose link stands in Bitcoin; its parent was checked here */
export async function readAncestry(parts: AncestryParts, number: number, parentHash: Uint8Array): Promise<Ancestry> {
  const { links, court } = parts.follower
  if (isZero(parentHash)) return { end: genesisEnd(court.params), parent: NONE, grandparent: NONE }
  const [header, parent] = await readHeader(parts, parentHash)
  if (links.get(number - 1)?.outcome === 'resume')
    return { end: parentEndOf(header, undefined), parent, grandparent: NONE }
  const resumed = links.get(header.number - 1)?.nonceRoot
  if (resumed !== undefined) return { end: parentEndOf(header, resumed), parent, grandparent: NONE }
  const [{ nonceRoot }, grandparent] = await readHeader(parts, header.parent)
  return { end: parentEndOf(header, nonceRoot), parent, grandparent }
}

async function readHeader({ store, data }: AncestryParts, hash: Uint8Array) {
  const [header, bytes] = [await data.header(hash), await store.get(headers, hash)]
  if (header === undefined || bytes === undefined) throw new Error('the header of a batch that was checked is missing')
  return [header, bytes] as const
}
