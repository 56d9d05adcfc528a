import { setImmediate } from 'node:timers/promises'
import type { Place } from '@kedge/api'
import { decodeOperation, equalBytes, namedCells, type Position, readWhole, signedMessage } from '@kedge/core'
import type { Store } from '@kedge/storage'
import { placeClaims } from './claims.ts'
import { keptOperations } from './kept-operations.ts'
import { type Line, type LineParts, parentOf } from './line.ts'
import { cellKey, claimKey, creditKey, forcedKey, paymentKey, type RowKey, RowList } from './lookup-rows.ts'
import { LARGE_ROWS, LookupRuns } from './lookup-runs.ts'
import type { Head } from './snapshot.ts'

export interface LookupParts extends LineParts {
  readonly follower: LineParts['follower'] & { readonly chain: { readonly final: Head } }
  readonly store: Store
  readonly network: Uint8Array
}

/** A turn ends behind the batch with which it has read so many operations: about a second of work. */
const OPERATIONS_PER_TURN = 100_000

/** A batch counts as so many operations more, so that a turn over empty batches ends too. */
const BATCH_COST = 20

/** Operations read before others have their turn: some 10 ms. */
const SLICE = 2048

/**
 * Where operations stand, by cell, by what was signed (a payment's or withdrawal's id), and by deposit. The rows reach from genesis to some batch of the line, and
 * are carried on when somebody asks, in turns of bounded work: a node that nobody asks pays nothing. Where the line was
 * left for another, the rows behind the fork are dropped.
 */
export class Lookup {
  private readonly parts: LookupParts
  private runs: LookupRuns | undefined
  private turn: Promise<void> | undefined

  constructor(parts: LookupParts) {
    this.parts = parts
  }

  /** Carries the rows on, for at most one turn. Whether they reach to the ledger's head now. */
  async catchUp(): Promise<boolean> {
    if (!this.isCaughtUp()) {
      this.turn ??= this.takeTurn().finally(() => {
        this.turn = undefined
      })
      await this.turn
    }
    return this.isCaughtUp()
  }

  /** Where a payment or a withdrawal may stand: of a place found here, the id's first 62 bits are the operation's. */
  findSigned(line: Line, id: Uint8Array): Promise<Place[]> {
    return this.find(line, paymentKey(id), undefined, Number.POSITIVE_INFINITY)
  }

  /** The operation that credited the deposit at this position. */
  async findCredit(line: Line, position: Position): Promise<Place | undefined> {
    const [place] = await this.find(line, creditKey(position), undefined, 1)
    return place
  }

  /** The operation that carried the entry that was forced at this position. */
  async findForced(line: Line, position: Position): Promise<Place | undefined> {
    const [place] = await this.find(line, forcedKey(position), undefined, 1)
    return place
  }

  /** The withdrawal of this number. */
  async findClaim(line: Line, number: number): Promise<Place | undefined> {
    const [place] = await this.find(line, claimKey(number), undefined, 1)
    return place
  }

  /** Operations that touched a cell, newest first: at least `enough` of them, unless there are fewer. */
  findTouches(line: Line, cell: number, before: Place | undefined, enough: number): Promise<Place[]> {
    return this.find(line, cellKey(cell), before, enough)
  }

  private async find(line: Line, key: RowKey, before: Place | undefined, enough: number): Promise<Place[]> {
    const counts = (batch: number) => line.at(batch) !== undefined
    return (await this.runs?.find({ key, before, enough, counts })) ?? []
  }

  private isCaughtUp(): boolean {
    return this.runs !== undefined && isSame(this.runs.last, this.parts.executor.head)
  }

  private async takeTurn(): Promise<void> {
    const runs = this.runs ?? (await LookupRuns.load(this.parts.store))
    this.runs = runs
    for (let left = OPERATIONS_PER_TURN; left > 0 && !this.isCaughtUp(); ) {
      const missing = await this.findMissing(runs, this.parts.executor.head)
      while (missing.length > 0 && left > 0) left -= await this.readNext(runs, missing)
    }
    while ((await runs.merge(this.parts.follower.chain.final.number)) > 0) await setImmediate()
  }

  /** Batches from `head` down to the last one that has its rows, newest first. */
  private async findMissing(runs: LookupRuns, head: Head): Promise<Head[]> {
    const missing: Head[] = []
    let at = head
    while (!isSame(at, runs.last)) {
      if (at.number > runs.last.number) {
        missing.push(at)
        at = await parentOf(this.parts, at)
      } else await runs.dropLast()
    }
    return missing
  }

  /**
   * Takes the oldest of the missing batches and writes their rows: of one batch, or of several final ones that have
   * few. Gives what it cost, in operations.
   */
  private async readNext(runs: LookupRuns, missing: Head[]): Promise<number> {
    const rows = new RowList(1024)
    const { number: final } = this.parts.follower.chain.final
    let cost = 0
    for (let next = missing.pop(); next !== undefined; next = missing.pop()) {
      cost += BATCH_COST + (await this.read(rows, next))
      const [after] = missing.slice(-1)
      if (after !== undefined && after.number <= final && rows.count <= LARGE_ROWS) continue
      await runs.add(next, rows.sorted())
      break
    }
    return cost
  }

  private async read(rows: RowList, { number, headerHash }: Head): Promise<number> {
    const whole = await keptOperations(this.parts.store, headerHash)
    if (whole === undefined) throw new Error(`the operations of batch ${number}, which was executed, are missing`)
    const held = readWhole(whole)
    for (const [index, bytes] of held.entries()) {
      for (const key of keysOf(this.parts.network, bytes)) rows.add(key, number, index)
      if (index % SLICE === SLICE - 1) await setImmediate()
    }
    const placed = await placeClaims(this.parts.store, { number, headerHash }, held)
    for (const { claim, index } of placed) rows.add(claimKey(claim.number), number, index)
    return held.length
  }
}

function keysOf(network: Uint8Array, bytes: Uint8Array): RowKey[] {
  const operation = decodeOperation(bytes)
  if (operation === undefined) return []
  const cells = namedCells(operation).map(cellKey)
  switch (operation.kind) {
    case 'deposit':
      return [...cells, creditKey(operation.position)]
    case 'transfer':
    case 'withdrawal':
      return [...cells, paymentKey(signedMessage(network, operation))]
    case 'forced':
      return [...cells, forcedKey(operation.position)]
    case 'collect':
      return cells
  }
}

function isSame(a: Head, b: Head): boolean {
  return a.number === b.number && equalBytes(a.headerHash, b.headerHash)
}
