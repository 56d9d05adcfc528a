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
import { balanceOf, type Claim, creditedAmount, isPaid, unpaidBelow } from '@kedge/core'
import { placeClaims } from './claims.ts'
import type { Line, Standing } from './line.ts'
import { isFarBehind, lineOf, type QueryContext, RETRY_MS } from './query-context.ts'
import type { Responders } from './serve.ts'
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
  // What the batch holds that a sequencer builds is in its ledger, and owed.
  const claims = [...executor.claims.all, ...(context.openBatch?.()?.claims ?? [])]
  const unpaid = claims.filter(({ number }) => !isPaid(vault.paid, number))
  const uncredited = follower.facts.allSweptAfter(totals.depositCursor)
  const unspent = follower.facts.unspentDeposits()
  const { assets, liabilities } = balanceOf(params, totals, vault, unspent, uncredited, claims)
  return answer({
    height,
    head: { txid: printHash(vault.head.txid), vout: vault.head.vout, sats: vault.value, number: vault.number },
    ...(vault.closedAt !== undefined && { closedAt: vault.closedAt }),
    balances: totals.supply - totals.owed - totals.fees,
    fees: totals.fees,
    owed: sum(unpaid.map(({ amount }) => amount * 1000n)),
    unpaid: unpaid.length,
    uncredited: sum(uncredited.map(({ deposit }) => creditedAmount(params, deposit))),
    unswept: sum(unspent.map(({ value }) => value * 1000n)),
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
  const unpaid = unpaidBelow(follower.chain.vault.paid, executor.ledger.totals.withdrawals)
  const behind = after === undefined ? unpaid : unpaid.filter((number) => number > after)
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

function sum(amounts: readonly bigint[]): bigint {
  return amounts.reduce((total, amount) => total + amount, 0n)
}
