import type { Account, Submitted } from '@kedge/api'
import { fromHex, isHex, toHex } from '@kedge/core'
import { type SendRecord, transferOf } from '../content.ts'
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
    const record = await buildRecord(wallet, request)
    await addRecord(wallet, record)
    const submitted = await submitRecord(wallet, record)
    const { fee, expiry, mayCreate: opensAccount } = transferOf(record)
    return { id: record.id, rung: submitted.rung, to: request.to, amount: request.amount, fee, opensAccount, expiry }
  })
}

function checkRequest(wallet: Wallet, { to, amount }: SendRequest): void {
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

async function buildRecord(wallet: Wallet, request: SendRequest): Promise<SendRecord> {
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
  const { sends } = await readContent(wallet)
  const nonce = nextNonce(payer, from, sends)
  const expiry = request.expiry ?? defaultExpiry(health.tip.height, params)
  const { amount, memo } = request
  const terms = { from: from.cell, nonce, to: fromHex(request.to), toCell: known?.cell, amount, fee, expiry, memo }
  const record = signRecord(wallet, terms)
  return request.expiry === undefined ? record : { ...record, expiryNamed: true }
}

type OwnCell = Account['cells'][number]

/** The fullest cell: one transfer spends from one cell. */
function chooseCell(account: Account, amount: bigint, fee: bigint): OwnCell {
  const [first, ...others] = account.cells
  if (first === undefined) {
    const waiting =
      account.waiting.length > 0
        ? ' A deposit waits to be credited; try again after that.'
        : ' Deposit bitcoin, or let somebody pay you.'
    throw new WalletError(`This wallet has no account on the rollup yet.${waiting}`, { code: 'no-account' })
  }
  const fullest = others.reduce((best, cell) => (cell.balance > best.balance ? cell : best), first)
  if (fullest.balance < amount + fee) {
    const split =
      account.balance >= amount + fee ? ' The money is spread over several accounts of this key; send it in parts.' : ''
    throw new WalletError(
      `The payment takes ${amount} msat and ${fee} msat of fee, the account holds ${fullest.balance} msat.${split}`,
      {
        code: 'insufficient-funds',
        details: { needed: String(amount + fee), held: String(fullest.balance) },
      },
    )
  }
  return fullest
}

/**
 * A node that sequences knows every transfer that is acknowledged. Any other says where the last batch stands: there,
 * the wallet's own transfers on their way take nonces too.
 */
function nextNonce(account: Account, { cell, nonce }: OwnCell, sends: readonly SendRecord[]): bigint {
  if (account.rung === 'sequenced') return nonce
  const taken = new Set(
    sends
      .filter(({ state }) => state !== 'refused' && state !== 'dropped')
      .map(transferOf)
      .filter(({ from }) => from === cell)
      .map((sent) => sent.nonce),
  )
  let next = nonce
  while (taken.has(next)) next += 1n
  return next
}
