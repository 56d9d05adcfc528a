import { type CellTree, decodeSigned, isNonceUsed, payerOf } from '@kedge/core'
import { type Chunk, type Verifier, writeRow } from '@kedge/signatures'
import { type IntakeResult, rowAt, rowCount, type Submission, type Submitter } from './intake.ts'
import { Turns } from './turns.ts'
import { type Standing, Wasted } from './wasted.ts'

export interface ScreenParts {
  readonly verifier: Pick<Verifier, 'claim' | 'verify' | 'release'>
  readonly tree: CellTree
  /** Whether it can be told now what used a nonce that the tree holds as used. Always, unless given. */
  readonly isSure?: () => boolean
  /** Below which number peers know whose a cell is. Of all of them, unless given. */
  readonly settledCells?: () => number
}

type Refused = Extract<IntakeResult, { ok: false }>['code']

/** By row; nothing stands there while a row's fate is open. */
export type Results = IntakeResult[]

/** What is done with rows of a submission once row i of the chunk says whether the signature of `rows[i]` holds. */
export type Use = (rows: readonly number[], chunk: Chunk) => Promise<void>

interface Request {
  readonly submission: Submission
  readonly results: Results
  readonly from: Submitter | undefined
  readonly use: Use
}

/** Whether the rows of a payer are. */
type IsMeant = (payer: number) => boolean

const NOBODY: ReadonlySet<number> = new Set()

/** Where a request is let at the workers. */
interface Place {
  readonly isUrgent: boolean
  /** Once they are through with it. */
  readonly leave: () => void
}

/** Requests of so many rows wait for no larger one. Wallets send one. */
const URGENT_ROWS = 16

/**
 * Single ones of strangers that may be under way in all, and as many of peers that are strangers: connections cost less
 * than those. Rows of large requests of those who are new.
 */
const STRANGER_ROWS = 128
const NEW_ROWS = 8192

/** Rows of the doubtful that may wait: a second of signatures. */
const DOUBTFUL_ROWS = 8192

/**
 * What stands before the signature workers: what can be told without them, and who comes first. A signature is a
 * thousand times as dear to check as to make up, so the requests of those who send such as do not hold are let at the
 * workers one at a time, beside those of all others; and what wallets send waits behind no large request of anybody's.
 */
export class Screen {
  private readonly parts: ScreenParts
  private readonly turns = new Turns(DOUBTFUL_ROWS)
  private readonly wasted = new Wasted()
  /** By cell, of what peers passed on. */
  private readonly payers = new Wasted()
  private readonly underWay = { new: 0, stranger: 0, peer: 0 }

  constructor(parts: ScreenParts) {
    this.parts = parts
  }

  /**
   * Has the signatures checked that are worth it, and hands them on; every other row's result is written at once, or
   * when there is no room. What `use` refuses may count against whoever submits, or signed it.
   */
  async check(submission: Submission, results: Results, from: Submitter | undefined, use: Use): Promise<void> {
    const blamed = isPeer(from) ? this.findBlamed(submission) : NOBODY
    const request = { submission, results, from, use }
    const standing = this.standingOf(from)
    if (blamed.size === 0) return this.checkOf(request, standing, () => true)
    await Promise.all([
      this.checkOf(request, standing, (payer) => !blamed.has(payer)),
      this.checkOf(request, 'doubtful', (payer) => blamed.has(payer)),
    ])
  }

  standingOf(from: Submitter | undefined): Standing {
    return from === undefined ? 'trusted' : this.wasted.standingOf(from, performance.now())
  }

  /**
   * What became of rows is held for or against whoever submitted them; what is open is not. A peer passes on what others
   * sign, and can tell as little as these whether it stands by the newest ledger: that is held against the payers. Whether
   * somebody signed for a new cell it can't tell either.
   */
  note({ submission, from, results }: Omit<Request, 'use'>, rows: readonly number[]): void {
    if (from === undefined) return
    const now = performance.now()
    const settled = this.parts.settledCells?.() ?? Number.POSITIVE_INFINITY
    let [taken, inVain] = [0, 0]
    for (const row of rows) {
      const result = results[row]
      if (result === undefined) continue
      const payer = payerOf(rowAt(submission, row))
      // What was taken before is no new credit.
      const isTaken = result.ok && 'taken' in result
      const isInVain = !result.ok && isToBlame(result.code)
      if (isTaken) taken++
      if (isInVain && (!isPeer(from) || (!isSigned(result.code) && payer < settled))) inVain++
      else if (isPeer(from) && (isTaken || (isInVain && isSigned(result.code)))) this.notePayer(payer, isTaken, now)
    }
    this.wasted.note(from, taken, inVain, now)
  }

  private notePayer(payer: number, isTaken: boolean, now: number): void {
    const address = String(payer)
    // Most payers are never heard of here.
    if (isTaken && this.payers.standingOf({ address }, now) !== 'stranger') return
    this.payers.note({ address }, Number(isTaken), Number(!isTaken), now)
  }

  /** Payers who signed, not long ago, more that could not stand than what was taken since. */
  private findBlamed(submission: Submission): ReadonlySet<number> {
    if (this.payers.isEmpty) return NOBODY
    const now = performance.now()
    const payers = new Set(Array.from({ length: rowCount(submission) }, (_, row) => payerOf(rowAt(submission, row))))
    return new Set([...payers].filter((payer) => this.payers.standingOf({ address: `${payer}` }, now) === 'stranger'))
  }

  private async checkOf(request: Request, standing: Standing, isMeant: IsMeant): Promise<void> {
    const { submission, results, from, use } = request
    const first = this.sort(submission, results, isMeant)
    if (first.length === 0) return
    const pass = this.letIn(first.length, standing, isPeer(from))
    const place = pass instanceof Promise ? await pass : pass
    // While it waited, nonces were used, and the ledger may have gone back.
    const rows = pass instanceof Promise ? this.sort(submission, results, isMeant) : first
    const isWanted = place !== undefined && rows.length > 0 && from?.connection?.destroyed !== true
    const chunk = isWanted ? this.parts.verifier.claim(rows.length, place.isUrgent) : undefined
    if (chunk === undefined) {
      place?.leave()
      for (const row of rows) results[row] = OVERLOADED
      return
    }
    try {
      await this.verify(submission, rows, chunk).finally(place?.leave)
      await use(rows, chunk)
    } finally {
      this.parts.verifier.release(chunk)
    }
    this.note(request, rows)
  }

  /** Undefined where there is no room. */
  private letIn(rows: number, standing: Standing, isPassedOn: boolean): Promise<Place> | Place | undefined {
    const isSmall = rows <= URGENT_ROWS
    if (standing === 'trusted' || (standing === 'new' && isSmall)) return { isUrgent: isSmall, leave: () => undefined }
    if (standing === 'new' && this.underWay.new + rows <= NEW_ROWS) return this.count('new', rows, false)
    const kind = isPassedOn ? 'peer' : 'stranger'
    if (standing === 'stranger' && rows === 1 && this.underWay[kind] < STRANGER_ROWS) return this.count(kind, 1, true)
    const turn = this.turns.take(rows)
    if (turn instanceof Promise) return turn.then((leave) => ({ isUrgent: false, leave }))
    return turn && { isUrgent: false, leave: turn }
  }

  private count(kind: keyof typeof this.underWay, rows: number, isUrgent: boolean): Place {
    this.underWay[kind] += rows
    const leave = () => {
      this.underWay[kind] -= rows
    }
    return { isUrgent, leave }
  }

  /** Rows whose signatures are to be checked; those of which they would change nothing are answered. */
  private sort(submission: Submission, results: Results, isMeant: IsMeant): number[] {
    const { tree } = this.parts
    const isSure = this.parts.isSure?.() ?? true
    const rows: number[] = []
    for (let row = 0; row < results.length; row++) {
      if (results[row] !== undefined) continue
      const bytes = rowAt(submission, row)
      const payer = payerOf(bytes)
      if (!isMeant(payer)) continue
      const isKnown = payer < tree.count
      if (isKnown && !(isSure && isNonceUsed(tree, payer, bytes))) rows.push(row)
      else if (decodeSigned(bytes) === undefined) results[row] = UNDECODABLE
      else results[row] = isKnown ? NONCE_USED : UNKNOWN_CELL
    }
    return rows
  }

  private async verify(submission: Submission, rows: readonly number[], chunk: Chunk): Promise<void> {
    const { tree, verifier } = this.parts
    rows.forEach((row, at) => {
      const bytes = rowAt(submission, row)
      writeRow(chunk.rows, at, tree.owner(payerOf(bytes)), bytes)
    })
    await verifier.verify(chunk)
  }
}

/** Peers ask over connections that carry what many people sign. */
function isPeer(from: Submitter | undefined): boolean {
  return from !== undefined && from.connection === undefined
}

/** Whether it was found by the ledger, once the payer's signature had been checked. */
function isSigned(code: Refused): boolean {
  return code !== 'bad-signature' && code !== 'undecodable'
}

/** Whether it is the fault of what was submitted, and not of the node's state. */
function isToBlame(code: Refused): boolean {
  switch (code) {
    case 'overloaded':
    case 'syncing':
    case 'chain-broken':
    case 'batch-rejected':
    case 'no-sequencer':
    case 'not-due':
    case 'deposit-due':
    case 'forced-due':
      return false
    default:
      return true
  }
}

const UNDECODABLE = { ok: false, code: 'undecodable' } as const
const UNKNOWN_CELL = { ok: false, code: 'unknown-cell' } as const
const NONCE_USED = { ok: false, code: 'nonce-used' } as const
const OVERLOADED = { ok: false, code: 'overloaded' } as const
