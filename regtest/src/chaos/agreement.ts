import type { RegtestNetwork } from '../network.ts'
import type { NodeProcess } from '../node-process.ts'
import { findDifference, toldBy } from '../told.ts'
import type { Payer } from './crowd.ts'

/** A late joiner has so long: it asks its peers for every batch there ever was, and they answer at a bounded rate. */
const JOIN_MS = 90_000

/** Nodes that stood still move on once more when a deposit is swept meanwhile: the sequencer credits it before the others. */
const AGREE_MS = 60_000

/** Compares every running node with the first, until nothing differs. @throws Error with the first thing that does */
export async function expectAgreement(network: RegtestNetwork, payers: readonly Payer[]): Promise<void> {
  await network.waitFor({ until: 'all nodes say the same', withinMs: AGREE_MS }, async (note) => {
    const difference = await findDisagreement(network, payers)
    if (difference === undefined) return true
    note(difference)
    await network.mine()
    return undefined
  })
}

async function findDisagreement({ running }: RegtestNetwork, payers: readonly Payer[]): Promise<string | undefined> {
  const [first, ...others] = running
  if (first === undefined) throw new Error('no node runs')
  const keys = payers.map(({ name }) => name)
  const expected = await toldBy(first.client, keys)
  for (const other of others) {
    const difference = findDifference(expected, await toldBy(other.client, keys))
    if (difference !== undefined) return `${other.name} differs from ${first.name} in ${difference}`
  }
  return undefined
}

/** Starts a challenger with an empty disk, waits until it has caught up, compares it with all, and kills it. */
export async function joinLate(network: RegtestNetwork, payers: readonly Payer[], name: string): Promise<NodeProcess> {
  const late = await network.addChallenger(name)
  await late.start()
  await network.waitFor({ until: `${name} has caught up`, withinMs: JOIN_MS }, async (note) => {
    const [own, theirs] = await Promise.all([late.client.health(), network.sequencer.client.health()])
    note(`at height ${own.tip.height} of ${theirs.tip.height}, ${own.synced ? 'synced' : 'not synced'}`)
    return own.synced && own.head.hash === theirs.head.hash && own.tip.blockHash === theirs.tip.blockHash
      ? true
      : undefined
  })
  await expectAgreement(network, payers)
  return late
}
