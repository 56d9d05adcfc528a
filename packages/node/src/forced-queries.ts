import {
  type Answer,
  answer,
  type Forced,
  overloaded,
  PAGE_LIMIT,
  PAGE_LIMIT_MAX,
  type Place,
  type RouteRequest,
  type RouteResponse,
} from '@kedge/api'
import { comparePositions, encodeSigned, type ForcedEntry, type Params, signedMessage, toHex } from '@kedge/core'
import { readIdle } from './claims.ts'
import type { Line } from './line.ts'
import { lineOf, type QueryContext, RETRY_MS } from './query-context.ts'
import type { Responders } from './serve.ts'

export function forcedQueries(context: QueryContext): Pick<Responders, 'forced' | 'forcedOperations'> {
  return {
    forced: ({ id }) => viewsOf(context, context.forced.of(id).slice(-PAGE_LIMIT_MAX).reverse(), undefined),
    forcedOperations: (request) => pageOf(context, request),
  }
}

function pageOf(
  context: QueryContext,
  { before, limit = PAGE_LIMIT }: RouteRequest<'forcedOperations'>,
): Promise<Answer<RouteResponse<'forcedOperations'>>> {
  const { all } = context.forced
  const end =
    before === undefined ? all.length : all.findLastIndex(({ position }) => comparePositions(position, before) < 0) + 1
  const page = all.slice(Math.max(0, end - limit), end).reverse()
  return viewsOf(context, page, end > limit ? page.at(-1)?.position : undefined)
}

async function viewsOf(
  context: QueryContext,
  entries: readonly ForcedEntry[],
  next: ForcedEntry['position'] | undefined,
): Promise<Answer<RouteResponse<'forced'>>> {
  if (entries.length === 0) return answer({ forced: [] })
  if (!(await context.lookup.catchUp())) return overloaded(RETRY_MS)
  const line = await lineOf(context)
  const forced = await Promise.all(entries.map((entry) => viewOf(context, line, entry)))
  return answer({ forced, ...(next && { next }) })
}

async function viewOf(context: QueryContext, line: Line, entry: ForcedEntry): Promise<Forced> {
  const { network, options } = context.node
  const { position, operation } = entry
  const carried = await findCarrier(context, line, entry)
  return {
    id: toHex(signedMessage(network, operation)),
    kind: operation.kind,
    operation: toHex(encodeSigned(operation)),
    position,
    ...dueBy(options.params, entry),
    ...(carried ?? { rung: 'waiting' }),
  }
}

/** From which origin on batches must carry an entry, and the last height at which one without it can be anchored and live. */
export function dueBy({ windows }: Params, { position }: ForcedEntry): Pick<Forced, 'dueFrom' | 'lastWithout'> {
  const dueFrom = position.height + windows.forced
  return { dueFrom, lastWithout: dueFrom - 1 + windows.staleness }
}

type Carrier = Pick<Forced, 'rung' | 'effect'> & ({ readonly carriedIn: Place } | { readonly carriedAt: number })

/** What carries an entry, in the ledger or on its way. */
export async function findCarrier(
  context: QueryContext,
  line: Line,
  { position }: ForcedEntry,
): Promise<Carrier | undefined> {
  const { node, lookup, openLookup, openBatch } = context
  // What is behind the ledger's cursor is in no batch, whatever rows of lines that were left say.
  if (comparePositions(position, node.executor.ledger.totals.forcedCursor) > 0) return undefined
  const exited = node.executor.exitEntry(position)
  if (exited !== undefined) return { rung: 'final', carriedAt: exited.height, effect: exited.effect }
  const open = openBatch?.()
  const index = open && openLookup.findForced(open, position)
  if (open !== undefined && index !== undefined)
    return { rung: 'sequenced', carriedIn: { batch: open.place.number, index }, effect: effectOf(open.idle, index) }
  const place = await lookup.findForced(line, position)
  const standing = place && line.at(place.batch)
  if (place === undefined || standing === undefined) return undefined
  const idle = await readIdle(node.store, standing.headerHash)
  return { rung: standing.rung, carriedIn: place, effect: effectOf(idle, place.index) }
}

function effectOf(idle: readonly number[], index: number): 'executed' | 'none' {
  return idle.includes(index) ? 'none' : 'executed'
}
