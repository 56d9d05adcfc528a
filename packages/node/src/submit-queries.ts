import { type Answer, answer, type ErrorCode, overloaded, refuse, type Submitted, type SubmittedRows } from '@kedge/api'
import {
  concatBytes,
  decodeTransfer,
  encodeReceipt,
  equalBytes,
  fromHex,
  TRANSFER_BYTES,
  toHex,
  transferMessage,
} from '@kedge/core'
import type { IntakeResult, Taken } from './intake.ts'
import { acknowledgementOf, findRung } from './payment-queries.ts'
import { type QueryContext, RETRY_MS } from './query-context.ts'
import type { Responders } from './serve.ts'

export function submitQueries(context: QueryContext): Pick<Responders, 'submitTransfer' | 'submitTransfers'> {
  return {
    submitTransfer: ({ transfer }) => submitOne(context, fromHex(transfer)),
    submitTransfers: async ({ bytes }) => answer(rowsView(await submitRows(context, bytes))),
  }
}

async function submitOne(context: QueryContext, bytes: Uint8Array): Promise<Answer<Submitted>> {
  const [row] = await submitRows(context, bytes)
  if (row === undefined) throw new Error('one row was submitted and none answered')
  if (row.fate === 'refused') return row.code === 'overloaded' ? overloaded(RETRY_MS) : refuse(row.code)
  const id = toHex(row.id)
  if (row.fate === 'taken') return answer({ id, rung: 'sequenced', ...acknowledgementOf(row.taken) })
  const rung = row.rung ?? (await findRung(context, row.id)) ?? 'sequenced'
  return answer({ id, rung, ...acknowledgementOf(await context.intake.find(row.id)) })
}

/** What became of one row of a request. */
type Row =
  | { readonly fate: 'taken'; readonly id: Uint8Array; readonly taken: Taken }
  /** `rung` where it was looked up. */
  | { readonly fate: 'repeated'; readonly id: Uint8Array; readonly rung?: Submitted['rung'] }
  | { readonly fate: 'refused'; readonly code: ErrorCode }

/** Rows that are no transfers are refused here; the intake judges the others. */
async function submitRows(context: QueryContext, bytes: Uint8Array): Promise<Row[]> {
  const { network, follower } = context.node
  const rows: (Row | undefined)[] = []
  const sound: { readonly row: number; readonly id: Uint8Array; readonly bytes: Uint8Array }[] = []
  for (let at = 0; at < bytes.length; at += TRANSFER_BYTES) {
    const row = rows.length
    const each = bytes.slice(at, at + TRANSFER_BYTES)
    const transfer = decodeTransfer(each)
    if (transfer === undefined) rows.push({ fate: 'refused', code: 'undecodable' })
    else if (follower.chain.mode === 'closed') rows.push({ fate: 'refused', code: 'chain-closed' })
    else {
      rows.push(undefined)
      sound.push({ row, id: transferMessage(network, transfer), bytes: each })
    }
  }
  const results = sound.length === 0 ? [] : await context.intake.submit(concatBytes(...sound.map((each) => each.bytes)))
  for (const [at, { row, id }] of sound.entries()) rows[row] = await fateOf(context, id, results[at])
  return rows.map((row) => row ?? { fate: 'refused', code: 'internal' })
}

/** A nonce that is used may have been used by this very transfer, in a batch that was sealed since. */
async function fateOf(context: QueryContext, id: Uint8Array, result: IntakeResult | undefined): Promise<Row> {
  if (result === undefined) return { fate: 'refused', code: 'internal' }
  if (result.ok) return 'taken' in result ? { fate: 'taken', id, taken: result.taken } : { fate: 'repeated', id }
  if (result.code !== 'nonce-used') return { fate: 'refused', code: errorCodeOf(result.code) }
  if (!(await context.lookup.catchUp())) return { fate: 'refused', code: 'overloaded' }
  const rung = await findRung(context, id)
  return rung === undefined ? { fate: 'refused', code: 'nonce-used' } : { fate: 'repeated', id, rung }
}

/** A transfer is never refused for a deposit's duty: a batch credits what is due before it takes any. */
function errorCodeOf(code: Extract<IntakeResult, { ok: false }>['code']): ErrorCode {
  return code === 'not-due' || code === 'deposit-due' ? 'internal' : code
}

function rowsView(rows: readonly Row[]): SubmittedRows {
  const refused = rows.flatMap((row, at) => (row.fate === 'refused' ? [{ row: at, code: row.code }] : []))
  return { accepted: rows.length - refused.length, receipts: receiptsOf(rows), refused }
}

/** Neighbours in the request that are neighbours in the batch and under one tick share the first one's receipt. */
function receiptsOf(rows: readonly Row[]): SubmittedRows['receipts'] {
  const runs: { row: number; count: number; taken: Taken }[] = []
  rows.forEach((row, at) => {
    if (row.fate !== 'taken') return
    const { taken } = row
    const last = runs.at(-1)
    if (last !== undefined && last.row + last.count === at && continues(last, taken)) last.count++
    else runs.push({ row: at, count: 1, taken })
  })
  return runs.flatMap(({ row, count, taken: { operation, receipt } }) =>
    receipt === undefined ? [] : [{ row, count, operation: toHex(operation), receipt: toHex(encodeReceipt(receipt)) }],
  )
}

function continues({ taken: first, count }: { readonly taken: Taken; readonly count: number }, next: Taken): boolean {
  if (next.number !== first.number || next.index !== first.index + count) return false
  if (next.receipt === undefined) return true
  return first.receipt !== undefined && equalBytes(first.receipt.signature, next.receipt.signature)
}
