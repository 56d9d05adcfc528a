import { callRpc, printHash, type Rpc } from '@kedge/bitcoin'
import type { Chain, Outpoint } from '@kedge/core'
import { anchorTransactions, type Store } from '@kedge/storage'
import type { OwnLinks } from './own-links.ts'

export interface ForeignParts {
  readonly store: Store
  readonly rpc: Rpc
  readonly own: OwnLinks
}

/**
 * The number of an anchor that somebody else signed with this sequencer's key: a twin that runs, or its own later self
 * where the data folder is an old copy. Bitcoin holds it, or its mempool does. To be asked before anything is sealed
 * or promised on top of what this folder knows. An empty folder is bound to nothing, so what Bitcoin holds is fine.
 * @throws RpcUnreachableError
 */
export async function findForeignAnchor(parts: ForeignParts, { link }: Chain): Promise<number | undefined> {
  const { store, rpc, own } = parts
  const { last } = own
  if (last > 0 && last < link.number) return last + 1
  const signed = last > link.number ? ((await store.get(anchorTransactions, last)) ?? []) : []
  const newest = last > link.number ? signed.map(({ txid }) => ({ txid, vout: 1 })) : [link.outpoint]
  return (await isSpent(rpc, newest)) ? Math.max(last, link.number) + 1 : undefined
}

/** Whether a transaction in the mempool spends one of these outputs. */
async function isSpent(rpc: Rpc, outpoints: readonly Outpoint[]): Promise<boolean> {
  if (outpoints.length === 0) return false
  const asked = outpoints.map(({ txid, vout }) => ({ txid: printHash(txid), vout }))
  const answer = await callRpc(rpc, 'gettxspendingprevout', [asked])
  if (!Array.isArray(answer)) throw new TypeError('gettxspendingprevout: no list')
  return answer.some((each: unknown) => typeof each === 'object' && each !== null && 'spendingtxid' in each)
}
