import {
  type Account,
  type Answer,
  answer,
  type Deposit as DepositView,
  overloaded,
  PAGE_LIMIT,
  PAGE_LIMIT_MAX,
  type Place,
  type RouteRequest,
  type RouteResponse,
  refuse,
} from '@kedge/api'
import { printHash } from '@kedge/bitcoin'
import { comparePositions, type Deposit, fromHex, outpointOf } from '@kedge/core'
import { historyOf } from './history.ts'
import type { Line } from './line.ts'
import { isFarBehind, lineOf, type QueryContext, RETRY_MS } from './query-context.ts'
import type { Responders } from './serve.ts'

/** The most cells that an answer holds. Whoever pays for them can give a key more; its oldest are its own. */
const CELLS_MAX = 1000

export function accountQueries(context: QueryContext): Pick<Responders, 'account' | 'accountHistory' | 'deposits'> {
  return {
    account: async ({ key }) => ((await isFarBehind(context)) ? refuse('syncing') : answer(accountOf(context, key))),
    accountHistory: async (request) => ((await isFarBehind(context)) ? refuse('syncing') : historyOf(context, request)),
    deposits: (request) => depositsOf(context, request),
  }
}

/** Reads the ledger at one moment: nothing is awaited. */
function accountOf({ node, role, deposits }: QueryContext, key: string): Account {
  const { ledger, owners } = node.executor
  const { chain } = node.follower
  const cells = owners
    .findAll(fromHex(key))
    .slice(0, CELLS_MAX)
    .map((cell) => {
      const { nonce, balance } = ledger.tree.account(cell)
      return { cell, nonce, balance }
    })
  const waiting = deposits.of(key).filter((deposit) => isWaiting(node, deposit))
  return {
    key,
    balance: cells.reduce((sum, { balance }) => sum + balance, 0n),
    cells,
    rung: role === 'sequencer' && chain.mode !== 'closed' ? 'sequenced' : 'anchored',
    waiting: waiting.slice(0, PAGE_LIMIT_MAX).map((deposit) => depositView(node, key, deposit)),
  }
}

async function depositsOf(
  context: QueryContext,
  { key, before, limit = PAGE_LIMIT }: RouteRequest<'deposits'>,
): Promise<Answer<RouteResponse<'deposits'>>> {
  const { node, deposits, lookup } = context
  const all = deposits.of(key)
  const end =
    before === undefined ? all.length : all.findLastIndex(({ position }) => comparePositions(position, before) < 0) + 1
  const page = all.slice(Math.max(0, end - limit), end).reverse()
  if (page.length === 0) return answer({ deposits: [] })
  if (!(await lookup.catchUp())) return overloaded(RETRY_MS)
  const line = await lineOf(context)
  const views = await Promise.all(
    page.map(async (deposit) => {
      const creditedIn = await findCredit(context, line, deposit)
      const view = depositView(node, key, deposit)
      return creditedIn === undefined ? view : { ...view, creditedIn }
    }),
  )
  const oldest = page.at(-1)
  return answer({ deposits: views, ...(end > limit && oldest && { next: oldest.position }) })
}

/** What is behind the ledger's cursor isn't credited, whatever rows of lines that were left say. */
function findCredit(
  context: QueryContext,
  line: Line,
  deposit: Deposit,
): Promise<Place | undefined> | Place | undefined {
  const { node, lookup, openLookup, openBatch } = context
  const position = node.follower.facts.sweepOf(deposit)
  if (position === undefined || comparePositions(position, node.executor.ledger.totals.depositCursor) > 0)
    return undefined
  const open = openBatch?.()
  const index = open && openLookup.findCredit(open, position)
  if (open !== undefined && index !== undefined) return { batch: open.place.number, index }
  return lookup.findCredit(line, position)
}

/** It is there, and not credited yet: to be swept, or swept behind the ledger's cursor. */
function isWaiting({ follower, executor }: QueryContext['node'], deposit: Deposit): boolean {
  const swept = follower.facts.sweepOf(deposit)
  return swept === undefined
    ? follower.facts.depositAt(outpointOf(deposit)) !== undefined
    : comparePositions(swept, executor.ledger.totals.depositCursor) > 0
}

function depositView({ options, follower }: QueryContext['node'], key: string, deposit: Deposit): DepositView {
  const { originDepth, refund } = options.params.windows
  const { position, txid, value } = deposit
  const swept = follower.facts.sweepOf(deposit)
  const refunded = swept === undefined && follower.facts.depositAt(outpointOf(deposit)) === undefined
  return {
    ...{ position, txid: printHash(txid), vout: position.index, key, sats: value },
    ...(swept !== undefined && { dueAt: swept.height + originDepth }),
    refundableAt: position.height + refund,
    ...(refunded && { refunded }),
  }
}
