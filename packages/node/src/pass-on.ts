import { concatBytes, decodeSigned, equalBytes, type Receipt } from '@kedge/core'
import { type Host, HostStoppedError, NoSequencerError, SubmitError } from '@kedge/p2p'
import { type Chunk, isRowValid, type Verifier } from '@kedge/signatures'
import type { Executor } from './execute.ts'
import type { Follower } from './follow.ts'
import { type Intake, type IntakeResult, rowAt, rowCount, type Submission, type Submitter } from './intake.ts'
import { type Results, Screen } from './screen.ts'
import { type Refused, type Row, readAnswer } from './submit-answer.ts'
import type { Standing } from './wasted.ts'

/** Less than an API client waits for its answer. */
const PASS_ON_MS = 15_000

/** Rows that clients' large requests may have at the workers: half of the room, batches have to be checked too. */
const CLIENT_ROWS = 16_384

/**
 * Rows of cells that this node does not know that are under way to the sequencer in all, and of one request by who sends
 * it: nobody can judge their signatures here, and for those that don't hold this node is blamed there.
 */
const UNKNOWN_ROWS = 128
const UNKNOWN_OF_ONE: Readonly<Record<Standing, number>> = { trusted: 16, new: 16, stranger: 1, doubtful: 0 }

export interface PassingParts {
  readonly host: Pick<Host, 'submit'>
  readonly network: Uint8Array
  readonly verifier: Pick<Verifier, 'claim' | 'verify' | 'release'>
  readonly follower: Pick<Follower, 'links'>
  readonly executor: Pick<Executor, 'ledger' | 'head' | 'rejection'>
}

/**
 * The intake of a node that is no sequencer: hands operations to a connected one. That one knows this node, and not who
 * is behind it; so what is surely wrong is refused here, and what one client sends in vain does not count against all.
 * The ledger here may be behind: a cell that is not in it may be there, with a batch that is being built.
 */
export class PassingIntake implements Intake {
  private readonly parts: PassingParts
  private readonly note: (receipt: Receipt) => void
  private readonly screen: Screen
  private unknownUnderWay = 0

  /** @param note told each receipt; whether the sequencer signed it is looked at by those who want it */
  constructor(parts: PassingParts, note: (receipt: Receipt) => void) {
    this.parts = parts
    this.note = note
    const verifier = shareOf(parts.verifier, CLIENT_ROWS)
    this.screen = new Screen({ verifier, tree: parts.executor.ledger.tree, isSure: () => isSure(parts) })
  }

  async submit(submission: Submission, from?: Submitter): Promise<readonly IntakeResult[]> {
    const results: Results = new Array(rowCount(submission))
    const signed = await this.check(submission, results, from)
    const unknown = this.pickUnknown(submission, results, from)
    try {
      const rows = [...signed, ...unknown].sort((a, b) => a.row - b.row)
      const answers = rows.length === 0 ? [] : await this.passOn(rows)
      for (const [at, { row }] of rows.entries()) results[row] = answers[at] as IntakeResult
      this.screen.note(
        { submission, results, from },
        rows.map(({ row }) => row),
      )
    } finally {
      this.unknownUnderWay -= unknown.length
    }
    return results
  }

  find(): Promise<undefined> {
    return Promise.resolve(undefined)
  }

  /** Gives the rows that are signed, whose results stay open; all others have theirs. */
  private async check(submission: Submission, results: Results, from: Submitter | undefined): Promise<PlacedRow[]> {
    const signed: PlacedRow[] = []
    const use = (rows: readonly number[], chunk: Chunk) => {
      for (const [at, row] of rows.entries()) {
        const read = readRow(submission, row)
        if (read !== undefined && isRowValid(chunk.rows, at)) signed.push(read)
        else if (read === undefined) results[row] = UNDECODABLE
        // Where a batch is taken back, a cell that it opened may come to be somebody else's.
        else results[row] = isSure(this.parts) ? BAD_SIGNATURE : SYNCING
      }
      return Promise.resolve()
    }
    await this.screen.check(submission, results, from, use)
    return signed
  }

  /** Of those with unknown cells, as many as may be passed on; the others are to come again. */
  private pickUnknown(submission: Submission, results: Results, from: Submitter | undefined): PlacedRow[] {
    // Open ones are holes, which are passed over.
    const all = results.flatMap((result, row) => (!result.ok && result.code === 'unknown-cell' ? [row] : []))
    const room = Math.min(UNKNOWN_OF_ONE[this.screen.standingOf(from)], UNKNOWN_ROWS - this.unknownUnderWay)
    const picked = all.slice(0, room)
    for (const row of all.slice(room)) results[row] = OVERLOADED
    this.unknownUnderWay += picked.length
    return picked.flatMap((row) => readRow(submission, row) ?? [])
  }

  private async passOn(rows: readonly Row[]): Promise<readonly IntakeResult[]> {
    const { host, network } = this.parts
    const answered = await ask(host, concatBytes(...rows.map(({ bytes }) => bytes)))
    if (!answered.ok) return rows.map(() => ({ ok: false, code: answered.code }))
    const results = readAnswer(network, rows, answered.bytes)
    // Whoever answers like this is no sequencer of this version, and an operation can be submitted again.
    if (results === undefined) return rows.map(() => ({ ok: false, code: 'no-sequencer' }))
    for (const result of results)
      if (result.ok && 'taken' in result && result.taken.receipt) this.note(result.taken.receipt)
    return results
  }
}

interface PlacedRow extends Row {
  /** In its request. */
  readonly row: number
}

function readRow(submission: Submission, row: number): PlacedRow | undefined {
  const bytes = rowAt(submission, row)
  const operation = decodeSigned(bytes)
  return operation && { row, bytes, operation }
}

/** A verifier that has `most` rows for what is not urgent. */
function shareOf(verifier: PassingParts['verifier'], most: number): PassingParts['verifier'] {
  const large = new Set<Chunk>()
  let held = 0
  return {
    claim(count, isUrgent) {
      if (isUrgent) return verifier.claim(count, isUrgent)
      const chunk = held + count > most ? undefined : verifier.claim(count)
      if (chunk === undefined) return undefined
      large.add(chunk)
      held += count
      return chunk
    },
    verify: (chunk) => verifier.verify(chunk),
    release(chunk) {
      if (large.delete(chunk)) held -= chunk.count
      verifier.release(chunk)
    },
  }
}

/**
 * Whether the ledger holds live batches alone, none of which this node found faulty, and has told of all of them: then
 * it can be looked up what used a nonce. Else the sequencer knows better.
 */
function isSure({ follower, executor }: PassingParts): boolean {
  const { head, rejection, ledger } = executor
  const link = follower.links.get(head.number)
  const isLive = link !== undefined && follower.links.isLive(head.number, head.headerHash)
  return rejection === undefined && isLive && link.post !== undefined && equalBytes(link.post, ledger.root)
}

const UNDECODABLE = { ok: false, code: 'undecodable' } as const
const BAD_SIGNATURE = { ok: false, code: 'bad-signature' } as const
const SYNCING = { ok: false, code: 'syncing' } as const
const OVERLOADED = { ok: false, code: 'overloaded' } as const

type Asked = { readonly ok: true; readonly bytes: Uint8Array } | { readonly ok: false; readonly code: Refused }

async function ask(host: Pick<Host, 'submit'>, rows: Uint8Array): Promise<Asked> {
  const signal = AbortSignal.timeout(PASS_ON_MS)
  try {
    return { ok: true, bytes: await host.submit(rows, signal) }
  } catch (error) {
    if (error instanceof NoSequencerError || error instanceof HostStoppedError)
      return { ok: false, code: 'no-sequencer' }
    // It may have been taken all the same; submitting it again tells.
    if (error instanceof SubmitError || signal.aborted) return { ok: false, code: 'overloaded' }
    throw error
  }
}
