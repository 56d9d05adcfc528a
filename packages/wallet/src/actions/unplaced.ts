import { ApiError } from '@kedge/api'
import { addressOf } from '@kedge/bitcoin'
import { toHex } from '@kedge/core'
import { type SendRecord, signedOf } from '../content.ts'
import { askNode, hasEnded, type NodeWord } from '../node-word.ts'
import { follow, mayBeWanted, paysTheSame, rivalsIn, wasAcknowledged } from '../records.ts'
import { readContent, type Wallet } from '../wallet.ts'

/** A payment or withdrawal of this wallet's that stands in no batch, as far as the node knows. */
export interface UnplacedSend {
  readonly id: string
  readonly kind: 'transfer' | 'withdrawal'
  /** A rollup key; of a withdrawal the address that it pays. */
  readonly to: string
  /** Millisatoshis. */
  readonly amount: bigint
  readonly fee: bigint
  readonly expiry: number
  /** The memo as it was written here. */
  readonly text?: string
  /**
   * - `recorded`: nobody has acknowledged it so far
   * - `pending`: it is in a batch on Bitcoin that the node has not in its ledger
   * - `unknown`: it was acknowledged, and the node knows nothing of it, or can't say for `reason`
   * - `dropped`: it was acknowledged, and can't be executed as it is, for `reason`; `chain-ended`: no batch comes any more
   * - `refused`: it was never acknowledged and can't be executed as it is, for `reason`
   */
  readonly standing: 'recorded' | 'pending' | 'unknown' | 'dropped' | 'refused'
  readonly reason?: string
}

/** @throws ApiError when the node can't be asked at all. */
export async function readUnplaced(wallet: Wallet): Promise<readonly UnplacedSend[]> {
  return (await findUnplaced(wallet)).map((unplaced) => viewOf(wallet, unplaced))
}

export interface Unplaced {
  readonly record: SendRecord
  readonly standing: UnplacedSend['standing']
  readonly reason?: string
  /** Of all payments for its nonce the one that its payer wants: no later one took its place. */
  readonly isWanted: boolean
}

/** Asks the node for every payment that was not seen in a final batch, and records what it says. */
export async function findUnplaced(wallet: Wallet): Promise<readonly Unplaced[]> {
  const { sends } = await readContent(wallet)
  const unplaced: Unplaced[] = []
  for (const rivals of rivalsIn(sends)) unplaced.push(...(await judge(wallet, rivals)))
  return unplaced
}

async function judge(wallet: Wallet, rivals: readonly SendRecord[]): Promise<Unplaced[]> {
  const final = rivals.find(({ state }) => state === 'final')
  const asked = final === undefined ? await Promise.all(rivals.map((record) => ask(wallet, record))) : []
  const placed = final ?? rivals.find((_, at) => asked[at]?.placed === true)
  const wanted = placed ?? rivals.findLast(mayBeWanted) ?? rivals.at(-1)
  return rivals.flatMap((record, at): Unplaced[] => {
    if (record === placed) return []
    const said = asked[at]
    if (record === wanted && said?.placed === false) return [{ record, ...said.as, isWanted: mayBeWanted(record) }]
    // Its payer was told when it was refused, or has paid the same in its place.
    if (!mayBeWanted(record) || (wanted !== undefined && paysTheSame(record, wanted))) return []
    const standing = wasAcknowledged(record) ? 'dropped' : 'refused'
    return [{ record, standing, reason: 'nonce-used', isWanted: false }]
  })
}

type Asked = { readonly placed: true } | { readonly placed: false; readonly as: Pick<Unplaced, 'standing' | 'reason'> }

async function ask(wallet: Wallet, record: SendRecord): Promise<Asked> {
  try {
    const said = await askNode(wallet, record.id, signedOf(record).kind)
    if (said === undefined) return { placed: false, as: await ownWord(wallet, record) }
    // One that nobody has promised yet is submitted again for the promise.
    if (record.state !== 'recorded' || isForcedAway(said)) await follow(wallet, record, said)
    return standingOf(said)
  } catch (error) {
    if (!(error instanceof ApiError)) throw error
    if (error.code !== 'syncing' && error.code !== 'overloaded') throw error
    return { placed: false, as: { standing: 'unknown', reason: error.code } }
  }
}

/** Nobody will promise what a batch carried because it was forced. */
function isForcedAway(said: NodeWord): boolean {
  return said.rung === 'refused' || said.rung === 'exit' || 'forced' in said
}

function standingOf(said: NodeWord): Asked {
  if ('batch' in said || said.rung === 'exit') return { placed: true }
  if (said.rung === 'pending') return { placed: false, as: { standing: 'pending' } }
  return { placed: false, as: { standing: said.rung, reason: said.reason } }
}

/** Of a payment that the node knows nothing of. */
async function ownWord(wallet: Wallet, { state, reason }: SendRecord): Promise<Pick<Unplaced, 'standing' | 'reason'>> {
  if (state === 'recorded') return { standing: 'recorded' }
  if (state === 'refused' || state === 'dropped')
    return reason === undefined ? { standing: state } : { standing: state, reason }
  return (await hasEnded(wallet)) ? { standing: 'dropped', reason: 'chain-ended' } : { standing: 'unknown' }
}

function viewOf({ params }: Wallet, { record, standing, reason }: Unplaced): UnplacedSend {
  const signed = signedOf(record)
  const { kind, fee, expiry } = signed
  const to = signed.kind === 'transfer' ? toHex(signed.to) : addressOf(signed.script, params.chain)
  const amount = signed.kind === 'transfer' ? signed.amount : signed.amount * 1000n
  const text = record.memo === undefined ? {} : { text: record.memo }
  const why = reason === undefined ? {} : { reason }
  return { id: record.id, kind, to, amount, fee, expiry, ...text, standing, ...why }
}
