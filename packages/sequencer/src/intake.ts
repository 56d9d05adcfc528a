import { decodeTransfer, payerOf, TRANSFER_BYTES, toHex, transferMessage } from '@kedge/core'
import { type Intake, type IntakeResult, type NodeParts, rowAt, type Taken } from '@kedge/node'
import { type Chunk, isRowValid, readRowId, readRowOwner, writeRow } from '@kedge/signatures'
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

  async submit(rows: Uint8Array): Promise<readonly IntakeResult[]> {
    const results: IntakeResult[] = new Array(rows.length / TRANSFER_BYTES)
    const { reason } = this.producer
    // A ledger that is behind can't say which cells there are.
    if (reason !== undefined) return results.fill({ ok: false, code: reason })
    const known = this.findPaid(rows, results)
    const chunk = known.length > 0 ? this.node.verifier.claim(known.length) : undefined
    if (chunk === undefined) return Array.from(results, (result) => result ?? { ok: false, code: 'overloaded' })
    const { tree } = this.node.executor.ledger
    known.forEach((row, at) => {
      const bytes = rowAt(rows, row)
      writeRow(chunk.rows, at, tree.owner(payerOf(bytes)), bytes)
    })
    try {
      await this.node.verifier.verify(chunk)
      await this.order(rows, known, chunk, results)
    } finally {
      this.node.verifier.release(chunk)
    }
    return results
  }

  async find(paymentId: Uint8Array): Promise<Taken | undefined> {
    const promises = this.producer.openBatch
    if (promises === undefined) return undefined
    const { batch } = promises
    const index = this.indexOf(batch).get(toHex(paymentId))
    if (index === undefined) return undefined
    const operation = batch.operations[index] as Uint8Array
    const receipt = await promises.promise(index)
    return { number: batch.place.number, index, operation, ...(receipt && { receipt }) }
  }

  /** Rows that name a paying cell; the others are answered at once. */
  private findPaid(rows: Uint8Array, results: IntakeResult[]): number[] {
    const { tree } = this.node.executor.ledger
    const known: number[] = []
    for (let row = 0; row < results.length; row++) {
      const bytes = rowAt(rows, row)
      if (payerOf(bytes) < tree.count) known.push(row)
      else results[row] = decodeTransfer(bytes) === undefined ? UNDECODABLE : UNKNOWN_CELL
    }
    return known
  }

  /** @param known rows with the chunk's places; nothing else of them is kept while they wait: it would outlive its worth */
  private async order(
    rows: Uint8Array,
    known: readonly number[],
    chunk: Chunk,
    results: IntakeResult[],
  ): Promise<void> {
    const runs: Run[] = []
    const refusals: Promise<void>[] = []
    for (let at = 0; at < known.length; at++) {
      const row = known[at] as number
      const bytes = rowAt(rows, row)
      const transfer = decodeTransfer(bytes)
      if (transfer === undefined || !isRowValid(chunk.rows, at)) {
        results[row] = transfer === undefined ? UNDECODABLE : BAD_SIGNATURE
        continue
      }
      const candidate = { transfer, bytes, id: readRowId(chunk.rows, at), signedBy: readRowOwner(chunk.rows, at) }
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
      const taken = { number: batch.place.number, index: index + at, operation: operations[at] as Uint8Array }
      results[row] = { ok: true, taken: at > 0 || receipt === undefined ? taken : { ...taken, receipt } }
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
