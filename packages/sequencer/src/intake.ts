import { decodeTransfer, toHex, transferMessage } from '@kedge/core'
import type { Intake, IntakeResult, NodeParts, Submission, Taken } from '@kedge/node'
import { type Chunk, isRowValid, readRowId, writeRow } from '@kedge/signatures'
import type { Added, Candidate } from './candidate.ts'
import type { OpenBatch } from './open-batch.ts'
import type { Producer } from './producer.ts'
import type { Ticks } from './ticks.ts'

/**
 * Takes transfers in: decoded strictly, signatures checked in the verifier's threads, then added in the order of
 * their arrival, on disk before the answer.
 */
export class TransferIntake implements Intake {
  private readonly node: NodeParts
  private readonly producer: Producer
  /** Payment ids of the open batch, filled as somebody asks. */
  private readonly index = new WeakMap<OpenBatch, { readonly byId: Map<string, number>; read: number }>()

  constructor(node: NodeParts, producer: Producer) {
    this.node = node
    this.producer = producer
  }

  async submit(submissions: readonly Submission[]): Promise<readonly IntakeResult[]> {
    const results: IntakeResult[] = new Array(submissions.length)
    const arrivals = this.read(submissions, results)
    const reason = this.producer.reason
    if (reason !== undefined) return results.fill({ ok: false, code: reason })
    const candidates = await this.check(arrivals)
    if (candidates === undefined) return Array.from(results, (result) => result ?? { ok: false, code: 'overloaded' })
    await this.order(arrivals, candidates, results)
    return results
  }

  async find(paymentId: Uint8Array): Promise<Taken | undefined> {
    const promises = this.producer.openBatch
    if (promises === undefined) return undefined
    const { batch } = promises
    const index = this.indexOf(batch).get(toHex(paymentId))
    if (index === undefined) return undefined
    const operation = batch.operations[index] as Uint8Array
    return { number: batch.place.number, index, operation, receipt: await promises.promise(index) }
  }

  /** Those that name a paying cell; the others are answered at once. */
  private read(submissions: readonly Submission[], results: IntakeResult[]): Arrival[] {
    const { tree } = this.node.executor.ledger
    const arrivals: Arrival[] = []
    submissions.forEach(({ bytes, transfer }, row) => {
      if (transfer.from >= tree.count) results[row] = { ok: false, code: 'unknown-cell' }
      else arrivals.push({ row, bytes, transfer, owner: tree.owner(transfer.from) })
    })
    return arrivals
  }

  /** Undefined when there is no room for more: the load is shed before it costs anything. */
  private async check(arrivals: readonly Arrival[]): Promise<Candidate[] | undefined> {
    if (arrivals.length === 0) return []
    const { verifier } = this.node
    const chunk = verifier.claim(arrivals.length)
    if (chunk === undefined) return undefined
    arrivals.forEach(({ owner, bytes }, at) => {
      writeRow(chunk.rows, at, owner, bytes)
    })
    try {
      await verifier.verify(chunk)
      return arrivals.map((arrival, at) => candidateOf(arrival, chunk, at))
    } finally {
      verifier.release(chunk)
    }
  }

  private async order(
    arrivals: readonly Arrival[],
    candidates: readonly Candidate[],
    results: IntakeResult[],
  ): Promise<void> {
    const runs: Run[] = []
    const refusals: Promise<void>[] = []
    for (const [at, candidate] of candidates.entries()) {
      const { row } = arrivals[at] as Arrival
      if (candidate.signedBy === undefined) {
        results[row] = { ok: false, code: 'bad-signature' }
        continue
      }
      // Without a pause where none is needed: requests that are served at once would else lie row by row between each other.
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
      const taken = { number: batch.place.number, index: index + at, operation: operations[at] as Uint8Array }
      results[row] = { ok: true, taken: at > 0 ? taken : { ...taken, receipt } }
    })
  }

  /** A transfer that is in the open batch already is answered for like the first time: once it is on disk. */
  private async refuse(
    { transfer }: Candidate,
    { code }: Added & { ok: false },
    row: number,
    results: IntakeResult[],
  ): Promise<void> {
    results[row] = { ok: false, code }
    const open = this.producer.openBatch
    if (code !== 'nonce-used' || open === undefined) return
    const index = this.indexOf(open.batch).get(toHex(transferMessage(this.node.network, transfer)))
    if (index === undefined) return
    await open.promise(index)
    results[row] = { ok: true, repeated: true }
  }

  private indexOf(open: OpenBatch): ReadonlyMap<string, number> {
    const entry = this.index.get(open) ?? { byId: new Map<string, number>(), read: 0 }
    this.index.set(open, entry)
    for (; entry.read < open.count; entry.read++) {
      const transfer = decodeTransfer(open.operations[entry.read] as Uint8Array)
      if (transfer !== undefined) entry.byId.set(toHex(transferMessage(this.node.network, transfer)), entry.read)
    }
    return entry.byId
  }
}

interface Arrival extends Submission {
  readonly row: number
  readonly owner: Uint8Array
}

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

function candidateOf({ transfer, bytes, owner }: Arrival, chunk: Chunk, at: number): Candidate {
  return { transfer, bytes, id: readRowId(chunk.rows, at), signedBy: isRowValid(chunk.rows, at) ? owner : undefined }
}
