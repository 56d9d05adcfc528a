import { setImmediate } from 'node:timers/promises'
import { decodeSigned, signedMessage, toHex } from '@kedge/core'
import {
  type Intake,
  type IntakeResult,
  type NodeParts,
  type Results,
  rowAt,
  rowCount,
  Screen,
  type Submission,
  type Submitter,
  type Taken,
  Turns,
} from '@kedge/node'
import { type Chunk, isRowValid, readRowId, readRowOwner } from '@kedge/signatures'
import type { Added } from './candidate.ts'
import type { OpenBatch } from './open-batch.ts'
import type { Producer } from './producer.ts'
import { SettledCells } from './settled-cells.ts'
import type { Ticks } from './ticks.ts'

/**
 * Takes transfers and withdrawals in: screened, then added in the order in which their signatures were checked, on disk before the answer.
 */
export class SequencerIntake implements Intake {
  private readonly node: NodeParts
  private readonly producer: Producer
  private readonly screen: Screen
  private readonly usedTurns = new Turns(USED_ROWS)
  /** Ids of what was signed in the open batch, filled as somebody asks. */
  private readonly index = new WeakMap<OpenBatch, { readonly byId: Map<string, number>; read: number }>()

  constructor(node: NodeParts, producer: Producer) {
    this.node = node
    this.producer = producer
    const { verifier, follower, executor } = node
    const { tree } = executor.ledger
    const settled = new SettledCells(tree.count)
    const settledCells = () => settled.look(follower.chain.height, tree.count)
    this.screen = new Screen({ verifier, tree, settledCells })
  }

  async submit(submission: Submission, from?: Submitter): Promise<readonly IntakeResult[]> {
    const results: Results = new Array(rowCount(submission))
    const { reason } = this.producer
    // A ledger that is behind can't say which cells there are.
    if (reason !== undefined) return results.fill({ ok: false, code: reason })
    await this.screen.check(submission, results, from, (rows, chunk) => this.order(submission, rows, chunk, results))
    await this.findRepeated(submission, results)
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

  /** @param rows with the chunk's places; nothing else of them is kept while they wait: it would outlive its worth */
  private async order(submission: Submission, rows: readonly number[], chunk: Chunk, results: Results): Promise<void> {
    const runs: Run[] = []
    // For each row anew: whoever adds it keeps neither.
    const [idBytes, ownerBytes] = [new Uint8Array(32), new Uint8Array(32)]
    for (let at = 0; at < rows.length; at++) {
      const row = rows[at] as number
      const bytes = rowAt(submission, row)
      const operation = decodeSigned(bytes)
      if (operation === undefined || !isRowValid(chunk.rows, at)) {
        results[row] = operation === undefined ? UNDECODABLE : BAD_SIGNATURE
        continue
      }
      const id = readRowId(chunk.rows, at, idBytes)
      const candidate = { operation, bytes, id, signedBy: readRowOwner(chunk.rows, at, ownerBytes) }
      // Without a pause where none is needed: rows of requests that are served together would lie between each other.
      const added = this.producer.tryAdd(candidate) ?? (await this.producer.add(candidate))
      if (added.ok) extendRuns(runs, row, added)
      else results[row] = added
    }
    await Promise.all(runs.map((run) => this.answer(run, results)))
  }

  /** One receipt for a run of neighbours: the first one's path shows where the others stand. */
  private async answer({ promises, index, rows }: Run, results: Results): Promise<void> {
    const { batch } = promises
    const operations = batch.operations.slice(index, index + rows.length)
    const receipt = await promises.promise(index)
    rows.forEach((row, at) => {
      const taken = { ...placeOf(batch, index + at), operation: operations[at] as Uint8Array }
      results[row] = { ok: true, taken: at > 0 || receipt === undefined ? taken : { ...taken, receipt } }
    })
  }

  /**
   * An operation that is in the open batch already is answered for like the first time: once it is on disk. The payer's
   * signature on it was checked then, whatever stands in its place now.
   */
  private async findRepeated(submission: Submission, results: Results): Promise<void> {
    const used: number[] = []
    for (let row = 0; row < results.length; row++) if (isUsed(results[row])) used.push(row)
    if (used.length === 0) return
    const over = used.length > USED_SLICE ? await this.usedTurns.take(used.length) : () => undefined
    if (over === undefined) {
      for (const row of used) results[row] = OVERLOADED
      return
    }
    const repeated: { readonly open: Ticks; readonly index: number }[] = []
    try {
      for (const [at, row] of used.entries()) {
        const found = this.findInOpen(rowAt(submission, row))
        if (found !== undefined) repeated.push(found)
        if (found !== undefined) results[row] = { ok: true, repeated: true }
        if (at % USED_SLICE === USED_SLICE - 1) await setImmediate()
      }
    } finally {
      over()
    }
    await Promise.all(repeated.map(({ open, index }) => open.promise(index)))
  }

  private findInOpen(bytes: Uint8Array): { readonly open: Ticks; readonly index: number } | undefined {
    const open = this.producer.openBatch
    const operation = decodeSigned(bytes)
    if (open === undefined || operation === undefined) return undefined
    const index = this.indexOf(open.batch).get(toHex(signedMessage(this.node.network, operation)))
    return index === undefined ? undefined : { open, index }
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

function isUsed(result: IntakeResult | undefined): boolean {
  return result !== undefined && !result.ok && result.code === 'nonce-used'
}

/** Rows with used nonces that wait to be looked for in the open batch; how many are looked for in one go. */
const USED_ROWS = 16_384
const USED_SLICE = 32

const OVERLOADED = { ok: false, code: 'overloaded' } as const
const UNDECODABLE = { ok: false, code: 'undecodable' } as const
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
