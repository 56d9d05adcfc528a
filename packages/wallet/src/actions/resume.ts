import type { Submitted } from '@kedge/api'
import { type SendRecord, signedOf } from '../content.ts'
import { WalletError } from '../errors.ts'
import { addRecord, wasAcknowledged } from '../records.ts'
import { isRenewable, renew } from '../renewal.ts'
import { submitRecord } from '../submit.ts'
import { inTurn } from '../turn.ts'
import { readContent, type Wallet } from '../wallet.ts'
import { findUnplaced, type Unplaced } from './unplaced.ts'

export interface ResumedSend {
  readonly id: string
  /** Absent of a payment. */
  readonly kind?: 'withdrawal'
  /** `recorded`: it waits for a transfer with the nonce before its own. `dropped`: as `refused`, after it was acknowledged. */
  readonly rung: Submitted['rung'] | 'refused' | 'dropped' | 'recorded'
  readonly reason?: string
  /** The payment that this one was signed in the place of. */
  readonly replaces?: string
}

/**
 * Sends payments again that stand in no batch: the same bytes, or where those can't be executed any more, the same payment
 * signed anew.
 *
 * No payment is made twice by that. What is signed anew has the nonce and the paying cell of what it replaces, and a
 * cell spends a nonce once: whichever of the two is executed, in whatever branch of Bitcoin, the other never is there.
 * So the old one need not be known to be dead, which only a height deep below Bitcoin's tip could show. A payment whose
 * nonce another one has used, or whose cell is not this key's any more, is therefore left to its payer: signed with
 * another nonce it could be executed beside the old one, once a reorganisation brings that back.
 *
 * @throws as `send`, but for refusals, which it gives.
 */
export function resumeSends(wallet: Wallet): Promise<readonly ResumedSend[]> {
  return inTurn(wallet.path, async () => {
    const unplaced = (await findUnplaced(wallet)).filter(isToSend).map(({ record }) => record)
    // As they are by then: what a batch carried because it was forced needs no promise any more.
    const { sends } = await readContent(wallet)
    const isNew = ({ id, state }: SendRecord) => state === 'recorded' && !unplaced.some((other) => other.id === id)
    const resumed: ResumedSend[] = []
    // Those that nobody has promised yet are submitted for the promise, wherever they stand.
    for (const record of [...sends.filter(isNew), ...unplaced].toSorted(byNonce))
      resumed.push(await resumeOne(wallet, record))
    return resumed
  })
}

function isToSend({ isWanted, standing, record }: Unplaced): boolean {
  return isWanted && standing !== 'pending' && (standing !== 'refused' || isRenewable(record))
}

/** A payment waits for the one before it. */
function byNonce(a: SendRecord, b: SendRecord): number {
  const [one, other] = [signedOf(a), signedOf(b)]
  return one.from === other.from ? Number(one.nonce - other.nonce) : one.from - other.from
}

async function resumeOne(wallet: Wallet, record: SendRecord): Promise<ResumedSend> {
  const resumed = await submitAgain(wallet, record)
  if (resumed.rung !== 'refused' && resumed.rung !== 'dropped') return resumed
  const renewed = isRenewable({ ...record, reason: resumed.reason }) ? await renew(wallet, record) : undefined
  if (renewed === undefined) return resumed
  await addRecord(wallet, renewed)
  return { ...(await submitAgain(wallet, renewed)), replaces: record.id }
}

async function submitAgain(wallet: Wallet, record: SendRecord): Promise<ResumedSend> {
  try {
    const { id, rung } = await submitRecord(wallet, record)
    return { id, ...kindOf(record), rung }
  } catch (error) {
    const rung = error instanceof WalletError ? rungAfter(record, error) : undefined
    if (rung === undefined) throw error
    return { id: record.id, ...kindOf(record), rung, reason: (error as WalletError).details.reason ?? '' }
  }
}

function kindOf(record: SendRecord): Pick<ResumedSend, 'kind'> {
  return 'withdrawal' in record ? { kind: 'withdrawal' } : {}
}

/** What does not keep the next transfer from being sent. */
function rungAfter(record: SendRecord, { code, details }: WalletError): ResumedSend['rung'] | undefined {
  if (code === 'refused') return wasAcknowledged(record) ? 'dropped' : 'refused'
  return code === 'not-answered' && details.reason === 'nonce-ahead' ? 'recorded' : undefined
}
