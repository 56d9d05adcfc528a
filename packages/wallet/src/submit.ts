import { setTimeout as pause } from 'node:timers/promises'
import { ApiError, type ApiErrorCode, type Submitted } from '@kedge/api'
import { type SendRecord, signedOf } from './content.ts'
import { WalletError } from './errors.ts'
import { askNode } from './node-word.ts'
import { isAcknowledged } from './receipt.ts'
import { amendRecord, ordered, refusedFor } from './records.ts'
import type { Wallet } from './wallet.ts'

/** What passes by itself is asked again so often, waiting as long as the node says, up to a limit. */
const ROUNDS = 5
const WAIT_MAX_MS = 2_000
/** How long where it names no time, in milliseconds. A node that has just started looks around first. */
const PASSING: ReadonlyMap<string, number> = new Map([
  ['overloaded', 100],
  ['syncing', 1_000],
])

/** After these the transfer is submitted again by itself. None frees its nonce, nor does a refusal (`nonces.ts`). */
const OPEN: ReadonlySet<ApiErrorCode> = new Set([
  ...(['unreachable', 'bad-answer', 'internal', 'too-slow', 'overloaded'] as const),
  ...(['syncing', 'no-sequencer', 'chain-broken', 'batch-rejected', 'nonce-ahead', 'not-found'] as const),
])

/**
 * Submits a recorded transfer or withdrawal, checks the promise that comes back, and records that.
 * @param isTold whether its payer hears of the promise: it may be submitted for another one's sake
 * @throws WalletError `refused` (recorded as such), `not-answered` or `bad-answer` (it stays recorded).
 */
export async function submitRecord(wallet: Wallet, record: SendRecord, isTold = true): Promise<Submitted> {
  const submitted = await orRefused(wallet, record, () => submitPatiently(wallet, record))
  if (submitted.id !== record.id) throw lie(wallet, 'it names another one')
  if (submitted.acknowledgement !== undefined) {
    const receipt = isAcknowledged(wallet, record.id, signedOf(record), submitted.acknowledgement)
    if (!receipt.ok) throw lie(wallet, receipt.reason)
  }
  if (submitted.rung !== 'pending')
    await amendRecord(wallet, record.id, (now) => ordered(now, proofOf(submitted), { state: 'sequenced', isTold }))
  return submitted
}

function kindOf(record: SendRecord): 'payment' | 'withdrawal' {
  return 'transfer' in record ? 'payment' : 'withdrawal'
}

function proofOf({ acknowledgement }: Submitted): Pick<SendRecord, 'acknowledgement'> {
  return acknowledgement === undefined ? {} : { acknowledgement }
}

async function submitPatiently({ client }: Wallet, record: SendRecord): Promise<Submitted> {
  for (let round = 1; ; round++) {
    try {
      return 'transfer' in record
        ? await client.submitTransfer({ transfer: record.transfer })
        : await client.submitWithdrawal({ withdrawal: record.withdrawal })
    } catch (error) {
      const waitMs = error instanceof ApiError ? PASSING.get(error.code) : undefined
      if (!(error instanceof ApiError) || waitMs === undefined || round === ROUNDS) throw error
      await pause(Math.min(Number(error.details.retryAfterMs ?? waitMs), WAIT_MAX_MS))
    }
  }
}

async function orRefused(wallet: Wallet, record: SendRecord, submit: () => Promise<Submitted>): Promise<Submitted> {
  try {
    return await submit()
  } catch (error) {
    if (!(error instanceof ApiError)) throw error
    const earlier = error.code === 'nonce-used' ? await findEarlier(wallet, record) : undefined
    if (earlier !== undefined) return earlier
    if (OPEN.has(error.code)) {
      throw new WalletError(
        `Nobody has acknowledged the ${kindOf(record)} yet: ${error.message} It is kept: to make the same ${kindOf(record)} again, or kedge wallet resume, submits the same bytes and nothing else; a sequencer that goes on refusing it can be forced: kedge wallet force.`,
        {
          code: 'not-answered',
          details: { id: record.id, reason: error.code },
          cause: error,
        },
      )
    }
    await amendRecord(wallet, record.id, refusedFor(error.code))
    throw new WalletError(
      `The ${kindOf(record)} ${record.id} was refused: ${error.message} It is kept all the same, as only one of what is signed for its nonce can ever be executed.`,
      {
        code: 'refused',
        details: { id: record.id, reason: error.code },
        cause: error,
      },
    )
  }
}

/** The nonce may have been used by this very transfer, in a submission whose answer was lost long ago. */
async function findEarlier(wallet: Wallet, record: SendRecord): Promise<Submitted | undefined> {
  const said = await askNode(wallet, record.id, signedOf(record).kind)
  if (said === undefined || !('batch' in said)) return undefined
  const { id, rung } = said
  const climbed = rung === 'payable' || rung === 'paid' ? 'final' : rung
  return 'acknowledgement' in said && said.acknowledgement !== undefined
    ? { id, rung: climbed, acknowledgement: said.acknowledgement }
    : { id, rung: climbed }
}

function lie(wallet: Wallet, reason: string): WalletError {
  return new WalletError(
    `The node at ${wallet.client.baseUrl} does not show a valid promise: ${reason}. Use another node; what was signed is kept and can be sent again there.`,
    { code: 'bad-answer', details: { reason } },
  )
}
