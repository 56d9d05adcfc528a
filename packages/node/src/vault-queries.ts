import {
  type Answer,
  answer,
  type Claims,
  overloaded,
  PAGE_LIMIT,
  type RouteRequest,
  refuse,
  type VaultView,
} from '@kedge/api'
import { printHash } from '@kedge/bitcoin'
import { balanceOf, type Claim, creditedTotal, isPaid, unpaidBelow } from '@kedge/core'
import { placeClaims } from './claims.ts'
import type { Line, Standing } from './line.ts'
import { isFarBehind, lineOf, type QueryContext, RETRY_MS } from './query-context.ts'
import type { Responders } from './serve.ts'
import { sumsOf } from './solvency.ts'
import { dueOf, termsOf } from './withdrawal-queries.ts'

export function vaultQueries(context: QueryContext): Pick<Responders, 'vault' | 'claims'> {
  return {
    vault: () => vaultOf(context),
    claims: (request) => claimsOf(context, request),
  }
}

/** One moment's: nothing is awaited once it is known that the node may answer. */
async function vaultOf(context: QueryContext): Promise<Answer<VaultView>> {
  if (await isFarBehind(context)) return refuse('syncing')
  const { follower, executor, options } = context.node
  const { params } = options
  const { vault, height } = follower.chain
  const { totals } = executor.ledger
  const sums = sumsOf(follower, executor)
  const { unpaid } = executor.claims.sum(vault.paid)
  // What the batch holds that a sequencer builds is in its ledger, and owed.
  const building = context.openBatch?.()?.claims ?? []
  const open = building.filter(({ number }) => !isPaid(vault.paid, number))
  const paid = sums.paid + sum(building) - sum(open)
  const { assets, liabilities } = balanceOf(params, totals, vault, { ...sums, paid })
  return answer({
    height,
    head: { txid: printHash(vault.head.txid), vout: vault.head.vout, sats: vault.value, number: vault.number },
    ...(vault.closedAt !== undefined && { closedAt: vault.closedAt }),
    balances: totals.supply - totals.owed - totals.fees,
    fees: totals.fees,
    owed: (unpaid.value + sum(open)) * 1000n,
    unpaid: unpaid.count + open.length,
    uncredited: creditedTotal(params, sums.uncredited),
    unswept: sums.unspent * 1000n,
    assets,
    liabilities,
  })
}

interface FoundClaim {
  readonly claim: Claim
  readonly index: number
  readonly standing: Standing
}

async function findClaim(
  { lookup, held, node }: QueryContext,
  line: Line,
  number: number,
): Promise<FoundClaim | undefined> {
  const place = await lookup.findClaim(line, number)
  const standing = place && line.at(place.batch)
  const batch = standing && (await held.get(standing.headerHash))
  if (standing === undefined || batch === undefined) return undefined
  const placed = await placeClaims(node.store, standing, batch.operations)
  const found = placed.find(({ claim }) => claim.number === number)
  return found && { ...found, standing }
}

/** Those of the open batch have no place yet, and are left out. */
async function claimsOf(
  context: QueryContext,
  { after, limit = PAGE_LIMIT }: RouteRequest<'claims'>,
): Promise<Answer<Claims>> {
  if (!(await context.lookup.catchUp())) return overloaded(RETRY_MS)
  const line = await lineOf(context)
  const { follower, executor } = context.node
  const { paid } = follower.chain.vault
  const from = after === undefined ? 0 : after + 1
  const behind = unpaidBelow(paid, executor.ledger.totals.withdrawals, from, limit + 1)
  const claims: Claims['claims'] = []
  for (const number of behind.slice(0, limit)) {
    const found = await findClaim(context, line, number)
    if (found === undefined) continue
    const { claim, index, standing } = found
    claims.push({ number, ...termsOf(claim), batch: standing.number, index, ...dueOf(context, standing) })
  }
  const next = behind.length > limit ? behind[limit - 1] : undefined
  return answer({ claims, ...(next !== undefined && { next }) })
}

/** Satoshis. */
function sum(claims: readonly Claim[]): bigint {
  return claims.reduce((total, { amount }) => total + amount, 0n)
}
