import type { Balance, VaultView } from '@kedge/core'
import { type NodeParts, solvencyOf } from '@kedge/node'

/** What a node knows of the vault, or why it can't tell. */
export type Seen =
  | { readonly ok: true; readonly view: VaultView; readonly balance: Balance }
  | { readonly ok: false; readonly reason: 'behind' | 'short' }

type ViewedNode = Pick<NodeParts, 'options' | 'follower' | 'executor'>

/**
 * A node that has not executed everything final knows neither what is owed nor whether the header that a payout would
 * name is right. A batch behind that which it lacks or rejects changes no claim that can be paid, so a sequencer that
 * lies or hides holds up no payout.
 */
export function viewVault({ options, follower, executor }: ViewedNode): Seen {
  const { params } = options
  const { chain, facts, links } = follower
  if (executor.head.number < chain.final.number) return { ok: false, reason: 'behind' }
  const balance = solvencyOf(params, follower, executor)
  if (balance === undefined) return { ok: false, reason: 'behind' }
  if (balance.assets < balance.liabilities) return { ok: false, reason: 'short' }
  const payable = executor.claims.payable({ params, chain, links, facts })
  return { ok: true, view: { params, chain, facts, payable }, balance }
}
