import { toHex } from '@kedge/core'
import { type SendRecord, signedOf } from './content.ts'
import { defaultExpiry } from './expiry.ts'
import { signRecord, signWithdrawalRecord } from './records.ts'
import type { Wallet } from './wallet.ts'

/** The same payment signed anew, for the cell and the nonce of the old: a cell spends a nonce once. */

/** Refusals of the terms that the wallet chose by itself: it can choose others. */
export function isRenewable({ expiryNamed, reason }: Pick<SendRecord, 'expiryNamed' | 'reason'>): boolean {
  return reason === 'may-not-create' || (reason === 'expired' && expiryNamed !== true)
}

/** Undefined where the nonce or the cell are not to be had any more. */
export async function renew(wallet: Wallet, record: SendRecord): Promise<SendRecord | undefined> {
  const { client, keys, params } = wallet
  const signed = signedOf(record)
  const { from, nonce } = signed
  const [payer, health] = await Promise.all([client.account({ key: toHex(keys.rollup.key) }), client.health()])
  const own = payer.cells.find(({ cell }) => cell === from)
  if (own === undefined || own.nonce > nonce) return undefined
  if (signed.kind === 'withdrawal') {
    const { kind: _, signature: __, ...terms } = signed
    const again = signWithdrawalRecord(wallet, { ...terms, expiry: defaultExpiry(health.tip.height, params) })
    return again.id === record.id ? undefined : again
  }
  const { to, amount, fee, mayCreate } = signed
  const recipient = await client.account({ key: toHex(to) })
  const toCell = recipient.cells[0]?.cell
  const cellFee = toCell === undefined && !mayCreate ? params.fees.cell : 0n
  const expiry = defaultExpiry(health.tip.height, params)
  const renewed = signRecord(wallet, { from, nonce, to, toCell, amount, fee: fee + cellFee, expiry, memo: record.memo })
  return renewed.id === record.id ? undefined : renewed
}
