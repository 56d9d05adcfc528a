import { type Answer, answer, overloaded, type Place, type WithdrawalStatus } from '@kedge/api'
import { printHash } from '@kedge/bitcoin'
import {
  decodeOperation,
  type ForcedEntry,
  finalHeight,
  findInLine,
  fromHex,
  isPaid,
  payableAt,
  signedMessage,
  toHex,
  type Withdrawal,
} from '@kedge/core'
import { payouts } from '@kedge/storage'
import { absentView } from './absent.ts'
import { placeClaims } from './claims.ts'
import { findCarrier } from './forced-queries.ts'
import type { Line, Standing } from './line.ts'
import { acknowledgementOf } from './payment-queries.ts'
import { lineOf, type QueryContext, RETRY_MS } from './query-context.ts'
import type { Responders } from './serve.ts'

export function withdrawalQueries(context: QueryContext): Pick<Responders, 'withdrawal'> {
  return { withdrawal: ({ id }) => withdrawalOf(context, id) }
}

async function withdrawalOf(context: QueryContext, id: string): Promise<Answer<WithdrawalStatus>> {
  const taken = await context.intake.find(fromHex(id))
  if (!(await context.lookup.catchUp())) return overloaded(RETRY_MS)
  const line = await lineOf(context)
  for (const place of await context.lookup.findSigned(line, fromHex(id))) {
    const standing = line.at(place.batch)
    const operation = standing && (await operationAt(context, standing, place.index))
    const withdrawal = operation && withdrawalIn(context, id, operation)
    if (standing !== undefined && withdrawal !== undefined)
      return answer({ ...(await standingView(context, id, place, standing, withdrawal)), ...acknowledgementOf(taken) })
  }
  const withdrawal = taken && withdrawalIn(context, id, taken.operation)
  if (taken?.isPending) return answer({ rung: 'pending', id })
  if (taken !== undefined && withdrawal !== undefined) {
    const place = { batch: taken.number, index: taken.index }
    return answer({ rung: 'sequenced', id, ...place, ...termsOf(withdrawal), ...acknowledgementOf(taken) })
  }
  return (await forcedView(context, line, id)) ?? absentView(context, line, id)
}

async function operationAt({ held }: QueryContext, { headerHash }: Standing, index: number) {
  return (await held.get(headerHash))?.operations[index]
}

/** The withdrawal with this id, where these bytes are it. */
function withdrawalIn({ node }: QueryContext, id: string, bytes: Uint8Array): Withdrawal | undefined {
  const operation = decodeOperation(bytes)
  if (operation?.kind !== 'withdrawal') return undefined
  return toHex(signedMessage(node.network, operation)) === id ? operation : undefined
}

export function termsOf({ amount, payoutFee, script }: Pick<Withdrawal, 'amount' | 'payoutFee' | 'script'>) {
  return { amount, payoutFee, script: toHex(script) }
}

async function standingView(
  context: QueryContext,
  id: string,
  place: Place,
  standing: Standing,
  withdrawal: Withdrawal,
): Promise<WithdrawalStatus> {
  const { store, follower } = context.node
  const view = { id, ...place, ...termsOf(withdrawal) }
  const operations = (await context.held.get(standing.headerHash))?.operations ?? []
  const placed = await placeClaims(store, standing, operations)
  const number = placed.find(({ index }) => index === place.index)?.claim.number
  if (number === undefined) return { rung: standing.rung, ...view }
  const depth = 'link' in standing ? { depth: follower.chain.height - standing.link.height + 1 } : {}
  const due = dueOf(context, standing)
  const claimed = { ...view, claim: number, ...depth, ...(due.payableAt !== undefined && { payableAt: due.payableAt }) }
  const payout = isPaid(follower.chain.vault.paid, number) ? await store.get(payouts, number) : undefined
  if (payout === undefined) return { rung: due.rung, ...claimed }
  return { rung: 'paid', ...claimed, payout: { txid: printHash(payout.txid), height: payout.height } }
}

/** How far an unpaid claim of a batch has come, and from when on it is paid: if nothing else happens, while it is not final. */
export function dueOf(
  { node }: QueryContext,
  standing: Standing,
): { readonly rung: 'sequenced' | 'anchored' | 'final' | 'payable'; readonly payableAt?: number } {
  const { chain, court } = node.follower
  if (!('link' in standing)) return { rung: 'sequenced' }
  const { finalAt } = standing.link
  if (finalAt === undefined) {
    const batch = findInLine(chain, standing.headerHash)
    return batch === undefined
      ? { rung: 'anchored' }
      : { rung: 'anchored', payableAt: payableAt(court.params, finalHeight(court.params, batch)) }
  }
  const from = payableAt(court.params, finalAt)
  return { rung: chain.height >= from ? 'payable' : 'final', payableAt: from }
}

/** Where it was forced on Bitcoin: carried by a batch, or waiting for one. */
async function forcedView(
  context: QueryContext,
  line: Line,
  id: string,
): Promise<Answer<WithdrawalStatus> | undefined> {
  const entries = context.forced.of(id).filter(({ operation }) => operation.kind === 'withdrawal')
  let isUsedUp = false
  for (const entry of entries) {
    const carried = await findCarrier(context, line, entry)
    if (carried === undefined) return answer({ rung: 'pending', id })
    isUsedUp ||= carried.effect === 'none'
    if (carried.effect === 'none') continue
    const withdrawal = entry.operation as Withdrawal
    if ('carriedAt' in carried) return exitView(context, id, entry, withdrawal)
    const { carriedIn: place } = carried
    const standing = line.at(place.batch)
    const forced = { forced: true } as const
    if (standing === undefined) return answer({ rung: 'sequenced', id, ...place, ...termsOf(withdrawal), ...forced })
    return answer({ ...(await standingView(context, id, place, standing, withdrawal)), ...forced })
  }
  return isUsedUp ? answer({ rung: 'refused', id, reason: 'forced-without-effect' }) : undefined
}

async function exitView(
  { node }: QueryContext,
  id: string,
  { position }: ForcedEntry,
  withdrawal: Withdrawal,
): Promise<Answer<WithdrawalStatus>> {
  const { store, follower, executor, options } = node
  const { height, claim } = executor.exitEntry(position) ?? {}
  // It left the chain since it was looked for.
  if (height === undefined || claim === undefined) return overloaded(RETRY_MS)
  const view = { id, height, ...termsOf(withdrawal), claim, payableAt: payableAt(options.params, height) }
  const payout = isPaid(follower.chain.vault.paid, claim) ? await store.get(payouts, claim) : undefined
  return answer({
    rung: 'exit',
    ...view,
    ...(payout && { payout: { txid: printHash(payout.txid), height: payout.height } }),
  })
}
