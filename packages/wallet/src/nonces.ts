import { type Account, ApiError } from '@kedge/api'
import { printAmount, printSats, type SignedOperation } from '@kedge/core'
import type { OwnCell } from './cell.ts'
import { type SendRecord, signedOf } from './content.ts'
import { WalletError } from './errors.ts'
import { findUse, isSettled } from './evidence.ts'
import { askNode, hasEnded } from './node-word.ts'
import { follow, mayBeWanted } from './records.ts'
import { submitRecord } from './submit.ts'
import type { Told } from './turn.ts'
import { readContent, type Wallet } from './wallet.ts'

/**
 * Which nonce is signed next. One rule keeps a node, or whoever stands between, from having the wallet pay twice:
 *
 * What the wallet signed keeps its nonce. A cell uses its nonces in their order, each once, so what is signed for the same
 * nonce can't be executed beside it, and what is signed for a later one is executed only behind it. So the same payment is
 * never signed for another nonce while its outcome is open (`repeat.ts`), and another one goes behind it once a node says
 * that it is ordered. That a node refuses something, says that it has expired, or is silent, frees nothing: it may keep the
 * bytes. That it names a higher nonce counts only with the operation that used the one below, signed by this wallet's key.
 */

export interface Intent {
  /** It is meant as a further payment: also beside one that pays the same, or behind one that is taken and not promised. */
  readonly again?: boolean
  /** It takes the place of the first one whose outcome is open: only one of the two can ever be executed. */
  readonly replace?: boolean
  /** The node's nonce is taken without evidence, at the payer's risk. */
  readonly trustNode?: boolean
  /** What the payer had been told of when he was asked whether he means it (`readTold`); as it is at the call when not given. */
  readonly told?: Told
}

/** The nonce of what is signed next for a cell. */
export type NonceOf = (wallet: Wallet, account: Account, cell: OwnCell, intent: Intent) => Promise<bigint>

type Groups = ReadonlyMap<bigint, readonly SendRecord[]>

/**
 * Submits again what is open before it.
 * @throws WalletError `earlier-open`, `nothing-to-replace`, `nonce-unproven` or `bad-answer`; ApiError
 */
export const nextNonce: NonceOf = async (wallet, account, cell, intent) => {
  const groups = await readGroups(wallet, cell)
  if (intent.replace === true) return replacedNonce(wallet, account, cell, groups)
  if (cell.nonce > signedUpTo(groups)) return foreignNonce(wallet, cell, intent)
  const floor = floorOf(groups)
  // What a sequencer has not counted was lost with its batch, and has to come before the next.
  const lost = account.rung === 'sequenced' && cell.nonce < floor ? cell.nonce : floor
  for (let next = lost; ; ) {
    const rivals = groups.get(next)
    if (rivals === undefined && next >= floor) return next
    const isUsed = rivals !== undefined && (await settle(wallet, cell, rivals, intent)) === 'used'
    next = isUsed ? cell.nonce : next + 1n
  }
}

/**
 * What the sequencer has not promised takes no nonce: it is what gives way to the forced one, or is it. What was forced
 * before does, as Bitcoin will carry it into a batch. Once the chain of batches has ended, a promise takes none either: it
 * can't be kept, and what was forced behind it would be without effect. If a node lies about the end, so is what is signed
 * then: the nonce was used.
 * @throws ApiError
 */
export const nextForcedNonce: NonceOf = async (wallet, _, cell, intent) => {
  const groups = await readGroups(wallet, cell)
  if (cell.nonce > signedUpTo(groups)) return foreignNonce(wallet, cell, intent)
  const published = new Set((await readContent(wallet)).publications.map(({ id }) => id))
  const isOver = await hasEnded(wallet)
  for (let next = isOver ? cell.nonce : floorOf(groups); ; next++) {
    const rivals = groups.get(next) ?? []
    if (!isOver && rivals.some(({ state }) => state === 'sequenced' || state === 'final')) continue
    const waiting = rivals.filter(({ id }) => published.has(id))
    if (!(await isAnyToCarry(wallet, waiting))) return next
  }
}

/** Whether a batch has to carry any of it, whatever a sequencer says: what was carried without effect has used no nonce. */
async function isAnyToCarry(wallet: Wallet, published: readonly SendRecord[]): Promise<boolean> {
  for (const record of published) {
    const said = await askNode(wallet, record.id, signedOf(record).kind)
    if (said?.rung !== 'refused' || said.reason !== 'forced-without-effect') return true
  }
  return false
}

async function readGroups(wallet: Wallet, { cell }: OwnCell): Promise<Groups> {
  const groups = new Map<bigint, SendRecord[]>()
  for (const record of (await readContent(wallet)).sends) {
    const { from, nonce } = signedOf(record)
    if (from === cell) groups.set(nonce, [...(groups.get(nonce) ?? []), record])
  }
  return groups
}

/** Below it every nonce was used, as one above shows. */
function floorOf(groups: Groups): bigint {
  let floor = 0n
  for (const [nonce, rivals] of groups) if (nonce >= floor && rivals.some(isSettled)) floor = nonce + 1n
  return floor
}

function signedUpTo(groups: Groups): bigint {
  let end = 0n
  for (const nonce of groups.keys()) if (nonce >= end) end = nonce + 1n
  return end
}

/** The words are in use elsewhere too, or were, before this wallet was restored from them: or the node lies. */
async function foreignNonce(wallet: Wallet, { cell, nonce }: OwnCell, { trustNode }: Intent): Promise<bigint> {
  if (trustNode === true) return nonce
  if ((await findUse(wallet, cell, nonce - 1n)) !== undefined) return nonce
  throw new WalletError(
    `The node at ${wallet.client.baseUrl} says that ${nonce} operations were made from this account, and shows none that these words signed with the last of these nonces. If these words paid or withdrew elsewhere a moment ago, wait for a block and try again. Otherwise it lies or is broken: use another node. To take its word, at the risk that what is signed now can only be executed behind something that never comes: --trust-node.`,
    { code: 'nonce-unproven', details: { nonce: String(nonce) } },
  )
}

/** Of the first that no node says to be ordered. */
async function replacedNonce(wallet: Wallet, { rung }: Account, cell: OwnCell, groups: Groups): Promise<bigint> {
  const floor = floorOf(groups)
  if (rung === 'sequenced' && cell.nonce < floor) return cell.nonce
  for (let next = floor; ; next++) {
    const rivals = groups.get(next)
    if (rivals === undefined) break
    if (!(await isAnyPlaced(wallet, rivals))) return next
  }
  throw new WalletError('There is nothing to replace: all that was signed before is ordered.', {
    code: 'nothing-to-replace',
  })
}

async function isAnyPlaced(wallet: Wallet, rivals: readonly SendRecord[]): Promise<boolean> {
  for (const record of rivals) if (await isPlaced(wallet, record)) return true
  return false
}

/**
 * Sees to it that of some rivals for one nonce one is ordered, as far as the node says so.
 * @returns `used`: the nonce was used elsewhere, which the node has shown, as all below its own
 * @throws WalletError `earlier-open` or `bad-answer`; ApiError
 */
async function settle(
  wallet: Wallet,
  cell: OwnCell,
  rivals: readonly SendRecord[],
  intent: Intent,
): Promise<'behind' | 'used'> {
  const [first] = rivals
  const wanted = rivals.findLast(mayBeWanted) ?? first
  if (wanted === undefined) throw new Error('rivals for a nonce, and there is none')
  if (await isAnyPlaced(wallet, rivals)) {
    if (mayBeWanted(wanted) || intent.again === true || rivals.some(isSettled)) return 'behind'
    throw earlierOpen(wanted, {
      why: 'a node refused it before, and says now that it is ordered',
      help: 'Ask again, and this one goes behind it.',
    })
  }
  const open = mayBeWanted(wanted) ? await submitTo(wallet, wanted) : refusedFor(wanted.reason ?? 'no reason')
  if (open === undefined || (open.reason === 'pending' && intent.again === true)) return 'behind'
  if (open.reason === 'nonce-used' && cell.nonce > signedOf(wanted).nonce) {
    if ((await findUse(wallet, cell.cell, cell.nonce - 1n)) !== undefined) return 'used'
  }
  throw earlierOpen(wanted, { why: open.why, help: helpFor(signedOf(wanted), { isTaken: open.reason === 'pending' }) })
}

interface StillOpen {
  readonly reason: string
  readonly why: string
}

function refusedFor(reason: string): StillOpen {
  const why = `a node refuses it (${reason}), which shows nothing: whoever has its bytes may submit them yet`
  return { reason, why }
}

/** Undefined where it is ordered after that, as the node says. @throws WalletError `bad-answer` */
async function submitTo(wallet: Wallet, record: SendRecord): Promise<StillOpen | undefined> {
  try {
    const { rung } = await submitRecord(wallet, record, false)
    const why = 'the node has passed it on, and nobody has promised it'
    return rung === 'pending' ? { reason: rung, why } : undefined
  } catch (error) {
    if (!(error instanceof WalletError) || (error.code !== 'refused' && error.code !== 'not-answered')) throw error
    const { reason = 'no reason' } = error.details
    return error.code === 'refused'
      ? refusedFor(reason)
      : { reason, why: `it was submitted again, in vain (${reason})` }
  }
}

/** Whether the node says that it is ordered. What evidence it shows is kept. */
export async function isPlaced(wallet: Wallet, record: SendRecord): Promise<boolean> {
  try {
    const said = await askNode(wallet, record.id, signedOf(record).kind)
    if (said === undefined) return false
    await follow(wallet, record, said)
    return 'batch' in said || said.rung === 'exit'
  } catch (error) {
    if (error instanceof ApiError && (error.code === 'syncing' || error.code === 'overloaded')) return false
    throw error
  }
}

/** What helps against what is open. Waiting doesn't: its nonce stays its own, also when it has expired. */
export function helpFor({ kind }: SignedOperation, { isTaken }: { readonly isTaken: boolean }): string {
  const what = kind === 'transfer' ? 'payment' : 'withdrawal'
  const behind = isTaken ? '; or --again, where a node has taken it, and this one goes behind it' : ''
  return `It keeps its place, also when it has expired. Make the same ${what} again, which signs no second one; or add --replace, which signs this one in its place, and only one of the two can ever be executed${behind}.`
}

export interface WhyOpen {
  readonly why: string
  /** What its payer can do about it: sentences. */
  readonly help: string
}

export function earlierOpen(record: SendRecord, { why, help }: WhyOpen): WalletError {
  const signed = signedOf(record)
  const amount = signed.kind === 'transfer' ? printAmount(signed.amount) : printSats(signed.amount)
  const what = signed.kind === 'transfer' ? 'payment' : 'withdrawal'
  return new WalletError(
    `Whether an earlier ${what} from this account is made is not known: ${amount}, ${record.id}: ${why}. Nothing was signed. ${help}`,
    { code: 'earlier-open', details: { id: record.id, expiry: String(signed.expiry) } },
  )
}
