import {
  type Built,
  buildCommit,
  buildReveal,
  estimateFeeRate,
  InsufficientFundsError,
  type Publication,
  printHash,
  type Rpc,
  sendTransaction,
  spendableCoins,
} from '@kedge/bitcoin'
import { encodeMessage, encodeSigned, fromHex, type SignedOperation, toHex } from '@kedge/core'
import { ownTransactions, readOwnCoins } from '../coins.ts'
import { type PublicationRecord, type SendRecord, signedOf, type WalletContent } from '../content.ts'
import { WalletError } from '../errors.ts'
import { addressesOf } from '../keys.ts'
import { hasEnded } from '../node-word.ts'
import { nextForcedNonce } from '../nonces.ts'
import { dated, paysTheSame } from '../records.ts'
import { findOpen, inTheWay } from '../repeat.ts'
import { inTurn } from '../turn.ts'
import { changeContent, readContent, type Wallet } from '../wallet.ts'
import { buildTransfer, checkRequest, type SendRequest } from './send.ts'
import { buildWithdrawal, type WithdrawRequest } from './withdraw.ts'

export type ForceRequest = (
  | { readonly kind: 'transfer'; readonly transfer: SendRequest }
  | { readonly kind: 'withdrawal'; readonly withdrawal: WithdrawRequest }
) & {
  /** sat/vB; bitcoind's estimate when not given. */
  readonly feeRate?: number
}

/** An operation with the transactions that publish it: signed, and not sent. */
export interface PreparedForce {
  readonly record: SendRecord
  readonly publication: PublicationRecord
  readonly operation: SignedOperation
  /** Satoshis for Bitcoin: both transactions' fees, and what the message pays. */
  readonly cost: bigint
  /** The chain of batches has ended: the block that holds it executes it. */
  readonly isExit: boolean
  /** If the next block holds it, and batches go on: a batch with an origin of this height or more must contain it. */
  readonly dueFrom: number
  /** The last height at which a batch without it can still be anchored and live. */
  readonly lastWithout: number
}

export interface ForcedOperation extends Omit<PreparedForce, 'record' | 'publication'> {
  readonly id: string
  /** Of the transaction that shows it, in Bitcoin's display order. */
  readonly txid: string
}

/** Within about an hour; where bitcoind has seen too little to tell, twice the least that relays. */
const CONFIRM_WITHIN = 6
const FEE_RATE_FALLBACK = 2

/**
 * Signs an operation, and the two transactions that put it on Bitcoin where no sequencer can leave it out. One that pays
 * the same for the same nonce, and was signed before, is taken again: so the sequencer's refusal and a second try make no
 * second payment.
 *
 * @throws WalletError as `send` and `withdraw`, and `no-coins`; ApiError, RpcError, RpcUnreachableError.
 */
export async function prepareForce(wallet: Wallet, rpc: Rpc, request: ForceRequest): Promise<PreparedForce> {
  if (request.kind === 'transfer') checkRequest(wallet, request.transfer)
  const fresh = await (request.kind === 'transfer'
    ? buildTransfer(wallet, request.transfer, nextForcedNonce)
    : buildWithdrawal(wallet, request.withdrawal, nextForcedNonce))
  const { again } = request.kind === 'transfer' ? request.transfer : request.withdrawal
  const record = (await signedBefore(wallet, fresh, again === true)) ?? fresh
  const content = await readContent(wallet)
  const operation = signedOf(record)
  const rate = request.feeRate ?? (await estimateFeeRate(rpc, CONFIRM_WITHIN, FEE_RATE_FALLBACK))
  const { coins, tip } = await readOwnCoins(wallet, rpc, ownTransactions(content))
  const key = wallet.keys.bitcoin
  const funding = { key, coins: spendableCoins(coins, tip), feeRate: rate }
  const bytes: Publication = {
    ...{ params: wallet.params, payload: encodeMessage({ kind: 'forced' }), bytes: encodeSigned(operation) },
  }
  const commit = orNoCoins(wallet, () => buildCommit(bytes, rate, funding))
  const reveal = orNoCoins(wallet, () => buildReveal(bytes, commit.raw, { ...funding, coins: [] }))
  const { forced, staleness } = wallet.params.windows
  const dueFrom = tip + 1 + forced
  const publication = { id: record.id, commit: rawOf(commit), reveal: rawOf(reveal) }
  const due = { isExit: await hasEnded(wallet), dueFrom, lastWithout: dueFrom - 1 + staleness }
  return { record, publication, operation, cost: commit.fee + reveal.fee + SIGNAL, ...due }
}

/**
 * The very bytes that were signed before where they pay the same for the nonce that is next, so that sequencer and Bitcoin
 * carry one operation. Otherwise it is signed anew: for the same nonce, or only if nothing that pays the same is open.
 * @throws WalletError `earlier-open`; `paid-already` where what was open turns out to be ordered
 */
async function signedBefore(wallet: Wallet, fresh: SendRecord, again: boolean): Promise<SendRecord | undefined> {
  const { sends } = await readContent(wallet)
  const same = sends.find((earlier) => isSameAgain(earlier, fresh))
  if (same !== undefined || again) return same
  const open = await findOpen(wallet, (earlier) => paysTheSame(earlier, fresh))
  if (open === undefined || isRival(open, fresh)) return undefined
  throw await inTheWay(wallet, open, {
    why: 'it has another nonce than what would be forced now',
    help: 'Submit it again: kedge wallet resume; what was published waits for the batch that must carry it. Or add --again, which forces another one beside it.',
  })
}

/** Satoshis that a message pays beside its fee. */
const SIGNAL = 330n

/**
 * Publishes what was prepared. Order of effects: operation and transactions are recorded, then both are sent. After a
 * crash in between the same ones are sent later (`resumePublications`).
 * @throws WalletError `publication-refused`; RpcError, RpcUnreachableError.
 */
export function publishForce(wallet: Wallet, rpc: Rpc, prepared: PreparedForce): Promise<ForcedOperation> {
  return inTurn(wallet.path, async () => {
    const { record, publication, ...told } = prepared
    const before = await readContent(wallet)
    const known = before.sends.some(({ id }) => id === record.id)
    await changeContent(wallet, (content) => ({
      ...content,
      sends: [...content.sends, ...(known ? [] : [dated(record)])].map((sent) =>
        sent.id === record.id ? { ...sent, forced: true } : sent,
      ),
      publications: [...without(content, [record.id]).publications, publication],
    }))
    const refused = await sendBoth(rpc, publication)
    if (refused !== undefined) {
      await changeContent(wallet, (content) => undone(content, before, record.id))
      throw new WalletError(
        `Bitcoin’s node refuses the publication: ${refused.detail}. Try again, with a higher fee rate if that is the reason.`,
        { code: 'publication-refused', details: { reason: refused.reason } },
      )
    }
    return { id: record.id, txid: publication.reveal.txid, ...told }
  })
}

/** As it was before a publication that Bitcoin does not have: an earlier one of the same operation is in force again. */
function undone(content: WalletContent, before: WalletContent, id: string): WalletContent {
  const earlier = before.sends.find((sent) => sent.id === id)
  const sends = content.sends.flatMap((sent) => {
    if (sent.id !== id) return [sent]
    const { forced: _, ...unforced } = sent
    if (earlier === undefined) return []
    return [earlier.forced === true ? { ...unforced, forced: earlier.forced } : unforced]
  })
  const publications = before.publications.filter((publication) => publication.id === id)
  return { ...content, sends, publications: [...without(content, [id]).publications, ...publications] }
}

export interface ResumedPublication {
  /** The operation's. */
  readonly id: string
  readonly txid: string
  /** `gone`: what it spends is spent or missing, so it was given up. `refused`: bitcoind's `reason` says why; kept. */
  readonly outcome: 'sent' | 'refused' | 'gone'
  readonly reason?: string
}

/** Sends publications again that no block holds; forgets those that are deep enough, or can never be sent. */
export function resumePublications(wallet: Wallet, rpc: Rpc): Promise<readonly ResumedPublication[]> {
  return inTurn(wallet.path, async () => {
    const resumed: ResumedPublication[] = []
    const done: string[] = []
    const gone: string[] = []
    for (const publication of (await readContent(wallet)).publications) {
      const { id, reveal } = publication
      const depth = await depthOf(wallet, id)
      if (depth > wallet.params.windows.staleness + wallet.params.windows.dispute) done.push(id)
      if (depth > 0) continue
      const refused = await sendBoth(rpc, publication)
      const outcome = refused === undefined ? 'sent' : refused.reason === 'inputs' ? 'gone' : 'refused'
      if (outcome === 'gone') gone.push(id)
      resumed.push({ id, txid: reveal.txid, outcome, ...(refused && { reason: refused.detail }) })
    }
    if (done.length + gone.length > 0)
      await changeContent(wallet, (content) => unforced(without(content, [...done, ...gone]), gone))
    return resumed
  })
}

/** Blocks on top of where it stands on Bitcoin, its own included; 0 where the node has not read of it. */
async function depthOf({ client }: Wallet, id: string): Promise<number> {
  const [{ tip }, { forced }] = await Promise.all([client.health(), client.forced({ id })])
  return Math.max(0, ...forced.map(({ position }) => tip.height - position.height + 1))
}

function without(content: WalletContent, ids: readonly string[]): WalletContent {
  return { ...content, publications: content.publications.filter(({ id }) => !ids.includes(id)) }
}

/** What no publication shows to Bitcoin takes no nonce by having been forced. */
function unforced(content: WalletContent, ids: readonly string[]): WalletContent {
  const sends = content.sends.map((sent) => {
    const { forced: _, ...rest } = sent
    return ids.includes(sent.id) ? rest : sent
  })
  return { ...content, sends }
}

/** Why the second one can't be on Bitcoin, or undefined. */
async function sendBoth(rpc: Rpc, { commit, reveal }: PublicationRecord) {
  const first = await sendTransaction(rpc, fromHex(commit.raw), 0n)
  const second = await sendTransaction(rpc, fromHex(reveal.raw), 0n)
  if (second.ok || second.reason === 'mined') return undefined
  return first.ok || first.reason === 'mined' || first.reason === 'inputs' ? second : first
}

function isSameAgain(earlier: SendRecord, fresh: SendRecord): boolean {
  // Where the recipient has an account by now, the old bytes would make it a second one.
  const isAsOpen = makesAccount(signedOf(earlier)) === makesAccount(signedOf(fresh))
  return isRival(earlier, fresh) && earlier.reason !== 'expired' && isAsOpen && paysTheSame(earlier, fresh)
}

/** At most one of the two is ever executed. */
function isRival(earlier: SendRecord, fresh: SendRecord): boolean {
  const [one, other] = [signedOf(earlier), signedOf(fresh)]
  return one.from === other.from && one.nonce === other.nonce
}

function makesAccount(operation: SignedOperation): boolean {
  return operation.kind === 'transfer' && operation.mayCreate
}

function rawOf({ txid, raw }: Built): PublicationRecord['commit'] {
  return { txid: printHash(txid), raw: toHex(raw) }
}

function orNoCoins<T>({ keys, params }: Wallet, build: () => T): T {
  try {
    return build()
  } catch (error) {
    if (!(error instanceof InsufficientFundsError)) throw error
    const { bitcoin } = addressesOf(keys, params.chain)
    throw new WalletError(
      `There is too little bitcoin on ${bitcoin} to publish it: ${error.message}. Send bitcoin there first, and wait until it is in a block.`,
      { code: 'no-coins', cause: error },
    )
  }
}
