import { isDeepStrictEqual } from 'node:util'
import type { Client, RouteResponse } from '@kedge/api'
import type { RegtestNetwork } from '../network.ts'
import type { NodeProcess } from '../node-process.ts'
import type { Payer } from './crowd.ts'

/** What nodes must agree on when nothing is on its way, as their APIs tell it. */
interface View {
  readonly state: object
  readonly links: readonly object[]
  readonly evidence: readonly object[]
  readonly accounts: readonly object[]
}

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
  const expected = await viewOf(first.client, payers)
  for (const other of others) {
    const difference = findDifference(expected, await viewOf(other.client, payers))
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

async function viewOf(client: Client, payers: readonly Payer[]): Promise<View> {
  const { tip, mode, head, final, pending, rejected, synced } = await client.health()
  const accounts = await Promise.all(payers.map(({ name }) => client.account({ key: name })))
  return {
    state: { tip, mode, head, final, pending, rejected, synced },
    links: (await readLinks(client)).map(linkView),
    evidence: await readEvidence(client),
    accounts: accounts.map(({ key, balance, cells, waiting }) => ({ key, balance, cells, waiting })),
  }
}

type Link = RouteResponse<'batches'>['batches'][number]

/** What a node holds of a batch that is void, and what it once thought of it, is its own. */
function linkView(link: Link): object {
  if (link.outcome !== 'batch' || link.status !== 'void') return link
  const { number, anchor, headerHash, status, challenges } = link
  return { number, anchor, headerHash, status, challenges, void: link.void }
}

export async function readLinks(client: Client): Promise<Link[]> {
  const links: Link[] = []
  for (let before: number | undefined; ; ) {
    const page = await client.batches(before === undefined ? {} : { before })
    links.push(...page.batches)
    if (page.next === undefined) return links
    before = page.next
  }
}

async function readEvidence(client: Client): Promise<object[]> {
  type Page = RouteResponse<'evidence'>
  const found: Page['evidence'][number][] = []
  for (let before: Page['next']; ; ) {
    const page: Page = await client.evidence(before === undefined ? {} : { before })
    found.push(...page.evidence)
    if (page.next === undefined) return found
    before = page.next
  }
}

function findDifference(expected: View, found: View): string | undefined {
  for (const part of ['state', 'links', 'evidence', 'accounts'] as const) {
    if (isDeepStrictEqual(expected[part], found[part])) continue
    const [left, right] = [listOf(expected[part]), listOf(found[part])]
    const at = left.findIndex((each, index) => !isDeepStrictEqual(each, right[index]))
    return `${part}:\n${print(right[at])}\nand\n${print(left[at])}`
  }
  return undefined
}

function listOf(part: View[keyof View]): readonly unknown[] {
  return Array.isArray(part) ? part : [part]
}

function print(value: unknown): string {
  return JSON.stringify(value, (_, each: unknown) => (typeof each === 'bigint' ? String(each) : each)) ?? 'nothing'
}
