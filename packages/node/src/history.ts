import {
  type Answer,
  answer,
  type HistoryEntry,
  overloaded,
  PAGE_LIMIT,
  type Place,
  type RouteRequest,
  type RouteResponse,
} from '@kedge/api'
import {
  type CellTree,
  decodeOperation,
  fromHex,
  isZero,
  operationId,
  type SignedOperation,
  signedMessage,
  toHex,
} from '@kedge/core'
import { readIdle } from './claims.ts'
import type { Line } from './line.ts'
import type { OpenOperations } from './open-lookup.ts'
import { lineOf, type QueryContext, RETRY_MS } from './query-context.ts'

/** Cells of one key that its history covers, the oldest ones. Wallets have one. */
const CELLS_MAX = 64

/** A page ends before the batch with which it would have read more operations than these: some 12 MB from disk. */
const OPERATIONS_PER_PAGE = 65_536

/** Operations on a key's cells, newest first: those in the open batch, then those in the batches of the line. */
export async function historyOf(
  context: QueryContext,
  { key, before, limit = PAGE_LIMIT }: RouteRequest<'accountHistory'>,
): Promise<Answer<RouteResponse<'accountHistory'>>> {
  const { node, lookup } = context
  // Before the line: a batch that is sealed meanwhile is found in both, and in neither otherwise.
  const open = context.openBatch?.()
  if (!(await lookup.catchUp())) return overloaded(RETRY_MS)
  const line = await lineOf(context)
  const cells = node.executor.owners.findAll(fromHex(key)).slice(0, CELLS_MAX)
  const places = await findPlaces(context, line, open, cells, before, limit + 1)
  const page = places.slice(0, limit)
  const read = await readEntries(context, line, open, new Set(cells), page)
  const last = page[read.places - 1]
  return answer({ entries: read.entries, ...(read.places < places.length && last && { next: last }) })
}

/** The newest places behind `before`, each once: at least `enough`, unless there are fewer. */
async function findPlaces(
  { lookup, openLookup }: QueryContext,
  line: Line,
  open: OpenOperations | undefined,
  cells: readonly number[],
  before: Place | undefined,
  enough: number,
): Promise<Place[]> {
  const found = new Map<string, Place>()
  const add = (place: Place) => found.set(`${place.batch}-${place.index}`, place)
  for (const cell of cells) {
    for (const place of await lookup.findTouches(line, cell, before, enough)) add(place)
    if (open === undefined) continue
    for (const index of openLookup.findTouches(open, cell)) add({ batch: open.place.number, index })
  }
  return [...found.values()]
    .filter((place) => before === undefined || compare(place, before) < 0)
    .sort((a, b) => compare(b, a))
}

function compare(a: Place, b: Place): number {
  return a.batch - b.batch || a.index - b.index
}

/** `places`: how many of the page are done with, as far as it is worth to read in one go. */
async function readEntries(
  context: QueryContext,
  line: Line,
  open: OpenOperations | undefined,
  cells: ReadonlySet<number>,
  page: readonly Place[],
): Promise<{ entries: HistoryEntry[]; places: number }> {
  const entries: HistoryEntry[] = []
  let left = OPERATIONS_PER_PAGE
  let [batch, operations, idle]: [number, readonly Uint8Array[], readonly number[]] = [-1, [], []]
  for (const [at, place] of page.entries()) {
    if (place.batch !== batch) {
      batch = place.batch
      operations = await readOperations(context, line, open, batch)
      idle = await idleIn(context, line, open, batch)
      left -= operations.length
      if (left < 0 && at > 0) return { entries, places: at }
    }
    const bytes = operations[place.index]
    const rung = line.at(batch)?.rung ?? 'sequenced'
    const entry = bytes && !idle.includes(place.index) ? entryOf(context, cells, bytes) : undefined
    if (entry !== undefined) entries.push({ ...entry, ...place, rung })
  }
  return { entries, places: page.length }
}

async function readOperations(
  { held }: QueryContext,
  line: Line,
  open: OpenOperations | undefined,
  batch: number,
): Promise<readonly Uint8Array[]> {
  if (open?.place.number === batch) return open.operations
  const standing = line.at(batch)
  return (standing && (await held.get(standing.headerHash)))?.operations ?? []
}

/** Forced operations of a batch that changed nothing. */
async function idleIn(
  { node }: QueryContext,
  line: Line,
  open: OpenOperations | undefined,
  batch: number,
): Promise<readonly number[]> {
  if (open?.place.number === batch) return open.idle
  const standing = line.at(batch)
  return standing === undefined ? [] : await readIdle(node.store, standing.headerHash)
}

type Entry = Omit<HistoryEntry, 'batch' | 'index' | 'rung'>

/** An operation as the owner of `cells` sees it; undefined if it touches none of them. */
function entryOf(context: QueryContext, cells: ReadonlySet<number>, bytes: Uint8Array): Entry | undefined {
  const operation = decodeOperation(bytes)
  if (operation === undefined) return undefined
  switch (operation.kind) {
    case 'transfer':
    case 'withdrawal':
      return signedEntry(context, cells, operation)
    case 'forced': {
      const entry = signedEntry(context, cells, operation.operation)
      return entry && { ...entry, forced: true }
    }
    default: {
      const { kind, amount, cell } = operation
      return cells.has(cell) ? { id: toHex(operationId(bytes)), kind, direction: 'in', amount, fee: 0n } : undefined
    }
  }
}

function signedEntry(
  { node }: QueryContext,
  cells: ReadonlySet<number>,
  operation: SignedOperation,
): Entry | undefined {
  const { kind, from, amount, fee } = operation
  const id = toHex(signedMessage(node.network, operation))
  const pays = cells.has(from)
  if (kind === 'withdrawal') return pays ? { id, kind, direction: 'out', amount: amount * 1000n, fee } : undefined
  const { to, toCell, memo } = operation
  const receives = cells.has(toCell)
  if (!pays && !receives) return undefined
  const payer = ownerOf(node.executor.ledger.tree, from)
  const counterparty = pays && receives ? undefined : pays ? to : payer
  return {
    id,
    kind,
    direction: pays && receives ? 'self' : pays ? 'out' : 'in',
    amount,
    fee,
    ...(counterparty && { counterparty: toHex(counterparty) }),
    ...(!isZero(memo) && { memo: toHex(memo) }),
  }
}

/** Undefined for a cell that was taken back while the page was read. */
function ownerOf(tree: CellTree, cell: number): Uint8Array | undefined {
  return cell < tree.count ? tree.account(cell).owner : undefined
}
