import { setTimeout as pause } from 'node:timers/promises'
import { ApiError, type ApiErrorCode, type Submitted } from '@kedge/api'
import { type SendRecord, transferOf } from './content.ts'
import { WalletError } from './errors.ts'
import { isAcknowledged } from './receipt.ts'
import { amendRecord, refusedFor } from './records.ts'
import type { Wallet } from './wallet.ts'

/** The node has too much to do: asked again so often, waiting as long as it says, up to a limit. */
const OVERLOAD_ROUNDS = 5
const OVERLOAD_WAIT_MAX_MS = 2_000

/**
 * After these the transfer is kept and submitted again. What is refused for another reason gives way to the next
 * transfer of the same nonce: at most one of them can ever be executed.
 */
const OPEN: ReadonlySet<ApiErrorCode> = new Set([
  ...(['unreachable', 'bad-answer', 'internal', 'too-slow', 'overloaded'] as const),
  ...(['syncing', 'no-sequencer', 'chain-broken', 'batch-rejected', 'nonce-ahead', 'not-found'] as const),
])

/**
 * Submits a recorded transfer, checks the promise that comes back, and records that.
 * @throws WalletError `refused` (recorded as such), `not-answered` or `bad-answer` (it stays recorded).
 */
export async function submitRecord(wallet: Wallet, record: SendRecord): Promise<Submitted> {
  const submitted = await orRefused(wallet, record, () => submitPatiently(wallet, record))
  if (submitted.id !== record.id) throw lie(wallet, 'it names another payment')
  if (submitted.acknowledgement !== undefined) {
    const receipt = isAcknowledged(wallet, record.id, transferOf(record), submitted.acknowledgement)
    if (!receipt.ok) throw lie(wallet, receipt.reason)
  }
  if (submitted.rung !== 'pending')
    await amendRecord(wallet, record.id, ({ reason: _, ...now }) => ({
      ...now,
      ...proofOf(submitted),
      state: 'sequenced',
    }))
  return submitted
}

function proofOf({ acknowledgement }: Submitted): Pick<SendRecord, 'acknowledgement'> {
  return acknowledgement === undefined ? {} : { acknowledgement }
}

async function submitPatiently({ client }: Wallet, { transfer }: SendRecord): Promise<Submitted> {
  for (let round = 1; ; round++) {
    try {
      return await client.submitTransfer({ transfer })
    } catch (error) {
      if (!(error instanceof ApiError) || error.code !== 'overloaded' || round === OVERLOAD_ROUNDS) throw error
      await pause(Math.min(Number(error.details.retryAfterMs ?? 100), OVERLOAD_WAIT_MAX_MS))
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
        `Nobody has acknowledged the payment yet: ${error.message} It is kept, and sent again with the next payment or when sending is resumed.`,
        {
          code: 'not-answered',
          details: { id: record.id, reason: error.code },
          cause: error,
        },
      )
    }
    await amendRecord(wallet, record.id, refusedFor(error.code))
    throw new WalletError(`The payment was refused: ${error.message}`, {
      code: 'refused',
      details: { id: record.id, reason: error.code },
      cause: error,
    })
  }
}

/** The nonce may have been used by this very transfer, in a submission whose answer was lost long ago. */
async function findEarlier({ client }: Wallet, { id }: SendRecord): Promise<Submitted | undefined> {
  try {
    const payment = await client.payment({ id })
    if (!('batch' in payment)) return undefined
    const { acknowledgement, rung } = payment
    return acknowledgement === undefined ? { id, rung } : { id, rung, acknowledgement }
  } catch (error) {
    if (error instanceof ApiError && error.code === 'not-found') return undefined
    throw error
  }
}

function lie(wallet: Wallet, reason: string): WalletError {
  return new WalletError(
    `The node at ${wallet.client.baseUrl} does not show a valid promise for the payment: ${reason}. Use another node; the payment is kept and can be sent again there.`,
    { code: 'bad-answer', details: { reason } },
  )
}
