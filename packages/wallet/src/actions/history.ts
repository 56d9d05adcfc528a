import type { HistoryEntry, RouteRequest } from '@kedge/api'
import { toHex } from '@kedge/core'
import { signedOf } from '../content.ts'
import { isMemoOf } from '../memo.ts'
import { readContent, type Wallet } from '../wallet.ts'
import { readUnplaced, type UnplacedSend } from './unplaced.ts'

export interface HistoryLine extends HistoryEntry {
  /** What this wallet wrote, where the payment's commitment is to exactly that. */
  readonly text?: string
}

export interface HistoryPage {
  /** Payments of this wallet's that stand in no batch; on the first page. */
  readonly unplaced: readonly UnplacedSend[]
  readonly entries: readonly HistoryLine[]
  readonly next?: { readonly batch: number; readonly index: number }
}

/** What happened to the wallet's money, newest first, as the node says, with the wallet's own memos. */
export async function readHistory(
  wallet: Wallet,
  page: Pick<RouteRequest<'accountHistory'>, 'before' | 'limit'> = {},
): Promise<HistoryPage> {
  const { rollup } = wallet.keys
  const { entries, next } = await wallet.client.accountHistory({ ...page, key: toHex(rollup.key) })
  const { sends } = await readContent(wallet)
  const texts = new Map(
    sends.flatMap((record) => {
      const signed = signedOf(record)
      if (signed.kind !== 'transfer') return []
      const { from, memo, nonce } = signed
      return record.memo !== undefined && isMemoOf(memo, rollup, from, nonce, record.memo)
        ? [[record.id, record.memo]]
        : []
    }),
  )
  const lines = entries.map((entry) => {
    const text = texts.get(entry.id)
    return text === undefined ? entry : { ...entry, text }
  })
  const unplaced = page.before === undefined ? await readUnplaced(wallet) : []
  return { unplaced, entries: lines, ...(next && { next }) }
}
