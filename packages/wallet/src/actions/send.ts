import type { Submitted } from '@kedge/api'

import { fromHex, isHex, toHex } from '@kedge/core'
import { chooseCell, type NonceOf, nextNonce } from '../cell.ts'
import { type SendRecord, signedOf } from '../content.ts'
import { WalletError } from '../errors.ts'
import { defaultExpiry } from '../expiry.ts'
import { addRecord, signRecord } from '../records.ts'
import { isOnCurve } from '../signing.ts'
import { submitRecord } from '../submit.ts'
import { inTurn } from '../turn.ts'
import { readContent, type Wallet } from '../wallet.ts'
import { resumeRecorded } from './resume.ts'

export interface SendRequest {
  /** The recipient's rollup key: 64 hex digits. */
  readonly to: string
  /** Millisatoshis. */
  readonly amount: bigint
  /** Millisatoshis; the network's minimum when not given. */
  readonly fee?: bigint
  /** The last Bitcoin height (of a batch's origin) at which it may be executed; `defaultExpiry` when not given. */
  readonly expiry?: number
  readonly memo?: string
}

export interface SentPayment {
  readonly id: string
  /** `pending`: passed on by a node that is no sequencer, not acknowledged yet. */
  readonly rung: Submitted['rung']
  readonly to: string
  readonly amount: bigint
  readonly fee: bigint
  /** The recipient had no account: the fee pays for one too (`fees.cell`), where it is the network's minimum. */
  readonly opensAccount: boolean
  readonly expiry: number
}

/**
 * Pays to a rollup key. Order of effects: payments that an earlier run left unacknowledged are submitted again; the new
 * one is signed and recorded; then it is submitted. Whatever happens in between, the same bytes are submitted again
 * later (`resumeSends`), which is harmless. Calls for one wallet take turns.
 *
 * @throws WalletError `bad-recipient`, `bad-amount`, `bad-memo`, `no-account`, `insufficient-funds`, `refused`,
 *   `not-answered` or `bad-answer`; ApiError when the node can't be asked at all.
 */
export function send(wallet: Wallet, request: SendRequest): Promise<SentPayment> {
  return inTurn(wallet.path, async () => {
    checkRequest(wallet, request)
    await resumeRecorded(wallet)
    const record = await buildTransfer(wallet, request)
    await addRecord(wallet, record)
    const submitted = await submitRecord(wallet, record)
    const signed = signedOf(record)
    const { fee, expiry } = signed
    const opensAccount = signed.kind === 'transfer' && signed.mayCreate
    return { id: record.id, rung: submitted.rung, to: request.to, amount: request.amount, fee, opensAccount, expiry }
  })
}

/** @throws WalletError `bad-recipient` or `bad-amount` */
export function checkRequest(wallet: Wallet, { to, amount }: SendRequest): void {
  if (!isHex(to, 32) || !isOnCurve(fromHex(to))) {
    throw new WalletError(
      'The recipient must be a rollup key: 64 lower-case hex digits that are a point of secp256k1. Copy it again.',
      {
        code: 'bad-recipient',
      },
    )
  }
  if (to === toHex(wallet.keys.rollup.key)) {
    throw new WalletError('The recipient is this wallet itself.', { code: 'bad-recipient' })
  }
  if (amount <= 0n || amount >= 2n ** 63n) {
    throw new WalletError('The amount must be at least one millisatoshi, and no more than there can be.', {
      code: 'bad-amount',
    })
  }
}

/** Signs it for the fullest cell. */
export async function buildTransfer(
  wallet: Wallet,
  request: SendRequest,
  nonceOf: NonceOf = nextNonce,
): Promise<SendRecord> {
  const { client, keys, params } = wallet
  const own = toHex(keys.rollup.key)
  const [payer, recipient, health] = await Promise.all([
    client.account({ key: own }),
    client.account({ key: request.to }),
    client.health(),
  ])
  const known = recipient.cells[0]
  const fee = request.fee ?? params.fees.transfer + (known === undefined ? params.fees.cell : 0n)
  const from = chooseCell(payer, request.amount, fee)
  const nonce = nonceOf(payer, from, await readContent(wallet))
  const expiry = request.expiry ?? defaultExpiry(health.tip.height, params)
  const { amount, memo } = request
  const terms = { from: from.cell, nonce, to: fromHex(request.to), toCell: known?.cell, amount, fee, expiry, memo }
  const record = signRecord(wallet, terms)
  return request.expiry === undefined ? record : { ...record, expiryNamed: true }
}
