import type { Submitted } from '@kedge/api'
import { toHex } from '@kedge/core'
import { type SendRecord, signedOf } from './content.ts'
import { WalletError } from './errors.ts'
import { isSettled, isTold } from './evidence.ts'
import { earlierOpen, isPlaced, type WhyOpen } from './nonces.ts'
import { addRecord, amendRecord, paysTheSame, rivalsIn } from './records.ts'
import { isRenewable, renew } from './renewal.ts'
import { submitRecord } from './submit.ts'
import type { Told } from './turn.ts'
import { readContent, type Wallet } from './wallet.ts'

/** Being asked for the same again: what is open is submitted again, and nothing else is signed. */

export type PaysSame = (record: SendRecord) => boolean

/**
 * What the wallet has signed for the same purpose, as long as its outcome is open, or its payer does not know it: a node
 * that withheld the answer, and gives it now, does not make what is asked for another payment. Nor does another process
 * that was asked for the same, and told somebody while this one waited for its turn.
 * @throws WalletError `earlier-open` where another one was signed in its place, and is not final: either may be executed
 */
export async function findOpen(wallet: Wallet, paysSame: PaysSame, told?: Told): Promise<SendRecord | undefined> {
  const isOpen = (record: SendRecord) => !isTold(record) || told?.has(record.id) === false
  for (const rivals of rivalsIn((await readContent(wallet)).sends).reverse()) {
    const same = rivals.findLast((record) => paysSame(record) && isOpen(record))
    if (same === undefined) continue
    const instead = rivals.find(isSettled) ?? rivals.at(-1) ?? same
    if (!paysTheSame(instead, same)) await expectFinal(wallet, same, instead)
    else if (isOpen(instead)) return instead
  }
  return undefined
}

/** What keeps another one from being signed that pays the same: `earlier-open`, or `paid-already` where it is ordered by now. */
export async function inTheWay(wallet: Wallet, open: SendRecord, why: WhyOpen): Promise<WalletError> {
  const known = await findOrdered(wallet, open)
  if (known === undefined) return earlierOpen(open, why)
  return new WalletError(
    `The same was signed before, and whether it is made was not known: a node shows now that it is ordered, ${known.id}. Nothing was signed. If another one is meant, add --again.`,
    { code: 'paid-already', details: { id: known.id } },
  )
}

/** What was open, as it is where a node shows by now that it is ordered. Its payer is told of it after that. */
async function findOrdered(wallet: Wallet, record: SendRecord): Promise<SendRecord | undefined> {
  if (!(await isPlaced(wallet, record))) return undefined
  const now = await readAgain(wallet, record)
  if (!isSettled(now)) return undefined
  await amendRecord(wallet, now.id, ({ untold: _, ...told }) => told)
  return now
}

async function readAgain(wallet: Wallet, { id }: SendRecord): Promise<SendRecord> {
  const record = (await readContent(wallet)).sends.find((sent) => sent.id === id)
  if (record === undefined) throw new Error(`the record of ${id} is gone`)
  return record
}

async function expectFinal(wallet: Wallet, record: SendRecord, instead: SendRecord): Promise<void> {
  if (instead.state !== 'final') await isPlaced(wallet, instead)
  const now = await readAgain(wallet, instead)
  // Of what is final by the node's word alone nothing is known.
  const isShown = now.acknowledgement !== undefined || now.proven === true
  if (isShown && now.state === 'final') return
  const until = isShown
    ? 'Ask again once that one is final, which kedge wallet status says; or add'
    : 'No node has shown that one to be ordered, and of what a batch carried because it was forced none ever will, so waiting may not help: add'
  throw earlierOpen(record, {
    why: `${instead.id} was signed in its place, and is not final`,
    help: `${until} --again, which pays this one whatever comes of both.`,
  })
}

export interface Repeated {
  readonly record: SendRecord
  readonly submitted: Submitted
}

/**
 * Submits it again, unless a node shows that it is ordered; where it can't be executed as it is, it is signed anew for its
 * nonce. @throws as `submitRecord`
 */
export async function submitOpen(wallet: Wallet, record: SendRecord): Promise<Repeated> {
  const known = await findOrdered(wallet, record)
  if (known !== undefined)
    return { record: known, submitted: { id: known.id, rung: known.state === 'final' ? 'final' : 'sequenced' } }
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
  const record = sends.findLast((sent) => paysSame(sent) && isTold(sent))
  if (record === undefined || ageOf(record) >= NOT_LONG_AGO) return undefined
  return { id: record.id, secondsAgo: ageOf(record) }
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
