import {
  type Answer,
  type ErrorCode,
  errorBodyOf,
  findRowsFault,
  routes,
  type Submitted,
  type SubmittedRows,
} from '@kedge/api'
import {
  decodeReceipt,
  decodeSigned,
  equalBytes,
  fromHex,
  operationId,
  receiptHolds,
  type SignedOperation,
  signedMessage,
  toHex,
  WITHDRAWAL_BYTES,
  WITHDRAWAL_KIND,
} from '@kedge/core'
import { MAX_SUBMISSION_RESPONSE } from '@kedge/p2p'
import type { IntakeResult, Submitter } from './intake.ts'
import type { Responders } from './serve.ts'

/** What a sequencer answers a node that passes on what is submitted to it, and how that node reads it. */

export type Refused = Extract<IntakeResult, { ok: false }>['code']

/** An operation that is passed on. */
export interface Row {
  readonly bytes: Uint8Array
  readonly operation: SignedOperation
}

/**
 * A sequencer's answer to a node that passes on transfers, or one withdrawal: the bulk route's, as JSON. A single one is
 * answered as on its own route, which tells the receipt of one that was taken before, too.
 * @param handlers undefined while the sequencer starts
 */
export async function answerSubmit(
  handlers: Pick<Responders, 'submitTransfer' | 'submitTransfers' | 'submitWithdrawal'> | undefined,
  bytes: Uint8Array,
  from?: Submitter,
): Promise<Uint8Array> {
  if (bytes.length === WITHDRAWAL_BYTES && bytes[0] === WITHDRAWAL_KIND) {
    const answered = await handlers?.submitWithdrawal({ withdrawal: toHex(bytes) }, from)
    return encodeAnswer(answered === undefined ? allRefused(1, 'syncing') : oneRow(answered))
  }
  const { body } = routes.submitTransfers
  if (findRowsFault(body, bytes.length) !== undefined) return encodeJson(errorBodyOf({ code: 'bad-request' }))
  const count = bytes.length / body.rowBytes
  if (count === 1) {
    const answered = await handlers?.submitTransfer({ transfer: toHex(bytes) }, from)
    return encodeAnswer(answered === undefined ? allRefused(1, 'syncing') : oneRow(answered))
  }
  const answered = await handlers?.submitTransfers({ bytes }, from)
  if (answered?.ok === true) return encodeAnswer(answered.value)
  return encodeAnswer(allRefused(count, answered?.fault.code ?? 'syncing'))
}

function oneRow(answered: Answer<Submitted>): SubmittedRows {
  if (!answered.ok) return allRefused(1, answered.fault.code)
  const { acknowledgement } = answered.value
  const receipts = acknowledgement === undefined ? [] : [{ row: 0, count: 1, ...acknowledgement }]
  return { accepted: 1, receipts, refused: [] }
}

function allRefused(count: number, code: ErrorCode): SubmittedRows {
  return { accepted: 0, receipts: [], refused: Array.from({ length: count }, (_, row) => ({ row, code })) }
}

/** Receipts that don't fit are left out, the last ones first: their rows count as accepted, and can be asked for. */
function encodeAnswer(rows: SubmittedRows): Uint8Array {
  let receipts = rows.receipts
  for (;;) {
    const bytes = encodeJson(routes.submitTransfers.response.encode({ ...rows, receipts }))
    if (bytes.length <= MAX_SUBMISSION_RESPONSE) return bytes
    receipts = receipts.slice(0, Math.floor((receipts.length * MAX_SUBMISSION_RESPONSE) / bytes.length) - 1)
  }
}

function encodeJson(value: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value))
}

/** One result for each; undefined unless the bytes are an answer to exactly these. */
export function readAnswer(network: Uint8Array, sent: readonly Row[], bytes: Uint8Array): IntakeResult[] | undefined {
  const decoded = routes.submitTransfers.response.safeDecode(parseJson(bytes) as SubmittedRows)
  if (!decoded.success) return undefined
  const { accepted, receipts, refused } = decoded.data
  const results: (IntakeResult | undefined)[] = new Array(sent.length).fill(undefined)
  for (const { row, code } of refused) {
    if (row >= sent.length || results[row] !== undefined) return undefined
    results[row] = { ok: false, code: refusedOf(code) }
  }
  for (const run of receipts) {
    const taken = readRun(network, sent, run)
    if (taken === undefined || taken.some((_, at) => results[run.row + at] !== undefined)) return undefined
    for (const [at, each] of taken.entries()) results[run.row + at] = each
  }
  if (accepted !== sent.length - refused.length) return undefined
  return sent.map((_, row) => results[row] ?? { ok: true, repeated: true })
}

/** The first row of a run brings its receipt, and its operation, in which only the recipient's cell may be another. */
function readRun(
  network: Uint8Array,
  sent: readonly Row[],
  { row, count, operation, receipt: encoded }: SubmittedRows['receipts'][number],
): IntakeResult[] | undefined {
  const first = sent[row]
  const bytes = fromHex(operation)
  const taken = decodeSigned(bytes)
  const receipt = decodeReceipt(fromHex(encoded))
  if (first === undefined || count < 1 || row + count > sent.length || taken === undefined || receipt === undefined)
    return undefined
  if (!equalBytes(signedMessage(network, taken), signedMessage(network, first.operation))) return undefined
  if (!receiptHolds(receipt, operationId(bytes))) return undefined
  const { number } = receipt.tick
  return sent.slice(row, row + count).map((each, at): IntakeResult => {
    const place = { number, index: receipt.opIndex + at }
    return { ok: true, taken: at === 0 ? { ...place, operation: bytes, receipt } : { ...place, operation: each.bytes } }
  })
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof TypeError) return undefined
    throw error
  }
}

/** What a sequencer says of itself and not of the operation comes to the same here: submit it again. */
function refusedOf(code: ErrorCode): Refused {
  switch (code) {
    case 'chain-closed':
      return 'chain-broken'
    case 'bad-request':
    case 'not-found':
    case 'too-slow':
    case 'too-large':
    case 'internal':
      return 'overloaded'
    default:
      return code
  }
}
