import { type Answer, answer, type ErrorCode, overloaded, refuse, type Submitted, type SubmittedRows } from '@kedge/api'
import {
  decodeTransfer,
  encodeReceipt,
  equalBytes,
  fromHex,
  TRANSFER_BYTES,
  type Transfer,
  toHex,
  transferMessage,
} from '@kedge/core'
import type { IntakeResult, Submission, Taken } from './intake.ts'
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
  const paymentId = transferMessage(context.node.network, row.transfer)
  const id = toHex(paymentId)
  if (row.fate === 'taken') return answer({ id, rung: 'sequenced', ...acknowledgementOf(row.taken) })
  const rung = row.rung ?? (await findRung(context, paymentId)) ?? 'sequenced'
  return answer({ id, rung, ...acknowledgementOf(await context.intake.find(paymentId)) })
}

/** What became of one row of a request. */
type Row =
  | { readonly fate: 'taken'; readonly transfer: Transfer; readonly taken: Taken }
  /** `rung` where it was looked up. */
  | { readonly fate: 'repeated'; readonly transfer: Transfer; readonly rung?: Submitted['rung'] }
  | { readonly fate: 'refused'; readonly code: ErrorCode }

/** Rows that are no transfers are refused here; the intake judges the others. */
async function submitRows(context: QueryContext, bytes: Uint8Array): Promise<Row[]> {
  const decoded = decodeRows(bytes)
  if (context.node.follower.chain.mode === 'closed')
    return decoded.map((each) => ({ fate: 'refused', code: each === undefined ? 'undecodable' : 'chain-closed' }))
  const submissions = decoded.filter((each) => each !== undefined)
  const results = submissions.length === 0 ? [] : await context.intake.submit(submissions)
  const rows: Row[] = []
  let next = 0
  for (const submission of decoded) {
    if (submission === undefined) rows.push({ fate: 'refused', code: 'undecodable' })
    else rows.push(fateOf(submission, results[next++]) ?? (await fateOfUsed(context, submission)))
  }
  return rows
}

/** Views of `bytes`; undefined where they are no transfer. */
function decodeRows(bytes: Uint8Array): (Submission | undefined)[] {
  return Array.from({ length: bytes.length / TRANSFER_BYTES }, (_, row) => {
    const each = bytes.subarray(row * TRANSFER_BYTES, (row + 1) * TRANSFER_BYTES)
    const transfer = decodeTransfer(each)
    return transfer && { bytes: each, transfer }
  })
}

/** Undefined where the nonce was found used. */
function fateOf({ transfer }: Submission, result: IntakeResult | undefined): Row | undefined {
  if (result === undefined) return { fate: 'refused', code: 'internal' }
  if (result.ok)
    return 'taken' in result ? { fate: 'taken', transfer, taken: result.taken } : { fate: 'repeated', transfer }
  return result.code === 'nonce-used' ? undefined : { fate: 'refused', code: errorCodeOf(result.code) }
}

/** A nonce that is used may have been used by this very transfer, in a batch that was sealed since. */
async function fateOfUsed(context: QueryContext, { transfer }: Submission): Promise<Row> {
  if (!(await context.lookup.catchUp())) return { fate: 'refused', code: 'overloaded' }
  const rung = await findRung(context, transferMessage(context.node.network, transfer))
  return rung === undefined ? { fate: 'refused', code: 'nonce-used' } : { fate: 'repeated', transfer, rung }
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
