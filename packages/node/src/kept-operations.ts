import { decodeHeader, joinRuns } from '@kedge/core'
import { DamagedError, groupings, groups, headers, operations, type Store } from '@kedge/storage'

/** A batch's operations from this disk, as one whole part: as they came, or from where its sequencer accepted them. */
export async function keptOperations(store: Store, headerHash: Uint8Array): Promise<Uint8Array | undefined> {
  return (await store.get(operations, headerHash)) ?? (await joinGroups(store, headerHash))
}

async function joinGroups(store: Store, headerHash: Uint8Array): Promise<Uint8Array | undefined> {
  const grouping = await store.get(groupings, headerHash)
  if (grouping === undefined) return undefined
  const headerBytes = await store.get(headers, headerHash)
  const header = headerBytes && decodeHeader(headerBytes)
  const runs: Uint8Array[] = []
  for await (const [, run] of store.range(groups, grouping)) runs.push(run)
  if (headerBytes === undefined || header === undefined || runs.length !== grouping.to - grouping.from)
    throw new DamagedError('a batch that was sealed here lacks its header or operations')
  return joinRuns(headerBytes, header.opCount, runs)
}
