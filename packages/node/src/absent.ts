import { type Answer, answer, refuse } from '@kedge/api'
import { fromHex } from '@kedge/core'
import { marks } from '@kedge/storage'
import { droppedMark } from './intake.ts'
import type { Line } from './line.ts'
import { isSynced, type QueryContext } from './query-context.ts'

/** What can be said of a payment or withdrawal that stands in no batch. */
type Absent =
  | { readonly rung: 'dropped'; readonly id: string; readonly reason: string }
  | { readonly rung: 'pending'; readonly id: string }

/** Nothing in the ledger has this id. That it never will can be said only by who once took it. */
export async function absentView(context: QueryContext, line: Line, id: string): Promise<Answer<Absent>> {
  const { node, doubtful } = context
  const dropped = await node.store.get(marks, droppedMark(fromHex(id)))
  if (dropped !== undefined) return answer({ rung: 'dropped', id, reason: new TextDecoder().decode(dropped) })
  if (await doubtful.has(line, fromHex(id))) return answer({ rung: 'pending', id })
  if (node.executor.rejection === undefined && !(await isSynced(context))) return refuse('syncing')
  return refuse('not-found')
}
