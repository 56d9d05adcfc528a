import type { Submitted } from '@kedge/api'
import { fromHex, isHex, toHex } from '@kedge/core'
import { chooseCell, chosenFee } from '../cell.ts'
import { type SendRecord, signedOf } from '../content.ts'
import { WalletError } from '../errors.ts'
import { chosenExpiry } from '../expiry.ts'
import { helpFor, type Intent, type NonceOf, nextNonce } from '../nonces.ts'
import { addRecord, signRecord } from '../records.ts'
import { type EarlierSame, findOpen, findRecent, inTheWay, isPayment, type PaysSame, submitOpen } from '../repeat.ts'
import { isOnCurve } from '../signing.ts'
import { submitRecord } from '../submit.ts'
import { inTurn } from '../turn.ts'
import type { Wallet } from '../wallet.ts'

export interface SendRequest extends Intent {
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
  /** It was signed before, and its payer had not been told that it is ordered: nothing else was signed. */
  readonly isRepeat?: true
}

/**
 * Pays to a rollup key. Order of effects: where the same payment was signed before and its outcome is open, it is submitted
 * again, and that is all. Otherwise what is open before the new one is submitted again; the new one is signed and recorded;
 * then it is submitted. Whatever happens in between, the same bytes are submitted again later (`resumeSends`), which is
 * harmless. Calls for one wallet take turns.
 *
 * @throws WalletError `bad-recipient`, `bad-amount`, `bad-expiry`, `bad-memo`, `no-account`, `insufficient-funds`, `refused`,
 *   `not-answered`, `bad-answer` or as `nextNonce`; ApiError when the node can't be asked at all.
 */
export function send(wallet: Wallet, request: SendRequest): Promise<SentPayment> {
  return inTurn(wallet.path, async (told) => {
    checkRequest(wallet, request)
    const isNew = request.again === true || request.replace === true
    const open = isNew ? undefined : await findOpen(wallet, sameAs(request), request.told ?? told)
    if (open !== undefined) {
      if (open.memo !== request.memo)
        throw await inTheWay(wallet, open, {
          why: 'it pays the same with another memo',
          help: helpFor(signedOf(open), { isTaken: true }),
        })
      const { record, submitted } = await submitOpen(wallet, open)
      return { ...viewOf(record, submitted), isRepeat: true }
    }
    const record = await buildTransfer(wallet, request)
    await addRecord(wallet, record)
    return viewOf(record, await submitRecord(wallet, record))
  })
}

/** The same payment, if the wallet made it not long ago: what asks people calls this before `send`. */
export function findRecentSend(wallet: Wallet, request: SendRequest): Promise<EarlierSame | undefined> {
  return findRecent(wallet, sameAs(request))
}

/** Also with another memo: who was told that a payment was refused may word the next one otherwise. */
function sameAs({ to, amount }: SendRequest): PaysSame {
  return (record) => isPayment(record, { kind: 'transfer', payee: to, amount })
}

function viewOf(record: SendRecord, { rung }: Submitted): SentPayment {
  const signed = signedOf(record)
  if (signed.kind !== 'transfer') throw new Error(`${record.id} is no transfer`)
  const { amount, fee, expiry, mayCreate } = signed
  return { id: record.id, rung, to: toHex(signed.to), amount, fee, opensAccount: mayCreate, expiry }
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
  const fee = chosenFee(request.fee, params.fees.transfer + (known === undefined ? params.fees.cell : 0n))
  const from = chooseCell(payer, request.amount, fee)
  const expiry = chosenExpiry(request.expiry, health.tip.height, params)
  const nonce = await nonceOf(wallet, payer, from, request)
  // What was open before it has gone out meanwhile.
  if (nonce !== from.nonce) chooseCell(await client.account({ key: own }), request.amount, fee)
  const { amount, memo } = request
  const terms = { from: from.cell, nonce, to: fromHex(request.to), toCell: known?.cell, amount, fee, expiry, memo }
  const record = signRecord(wallet, terms)
  return request.expiry === undefined ? record : { ...record, expiryNamed: true }
}
