import type { Submitted } from '@kedge/api'
import { estimateFeeRate, parseAddress, type Rpc } from '@kedge/bitcoin'
import { isDestination, leastWithdrawal, lonePayoutVbytes, type Params, payableAt, toHex } from '@kedge/core'
import { chooseCell, chosenFee } from '../cell.ts'
import { type SendRecord, signedOf } from '../content.ts'
import { WalletError } from '../errors.ts'
import { chosenExpiry } from '../expiry.ts'
import { type Intent, type NonceOf, nextNonce } from '../nonces.ts'
import { addRecord, signWithdrawalRecord } from '../records.ts'
import { type EarlierSame, findOpen, findRecent, isPayment, type PaysSame, submitOpen } from '../repeat.ts'
import { submitRecord } from '../submit.ts'
import { inTurn } from '../turn.ts'
import type { Wallet } from '../wallet.ts'

export interface WithdrawRequest extends Intent {
  /** A Bitcoin address of the network's chain: of one of the five standard scripts. */
  readonly address: string
  /** Satoshis that leave the account. What arrives is this less the share of the payout's fee. */
  readonly sats: bigint
  /** Satoshis that this share may be at most: `quoteWithdrawal` proposes one. */
  readonly payoutFee: bigint
  /** Millisatoshis for the sequencer; the network's minimum when not given. */
  readonly fee?: bigint
  /** The last Bitcoin height (of a batch's origin) at which it may be executed; `defaultExpiry` when not given. */
  readonly expiry?: number
}

/** What a withdrawal costs, and when it is paid, before anything is signed. */
export interface WithdrawalQuote {
  readonly address: string
  readonly sats: bigint
  /** Millisatoshis for the sequencer, on top. */
  readonly fee: bigint
  /** Satoshis that the payout may take of what was withdrawn: payouts share one fee, and take less, as a rule. */
  readonly payoutFee: bigint
  /** Satoshis that arrive at least. */
  readonly arrives: bigint
  /** Bitcoin's height now, and from which on the vault pays if the withdrawal is anchored in the next block. */
  readonly height: number
  readonly payableAt: number
}

export interface SentWithdrawal extends Omit<WithdrawalQuote, 'height' | 'payableAt'> {
  readonly id: string
  /** `pending`: passed on by a node that is no sequencer, not acknowledged yet. */
  readonly rung: Submitted['rung']
  readonly expiry: number
  /** As `SentPayment`'s. */
  readonly isRepeat?: true
}

/** Payouts wait for a lower rate: a limit of twice the present one lets them come through some of its rising. */
const RATE_MARGIN = 2
const CONFIRM_WITHIN = 6
/** sat/vB where bitcoind has seen too little to tell, and where there is none to ask. */
const RATE_FALLBACK = 2
const RATE_UNKNOWN = 10

/**
 * @param rpc a bitcoind that is asked for the fee rate
 * @throws WalletError `bad-address` or `bad-amount`; ApiError, RpcError, RpcUnreachableError
 */
export async function quoteWithdrawal(
  wallet: Wallet,
  request: Omit<WithdrawRequest, 'payoutFee'> & { readonly payoutFee?: bigint },
  rpc?: Rpc,
): Promise<WithdrawalQuote> {
  const { params, client } = wallet
  const { address, sats } = request
  const script = scriptOf(params, address)
  const payoutFee = request.payoutFee ?? (await proposeLimit(params, script, rpc))
  const fee = request.fee ?? params.fees.transfer
  checkAmount(params, sats, payoutFee)
  const { tip } = await client.health()
  const final = tip.height + 1 + params.windows.dispute
  const due = { height: tip.height, payableAt: payableAt(params, final) }
  return { address, sats, fee, payoutFee, arrives: sats - payoutFee, ...due }
}

/**
 * Takes bitcoin out. Order of effects as with a payment (`send`).
 * @throws WalletError as `send`, and `bad-address`; ApiError when the node can't be asked at all.
 */
export function withdraw(wallet: Wallet, request: WithdrawRequest): Promise<SentWithdrawal> {
  return inTurn(wallet.path, async (told) => {
    const isNew = request.again === true || request.replace === true
    const open = isNew ? undefined : await findOpen(wallet, sameAs(wallet, request), request.told ?? told)
    if (open !== undefined) {
      const { record, submitted } = await submitOpen(wallet, open)
      return { ...viewOf(request, record, submitted), isRepeat: true }
    }
    const record = await buildWithdrawal(wallet, request)
    await addRecord(wallet, record)
    return viewOf(request, record, await submitRecord(wallet, record))
  })
}

/** The same withdrawal, if the wallet made it not long ago. @throws WalletError `bad-address` */
export function findRecentWithdrawal(
  wallet: Wallet,
  request: Pick<WithdrawRequest, 'address' | 'sats'>,
): Promise<EarlierSame | undefined> {
  return findRecent(wallet, sameAs(wallet, request))
}

function sameAs({ params }: Wallet, { address, sats }: Pick<WithdrawRequest, 'address' | 'sats'>): PaysSame {
  const payee = toHex(scriptOf(params, address))
  return (record) => isPayment(record, { kind: 'withdrawal', payee, amount: sats })
}

function viewOf({ address }: WithdrawRequest, record: SendRecord, { rung }: Submitted): SentWithdrawal {
  const signed = signedOf(record)
  if (signed.kind !== 'withdrawal') throw new Error(`${record.id} is no withdrawal`)
  const { amount: sats, fee, payoutFee, expiry } = signed
  return { id: record.id, rung, address, sats, fee, payoutFee, arrives: sats - payoutFee, expiry }
}

/** Signs it for the fullest cell. @throws WalletError `bad-address`, `bad-amount`, `no-account`, `insufficient-funds` */
export async function buildWithdrawal(
  wallet: Wallet,
  request: WithdrawRequest,
  nonceOf: NonceOf = nextNonce,
): Promise<SendRecord> {
  const { client, keys, params } = wallet
  const { sats, payoutFee } = request
  const script = scriptOf(params, request.address)
  checkAmount(params, sats, payoutFee)
  const [payer, health] = await Promise.all([client.account({ key: toHex(keys.rollup.key) }), client.health()])
  const fee = chosenFee(request.fee, params.fees.transfer)
  const from = chooseCell(payer, sats * 1000n, fee)
  const expiry = chosenExpiry(request.expiry, health.tip.height, params)
  const nonce = await nonceOf(wallet, payer, from, request)
  if (nonce !== from.nonce) chooseCell(await client.account({ key: payer.key }), sats * 1000n, fee)
  const record = signWithdrawalRecord(wallet, {
    ...{ from: from.cell, nonce, script, amount: sats, payoutFee, fee, expiry },
  })
  return request.expiry === undefined ? record : { ...record, expiryNamed: true }
}

function scriptOf({ chain }: Params, address: string): Uint8Array {
  const parsed = parseAddress(address, chain)
  if (parsed.ok && isDestination(parsed.script)) return parsed.script
  const why = parsed.ok ? 'it is of a kind that withdrawals are not paid to' : parsed.reason
  throw new WalletError(`${address} is no Bitcoin address that can be paid on ${chain}: ${why}. Copy it again.`, {
    code: 'bad-address',
  })
}

function checkAmount(params: Params, sats: bigint, payoutFee: bigint): void {
  const least = leastWithdrawal(params, payoutFee)
  if (sats < least)
    throw new WalletError(
      `With up to ${payoutFee} sat for the payout, the least that can be withdrawn is ${least} sat: less would arrive as dust.`,
      { code: 'bad-amount', details: { least: String(least) } },
    )
  if (payoutFee < params.fees.payout)
    throw new WalletError(`The network asks for a payout fee limit of ${params.fees.payout} sat at least.`, {
      code: 'bad-amount',
    })
}

async function proposeLimit(params: Params, script: Uint8Array, rpc: Rpc | undefined): Promise<bigint> {
  const rate = rpc === undefined ? RATE_UNKNOWN : await estimateFeeRate(rpc, CONFIRM_WITHIN, RATE_FALLBACK)
  const limit = BigInt(Math.ceil(lonePayoutVbytes(params, script) * rate * RATE_MARGIN))
  return limit > params.fees.payout ? limit : params.fees.payout
}
