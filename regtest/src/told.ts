import { inspect, isDeepStrictEqual } from 'node:util'
import type { Client, RouteResponse } from '@kedge/api'

/** What nodes must agree on when nothing is on its way, as their APIs tell it: all of it is derived from Bitcoin. */
export interface Told {
  readonly state: object
  readonly links: readonly object[]
  readonly evidence: readonly object[]
  readonly bonds: object
  readonly vault: object
  readonly claims: readonly object[]
  readonly forced: readonly object[]
  readonly accounts: readonly object[]
  /** Those that the accounts' newest operations and what was forced name. */
  readonly withdrawals: readonly object[]
}

const PARTS = ['state', 'links', 'evidence', 'bonds', 'vault', 'claims', 'forced', 'accounts', 'withdrawals'] as const

/** Of everything that a node tells of the chain, and of these accounts (rollup keys, hex). */
export async function toldBy(client: Client, keys: readonly string[]): Promise<Told> {
  const { tip, mode, head, final, balance, exit, pending, rejected, synced } = await client.health()
  const forced = await readForced(client)
  const accounts = await Promise.all(keys.map((key) => readAccount(client, key)))
  const signed = [...accounts.flatMap(({ history }) => history), ...forced]
  const leaving = new Set(signed.filter(({ kind }) => kind === 'withdrawal').map(({ id }) => id))
  return {
    state: { tip, mode, head, final, balance, exit, pending, rejected, synced },
    links: (await readLinks(client)).map(linkView),
    evidence: await readEvidence(client),
    bonds: await client.bonds(),
    vault: await client.vault(),
    claims: await readClaims(client),
    forced,
    accounts,
    withdrawals: await Promise.all([...leaving].sort().map((id) => readWithdrawal(client, id))),
  }
}

/** The first thing that differs, in words. */
export function findDifference(expected: Told, found: Told): string | undefined {
  for (const part of PARTS) {
    if (isDeepStrictEqual(expected[part], found[part])) continue
    const [left, right] = [listOf(expected[part]), listOf(found[part])]
    const at = Math.max(
      0,
      left.findIndex((each, index) => !isDeepStrictEqual(each, right[index])),
    )
    return `${part}:\n${print(right[at])}\nand\n${print(left[at])}`
  }
  return undefined
}

function listOf(part: Told[keyof Told]): readonly unknown[] {
  return Array.isArray(part) ? part : [part]
}

function print(value: unknown): string {
  return inspect(value, { depth: null, breakLength: 120 })
}

/** Without whose view it is: a sequencer calls its own `sequenced`. */
async function readAccount(client: Client, key: string) {
  const { balance, cells, waiting } = await client.account({ key })
  const { entries } = await client.accountHistory({ key })
  const deposits = await readDeposits(client, key)
  return { key, balance, cells, waiting, deposits, history: entries }
}

/** What the sequencer signed for it is the sequencer's own. */
async function readWithdrawal(client: Client, id: string): Promise<object> {
  const view = await client.withdrawal({ id })
  return { ...view, acknowledgement: undefined }
}

type Link = RouteResponse<'batches'>['batches'][number]

/** What a node holds of a batch that is void, and what it once thought of it, is its own. */
function linkView(link: Link): object {
  if (link.outcome !== 'batch' || link.status !== 'void') return link
  const { number, anchor, headerHash, status, challenges } = link
  return { number, anchor, headerHash, status, challenges, void: link.void }
}

export function readLinks(client: Client): Promise<Link[]> {
  return readPages(
    (before?: number) => client.batches({ ...(before !== undefined && { before }) }),
    ({ batches }) => batches,
  )
}

type Position = RouteResponse<'evidence'>['next']

function readEvidence(client: Client) {
  return readPages(
    (before: Position) => client.evidence({ ...(before && { before }) }),
    ({ evidence }) => evidence,
  )
}

function readForced(client: Client) {
  return readPages(
    (before: Position) => client.forcedOperations({ ...(before && { before }) }),
    ({ forced }) => forced,
  )
}

function readDeposits(client: Client, key: string) {
  return readPages(
    (before: Position) => client.deposits({ key, ...(before && { before }) }),
    ({ deposits }) => deposits,
  )
}

function readClaims(client: Client) {
  return readPages(
    (after?: number) => client.claims({ ...(after !== undefined && { after }) }),
    ({ claims }) => claims,
  )
}

/** Of all pages, from the first on. */
async function readPages<Next, Page extends { readonly next?: Next | undefined }, Item>(
  ask: (from?: Next) => Promise<Page>,
  itemsOf: (page: Page) => readonly Item[],
): Promise<Item[]> {
  const items: Item[] = []
  for (let from: Next | undefined; ; ) {
    const page = await ask(from)
    items.push(...itemsOf(page))
    if (page.next === undefined) return items
    from = page.next
  }
}
