import { setImmediate, setTimeout } from 'node:timers/promises'
import { type Answer, answer, type ErrorCode, overloaded, refuse, type Submitted, type SubmittedRows } from '@kedge/api'
import { decodeSigned, encodeReceipt, equalBytes, fromHex, signedMessage, toHex } from '@kedge/core'
import { type IntakeResult, rowAt, rowCount, type Submission, type Submitter, type Taken } from './intake.ts'
import { acknowledgementOf, findRung, rungOf } from './payment-queries.ts'
import { lineOf, type QueryContext, RETRY_MS } from './query-context.ts'
import type { Responders } from './serve.ts'

type Routes = 'submitTransfer' | 'submitTransfers' | 'submitWithdrawal'

export function submitQueries(context: QueryContext): Pick<Responders, Routes> {
  return {
    submitTransfer: ({ transfer }, from) => submitOne(context, { kind: 'transfer', rows: fromHex(transfer) }, from),
    submitTransfers: async ({ bytes }, from) =>
      answer(rowsView(await submitRows(context, { kind: 'transfer', rows: bytes }, from))),
    submitWithdrawal: ({ withdrawal }, from) =>
      submitOne(context, { kind: 'withdrawal', rows: fromHex(withdrawal) }, from),
  }
}

async function submitOne(
  context: QueryContext,
  submission: Submission,
  from: Submitter | undefined,
): Promise<Answer<Submitted>> {
  const [row] = await submitRows(context, submission, from)
  if (row === undefined) throw new Error('one row was submitted and none answered')
  if (row.fate === 'refused') return row.code === 'overloaded' ? overloaded(RETRY_MS) : refuse(row.code)
  const signed = signedIdOf(context, submission.rows)
  const id = toHex(signed)
  if (row.fate === 'taken') return answer({ id, rung: rungOf(row.taken), ...acknowledgementOf(row.taken) })
  const taken = await context.intake.find(signed)
  const rung = row.rung ?? (await findRung(context, await lineOf(context), signed)) ?? rungOf(taken)
  return answer({ id, rung, ...acknowledgementOf(taken) })
}

/** What became of one row of a request. */
type Row =
  | { readonly fate: 'taken'; readonly taken: Taken }
  /** `rung` where it was looked up. */
  | { readonly fate: 'repeated'; readonly rung?: Submitted['rung'] }
  | { readonly fate: 'refused'; readonly code: ErrorCode }

async function submitRows(context: QueryContext, submission: Submission, from: Submitter | undefined): Promise<Row[]> {
  const { follower, executor } = context.node
  const isClosed = follower.chain.mode === 'closed'
  const { undone } = executor
  const results = isClosed ? refuseAll(submission) : await context.intake.submit(submission, from)
  const used: number[] = []
  for (const [row, result] of results.entries()) if (!result.ok && result.code === 'nonce-used') used.push(row)
  const fates = await fatesOfUsed(context, submission, used, undone)
  const rows = results.map((result, row) => fates.get(row) ?? fateOf(result))
  const taken = countOf(rows, ({ fate }) => fate === 'taken')
  from?.credit?.(taken)
  // Thousands of rows cost something even to refuse: who is to come again is not to do so at once, whatever else there was.
  if (taken === 0 && countOf(rows, isOverloaded) > FEW) await setTimeout(RETRY_MS)
  return rows
}

/** What a request may have of rows that cost something without a signature, and go on at once. */
const FEW = 16

/** A nonce costs nothing to name and up to a hundred reads to look for: of large requests one at a time does that. */
async function fatesOfUsed(
  context: QueryContext,
  submission: Submission,
  used: readonly number[],
  undone: number,
): Promise<ReadonlyMap<number, Row>> {
  const fates = new Map<number, Row>()
  const over = used.length > FEW ? await context.usedTurns.take(used.length) : () => undefined
  try {
    for (const [at, row] of used.entries()) {
      fates.set(row, over ? await fateOfUsed(context, rowAt(submission, row), undone) : BUSY)
      // What is in memory is found without a pause.
      if (at % FEW === FEW - 1) await setImmediate()
    }
  } finally {
    over?.()
  }
  return fates
}

function countOf(rows: readonly Row[], isIt: (row: Row) => boolean): number {
  let count = 0
  for (const row of rows) if (isIt(row)) count++
  return count
}

function isOverloaded(row: Row): boolean {
  return row.fate === 'refused' && row.code === 'overloaded'
}

const BUSY: Row = { fate: 'refused', code: 'overloaded' }

function refuseAll(submission: Submission): (IntakeResult | { readonly ok: false; readonly code: 'chain-closed' })[] {
  return Array.from({ length: rowCount(submission) }, (_, row) => ({
    ok: false,
    code: decodeSigned(rowAt(submission, row)) === undefined ? 'undecodable' : 'chain-closed',
  }))
}

function fateOf(result: ReturnType<typeof refuseAll>[number]): Row {
  if (!result.ok) return { fate: 'refused', code: errorCodeOf(result.code) }
  return 'taken' in result ? { fate: 'taken', taken: result.taken } : { fate: 'repeated' }
}

/**
 * A nonce that is used may have been used by this very operation, in a batch that was sealed since. Where a batch was or
 * is to be taken back, it may have been in that one, and comes into a later one: nobody can say yet.
 * @param undone how many batches had been taken back before the nonce was looked at
 */
async function fateOfUsed(context: QueryContext, bytes: Uint8Array, undone: number): Promise<Row> {
  if (!(await context.lookup.catchUp())) return { fate: 'refused', code: 'overloaded' }
  const line = await lineOf(context)
  const rung = await findRung(context, line, signedIdOf(context, bytes))
  if (rung !== undefined) return { fate: 'repeated', rung }
  const isSure = line.isWhole && context.node.executor.undone === undone
  return { fate: 'refused', code: isSure ? 'nonce-used' : 'syncing' }
}

function signedIdOf({ node }: QueryContext, bytes: Uint8Array): Uint8Array {
  const signed = decodeSigned(bytes)
  if (signed === undefined) throw new Error('what was taken is no signed operation')
  return signedMessage(node.network, signed)
}

/** What its owner signed is never refused for a duty: a batch holds what is due before it takes any. */
function errorCodeOf(code: Extract<IntakeResult, { ok: false }>['code'] | 'chain-closed'): ErrorCode {
  switch (code) {
    case 'not-due':
    case 'deposit-due':
    case 'forced-due':
      return 'internal'
    default:
      return code
  }
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
