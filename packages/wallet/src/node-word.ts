import { ApiError, type Payment, type WithdrawalStatus } from '@kedge/api'
import type { Wallet } from './wallet.ts'

/**
 * What the node says of something that the wallet signed; one that a batch carried because it was forced has no receipt
 * and no proof. Undefined where the node knows nothing of it.
 * @throws ApiError
 */
export async function askNode(
  { client }: Wallet,
  id: string,
  kind: 'transfer' | 'withdrawal',
): Promise<NodeWord | undefined> {
  if (kind === 'withdrawal') return orNothing(() => client.withdrawal({ id }))
  return (await orNothing(() => client.payment({ id }))) ?? (await readForced(client, id))
}

export type NodeWord = Payment | WithdrawalStatus | ForcedPayment

/** A payment that was forced, as far as it is known by that alone. */
type ForcedPayment =
  | { readonly rung: 'pending'; readonly id: string }
  | { readonly rung: 'refused'; readonly id: string; readonly reason: 'forced-without-effect' }
  /** A block carried it by itself, as the chain of batches has ended. */
  | { readonly rung: 'exit'; readonly id: string; readonly forced: true }
  | {
      readonly rung: 'sequenced' | 'anchored' | 'final'
      readonly id: string
      readonly forced: true
      readonly batch: number
      readonly index: number
    }

async function readForced(client: Wallet['client'], id: string): Promise<ForcedPayment | undefined> {
  const { forced } = await client.forced({ id })
  const executed = forced.find(({ effect }) => effect === 'executed')
  if (executed?.carriedIn !== undefined && executed.rung !== 'waiting')
    return { rung: executed.rung, id, forced: true, ...executed.carriedIn }
  if (executed?.carriedAt !== undefined) return { rung: 'exit', id, forced: true }
  if (forced.some(({ rung }) => rung === 'waiting')) return { rung: 'pending', id }
  return forced.length === 0 ? undefined : { rung: 'refused', id, reason: 'forced-without-effect' }
}

/** Whether the chain of batches has ended for good, as the node says: nothing comes into a batch any more. @throws ApiError */
export async function hasEnded({ client }: Wallet): Promise<boolean> {
  return (await client.health()).exit !== undefined
}

/** Undefined where the node knows of no such thing. @throws ApiError */
export async function orNothing<T>(ask: () => Promise<T>): Promise<T | undefined> {
  try {
    return await ask()
  } catch (error) {
    if (error instanceof ApiError && error.code === 'not-found') return undefined
    throw error
  }
}
