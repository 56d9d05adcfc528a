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
import { balanceOf, type Claim, creditedAmount, unpaidBelow } from '@kedge/core'
import { effects } from '@kedge/storage'
import { claimsIn } from './claims.ts'
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

/** All of what is open in the batch that a sequencer builds is in its ledger, and is owed. */
async function vaultOf(context: QueryContext): Promise<Answer<VaultView>> {
  if (await isFarBehind(context)) return refuse('syncing')
  if (!(await context.lookup.catchUp())) return overloaded(RETRY_MS)
  const line = await lineOf(context)
  const { node } = context
  // From here to the end of the ledger's reading nothing is awaited: it is one moment's.
  const { chain, facts } = node.follower
  const { totals } = node.executor.ledger
  const unpaid = unpaidBelow(chain.vault.paid, totals.withdrawals)
  const uncredited = facts.allSweptAfter(totals.depositCursor)
  const unspent = facts.unspentDeposits()
  const claims = await readClaims(context, line, unpaid)
  if (claims === undefined) return overloaded(RETRY_MS)
  const { params } = node.options
  const { assets, liabilities } = balanceOf(params, totals, chain.vault, unspent, uncredited, claims)
  const { vault } = chain
  return answer({
    height: chain.height,
    head: { txid: printHash(vault.head.txid), vout: vault.head.vout, sats: vault.value, number: vault.number },
    ...(vault.closedAt !== undefined && { closedAt: vault.closedAt }),
    balances: totals.supply - totals.owed - totals.fees,
    fees: totals.fees,
    owed: sum(claims.map(({ amount }) => amount * 1000n)),
    unpaid: unpaid.length,
    uncredited: sum(uncredited.map(({ deposit }) => creditedAmount(params, deposit))),
    unswept: sum(unspent.map(({ value }) => value * 1000n)),
    assets,
    liabilities,
  })
}

/** Undefined where one is nowhere to be found: its batch was sealed, or left, meanwhile. */
async function readClaims(context: QueryContext, line: Line, numbers: readonly number[]): Promise<Claim[] | undefined> {
  const claims: Claim[] = []
  for (const number of numbers) {
    const found = (await findClaim(context, line, number))?.claim ?? openClaim(context, number)
    if (found === undefined) return undefined
    claims.push(found)
  }
  return claims
}

/** Of the batch that is being built. */
function openClaim({ openBatch }: QueryContext, number: number): Claim | undefined {
  return openBatch?.()?.claims.find((claim) => claim.number === number)
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
  const recorded = standing && (await node.store.get(effects, standing.headerHash))
  const batch = standing && (await held.get(standing.headerHash))
  if (standing === undefined || recorded === undefined || batch === undefined) return undefined
  const found = claimsIn(batch.operations, recorded).find(({ claim }) => claim.number === number)
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
