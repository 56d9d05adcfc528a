import type { Submitted } from '@kedge/api'
import { toHex } from '@kedge/core'
import { type SendRecord, signedOf } from './content.ts'
import { WalletError } from './errors.ts'
import { isSettled } from './evidence.ts'
import { earlierOpen, isPlaced } from './nonces.ts'
import { addRecord, paysTheSame, rivalsIn } from './records.ts'
import { isRenewable, renew } from './renewal.ts'
import { submitRecord } from './submit.ts'
import { readContent, type Wallet } from './wallet.ts'

/** Being asked for the same again: what is open is submitted again, and nothing else is signed. */

export type PaysSame = (record: SendRecord) => boolean

/**
 * What the wallet has signed for the same purpose, as long as its outcome is open.
 * @throws WalletError `earlier-open` where another one was signed in its place, and is not final: either may be executed
 */
export async function findOpen(wallet: Wallet, paysSame: PaysSame): Promise<SendRecord | undefined> {
  for (const rivals of rivalsIn((await readContent(wallet)).sends).reverse()) {
    const same = rivals.findLast((record) => paysSame(record) && !isSettled(record))
    if (same === undefined) continue
    const instead = rivals.find(isSettled) ?? rivals.at(-1) ?? same
    if (!paysTheSame(instead, same)) await expectFinal(wallet, same, instead)
    else if (!isSettled(instead) && (await isStillOpen(wallet, instead))) return instead
  }
  return undefined
}

/** One that was signed long ago and is shown now to be paid has nothing to do with what is asked for now. */
async function isStillOpen(wallet: Wallet, record: SendRecord): Promise<boolean> {
  await isPlaced(wallet, record)
  return isRecent(record) || !isSettled(await readAgain(wallet, record))
}

async function readAgain(wallet: Wallet, { id }: SendRecord): Promise<SendRecord> {
  const record = (await readContent(wallet)).sends.find((sent) => sent.id === id)
  if (record === undefined) throw new Error(`the record of ${id} is gone`)
  return record
}

async function expectFinal(wallet: Wallet, record: SendRecord, instead: SendRecord): Promise<void> {
  if (isSettled(instead) && instead.state !== 'final') await isPlaced(wallet, instead)
  const now = await readAgain(wallet, instead)
  // Of what is final by the node's word alone nothing is known.
  if ((now.acknowledgement !== undefined || now.proven === true) && now.state === 'final') return
  throw earlierOpen(
    wallet,
    record,
    `${instead.id} was signed in its place, and is not final; --again pays it beside both`,
  )
}

export interface Repeated {
  readonly record: SendRecord
  readonly submitted: Submitted
}

/** Submits it again; where it can't be executed as it is, it is signed anew for its nonce. @throws as `submitRecord` */
export async function submitOpen(wallet: Wallet, record: SendRecord): Promise<Repeated> {
  try {
    return { record, submitted: await submitRecord(wallet, record) }
  } catch (error) {
    if (!(error instanceof WalletError) || error.code !== 'refused') throw error
    const { reason } = error.details
    const isOurs = reason !== undefined && isRenewable({ ...record, reason })
    const renewed = isOurs ? await renew(wallet, record) : undefined
    if (renewed === undefined) throw error
    await addRecord(wallet, renewed)
    return { record: renewed, submitted: await submitRecord(wallet, renewed) }
  }
}

/** A payment that is ordered, and was signed not long ago: who asks for the same once more may not have seen that. */
export interface EarlierSame {
  readonly id: string
  readonly secondsAgo: number
}

/** Seconds. */
const NOT_LONG_AGO = 15 * 60

export async function findRecent(wallet: Wallet, paysSame: PaysSame): Promise<EarlierSame | undefined> {
  const { sends } = await readContent(wallet)
  const record = sends.findLast((sent) => paysSame(sent) && isSettled(sent))
  return record !== undefined && isRecent(record) ? { id: record.id, secondsAgo: ageOf(record) } : undefined
}

function isRecent(record: SendRecord): boolean {
  return ageOf(record) < NOT_LONG_AGO
}

/** Seconds since it was signed, if that is known. */
function ageOf({ signedAt = 0 }: SendRecord): number {
  return Math.max(0, Math.floor(Date.now() / 1000) - signedAt)
}

/** Whether a record is of this kind and amount, to this payee. */
export function isPayment(
  record: SendRecord,
  {
    kind,
    payee,
    amount,
  }: { readonly kind: 'transfer' | 'withdrawal'; readonly payee: string; readonly amount: bigint },
): boolean {
  const signed = signedOf(record)
  const to = signed.kind === 'transfer' ? signed.to : signed.script
  return signed.kind === kind && toHex(to) === payee && signed.amount === amount
}
