import { decodeSigned, payerOf, signedMessage, toHex } from '@kedge/core'
import {
  type Intake,
  type IntakeResult,
  type NodeParts,
  rowAt,
  rowCount,
  type Submission,
  type Taken,
} from '@kedge/node'
import { type Chunk, isRowValid, readRowId, readRowOwner, writeRow } from '@kedge/signatures'
import type { Added, Candidate } from './candidate.ts'
import type { OpenBatch } from './open-batch.ts'
import type { Producer } from './producer.ts'
import type { Ticks } from './ticks.ts'

/**
 * Takes transfers and withdrawals in: decoded strictly, signatures checked in the verifier's threads, then added in the order of
 * their arrival, on disk before the answer.
 */
export class SequencerIntake implements Intake {
  private readonly node: NodeParts
  private readonly producer: Producer
  /** Ids of what was signed in the open batch, filled as somebody asks. */
  private readonly index = new WeakMap<OpenBatch, { readonly byId: Map<string, number>; read: number }>()

  constructor(node: NodeParts, producer: Producer) {
    this.node = node
    this.producer = producer
  }

  async submit(submission: Submission): Promise<readonly IntakeResult[]> {
    const results: IntakeResult[] = new Array(rowCount(submission))
    const { reason } = this.producer
    // A ledger that is behind can't say which cells there are.
    if (reason !== undefined) return results.fill({ ok: false, code: reason })
    const known = this.findPaid(submission, results)
    const chunk = known.length > 0 ? this.node.verifier.claim(known.length) : undefined
    if (chunk === undefined) return Array.from(results, (result) => result ?? { ok: false, code: 'overloaded' })
    const { tree } = this.node.executor.ledger
    known.forEach((row, at) => {
      const bytes = rowAt(submission, row)
      writeRow(chunk.rows, at, tree.owner(payerOf(bytes)), bytes)
    })
    try {
      await this.node.verifier.verify(chunk)
      await this.order(submission, known, chunk, results)
    } finally {
      this.node.verifier.release(chunk)
    }
    return results
  }

  async find(id: Uint8Array): Promise<Taken | undefined> {
    const promises = this.producer.openBatch
    if (promises === undefined) return undefined
    const { batch } = promises
    const index = this.indexOf(batch).get(toHex(id))
    if (index === undefined) return undefined
    const operation = batch.operations[index] as Uint8Array
    const receipt = await promises.promise(index)
    return { ...placeOf(batch, index), operation, ...(receipt && { receipt }) }
  }

  /** Rows that name a paying cell; the others are answered at once. */
  private findPaid(submission: Submission, results: IntakeResult[]): number[] {
    const { tree } = this.node.executor.ledger
    const known: number[] = []
    for (let row = 0; row < results.length; row++) {
      const bytes = rowAt(submission, row)
      if (payerOf(bytes) < tree.count) known.push(row)
      else results[row] = decodeSigned(bytes) === undefined ? UNDECODABLE : UNKNOWN_CELL
    }
    return known
  }

  /** @param known rows with the chunk's places; nothing else of them is kept while they wait: it would outlive its worth */
  private async order(
    submission: Submission,
    known: readonly number[],
    chunk: Chunk,
    results: IntakeResult[],
  ): Promise<void> {
    const runs: Run[] = []
    const refusals: Promise<void>[] = []
    for (let at = 0; at < known.length; at++) {
      const row = known[at] as number
      const bytes = rowAt(submission, row)
      const operation = decodeSigned(bytes)
      if (operation === undefined || !isRowValid(chunk.rows, at)) {
        results[row] = operation === undefined ? UNDECODABLE : BAD_SIGNATURE
        continue
      }
      const candidate = { operation, bytes, id: readRowId(chunk.rows, at), signedBy: readRowOwner(chunk.rows, at) }
      // Without a pause where none is needed: rows of requests that are served together would lie between each other.
      const added = this.producer.tryAdd(candidate) ?? (await this.producer.add(candidate))
      if (added.ok) extendRuns(runs, row, added)
      else refusals.push(this.refuse(candidate, added, row, results))
    }
    await Promise.all([...runs.map((run) => this.answer(run, results)), ...refusals])
  }

  /** One receipt for a run of neighbours: the first one's path shows where the others stand. */
  private async answer({ promises, index, rows }: Run, results: IntakeResult[]): Promise<void> {
    const { batch } = promises
    const operations = batch.operations.slice(index, index + rows.length)
    const receipt = await promises.promise(index)
    rows.forEach((row, at) => {
      const taken = { ...placeOf(batch, index + at), operation: operations[at] as Uint8Array }
      results[row] = { ok: true, taken: at > 0 || receipt === undefined ? taken : { ...taken, receipt } }
    })
  }

  /** An operation that is in the open batch already is answered for like the first time: once it is on disk. */
  private async refuse(
    { operation }: Candidate,
    { code }: Added & { ok: false },
    row: number,
    results: IntakeResult[],
  ): Promise<void> {
    results[row] = { ok: false, code }
    const open = this.producer.openBatch
    if (code !== 'nonce-used' || open === undefined) return
    const index = this.indexOf(open.batch).get(toHex(signedMessage(this.node.network, operation)))
    if (index === undefined) return
    await open.promise(index)
    results[row] = { ok: true, repeated: true }
  }

  private indexOf(open: OpenBatch): ReadonlyMap<string, number> {
    const entry = this.index.get(open) ?? { byId: new Map<string, number>(), read: 0 }
    this.index.set(open, entry)
    for (; entry.read < open.count; entry.read++) {
      const signed = decodeSigned(open.operations[entry.read] as Uint8Array)
      if (signed !== undefined) entry.byId.set(toHex(signedMessage(this.node.network, signed)), entry.read)
    }
    return entry.byId
  }
}

function placeOf({ place, promisable }: OpenBatch, index: number): Pick<Taken, 'number' | 'index' | 'isPending'> {
  return { number: place.number, index, ...(index >= promisable && { isPending: true }) }
}

const UNDECODABLE = { ok: false, code: 'undecodable' } as const
const UNKNOWN_CELL = { ok: false, code: 'unknown-cell' } as const
const BAD_SIGNATURE = { ok: false, code: 'bad-signature' } as const

/** Rows of one request that stand next to each other in one batch. */
interface Run {
  readonly promises: Ticks
  readonly index: number
  readonly rows: number[]
}

function extendRuns(runs: Run[], row: number, { promises, index }: Added & { ok: true }): void {
  const last = runs.at(-1)
  if (last?.promises === promises && last.index + last.rows.length === index) last.rows.push(row)
  else runs.push({ promises, index, rows: [row] })
}
