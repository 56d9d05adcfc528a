import { setImmediate } from 'node:timers/promises'
import type { Place } from '@kedge/api'
import { decodeOperation, equalBytes, type Position, readWhole, transferMessage } from '@kedge/core'
import { lookups, marks, operations, type Store, type Write } from '@kedge/storage'
import { GENESIS_HEAD, type Line, type LineParts, parentOf } from './line.ts'
import type { Head } from './snapshot.ts'

export interface LookupParts extends LineParts {
  readonly store: Store
  readonly network: Uint8Array
}

/** A turn ends behind the batch with which it has read so many operations: about a second of work. */
const OPERATIONS_PER_TURN = 100_000

/** A batch counts as so many operations more, so that a turn over empty batches ends too. */
const BATCH_COST = 50

/** Operations read, and rows written, before others have their turn: some 10 ms each. */
const SLICE = 2048

const MARK = 'lookups'

/**
 * Where operations stand, by cell, payment id and deposit: rows on disk over the batches up to a mark. They are written
 * when somebody asks, in turns of bounded work, so a node that nobody asks pays nothing.
 *
 * The mark is a batch, and every batch from genesis to it has its rows. When it is not on the line any more it moves
 * back to where the line left it, and the batches from there are read (again). Rows of other lines stay: a row names
 * the header it is for, and counts only where that header stands on the line.
 */
export class Lookup {
  private readonly parts: LookupParts
  private mark: Head | undefined
  private turn: Promise<void> | undefined

  constructor(parts: LookupParts) {
    this.parts = parts
  }

  /** Reads on, for at most one turn. Whether the rows reach to the ledger's head now. */
  async catchUp(): Promise<boolean> {
    if (!this.isCaughtUp()) {
      this.turn ??= this.takeTurn().finally(() => {
        this.turn = undefined
      })
      await this.turn
    }
    return this.isCaughtUp()
  }

  findPayment(line: Line, id: Uint8Array): Promise<Place | undefined> {
    return this.findPlace(line, paymentKey(id))
  }

  /** The operation that credited the deposit at this position. */
  findCredit(line: Line, position: Position): Promise<Place | undefined> {
    return this.findPlace(line, creditKey(position))
  }

  /** Operations that touched a cell, newest first: at least `enough` of them, unless there are fewer. */
  async findTouches(line: Line, cell: number, before: Place | undefined, enough: number): Promise<Place[]> {
    const places: Place[] = []
    const to = before === undefined || before.batch === U32_MAX ? cellKey(cell + 1, 0) : cellKey(cell, before.batch + 1)
    for await (const [key, row] of this.parts.store.range(lookups, { from: cellKey(cell, 0), to, reverse: true })) {
      const batch = viewOf(key).getUint32(9)
      const standing = line.at(batch)
      if (standing === undefined || !equalBytes(row.subarray(0, NAME_BYTES), nameOf(standing.headerHash))) continue
      for (const index of readIndices(row.subarray(NAME_BYTES)).reverse()) {
        if (batch !== before?.batch || index < before.index) places.push({ batch, index })
      }
      if (places.length >= enough) break
    }
    return places
  }

  private async findPlace(line: Line, key: Uint8Array): Promise<Place | undefined> {
    const row = await this.parts.store.get(lookups, key)
    if (row === undefined) return undefined
    const [batch, index] = [viewOf(row).getUint32(0), viewOf(row).getUint32(4)]
    const standing = line.at(batch)
    return standing !== undefined && equalBytes(row.subarray(8), nameOf(standing.headerHash))
      ? { batch, index }
      : undefined
  }

  private isCaughtUp(): boolean {
    return this.mark !== undefined && isSame(this.mark, this.parts.executor.head)
  }

  private async takeTurn(): Promise<void> {
    const { store, executor } = this.parts
    this.mark ??= decodeMark(await store.get(marks, MARK))
    for (let left = OPERATIONS_PER_TURN; left > 0 && !this.isCaughtUp(); ) {
      const missing = await this.findMissing(this.mark, executor.head)
      for (let next = missing.pop(); next !== undefined && left > 0; next = missing.pop()) {
        left -= BATCH_COST + (await this.read(next))
      }
    }
  }

  /** Batches from `head` down to where it meets the mark's line, newest first; the mark moves back to there. */
  private async findMissing(mark: Head, head: Head): Promise<Head[]> {
    const missing: Head[] = []
    let [done, at] = [mark, head]
    while (!isSame(done, at)) {
      const level = at.number - done.number
      if (level >= 0) {
        missing.push(at)
        at = await parentOf(this.parts, at)
      }
      if (level <= 0) done = await parentOf(this.parts, done)
    }
    if (done !== mark) await this.moveBack(done)
    return missing
  }

  /** On disk before anything is written above it: rows of the line that was left may be overwritten from here on. */
  private async moveBack(mark: Head): Promise<void> {
    await this.parts.store.commit([marks.put(MARK, encodeMark(mark))])
    this.mark = mark
  }

  /** Writes the rows of the batch above the mark, and moves the mark with the last of them. Gives its operations' number. */
  private async read(head: Head): Promise<number> {
    const { store, network } = this.parts
    const whole = await store.get(operations, head.headerHash)
    if (whole === undefined) throw new Error(`the operations of batch ${head.number}, which was executed, are missing`)
    const held = readWhole(whole)
    const rows = await rowsOf(network, head, held)
    while (rows.length > SLICE) await store.commit(rows.splice(-SLICE))
    await store.commit([...rows, marks.put(MARK, encodeMark(head))])
    this.mark = head
    return held.length
  }
}

async function rowsOf(network: Uint8Array, head: Head, held: readonly Uint8Array[]): Promise<Write[]> {
  const rows: Write[] = []
  const touches = new Map<number, number[]>()
  const touch = (cell: number, index: number) => {
    const indices = touches.get(cell)
    if (indices === undefined) touches.set(cell, [index])
    else indices.push(index)
  }
  for (const [index, bytes] of held.entries()) {
    const operation = decodeOperation(bytes)
    if (operation?.kind === 'transfer') {
      touch(operation.from, index)
      touch(operation.toCell, index)
      rows.push(lookups.put(paymentKey(transferMessage(network, operation)), placeRow(head, index)))
    } else if (operation !== undefined) {
      touch(operation.cell, index)
      if (operation.kind === 'deposit') rows.push(lookups.put(creditKey(operation.position), placeRow(head, index)))
    }
    if (index % SLICE === SLICE - 1) await setImmediate()
  }
  for (const [cell, indices] of touches) rows.push(lookups.put(cellKey(cell, head.number), touchesRow(head, indices)))
  return rows
}

const CELL = 1
const PAYMENT = 2
const CREDIT = 3
const U32_MAX = 0xffffffff

/** Bytes of a header hash in a row. Only headers of one number are told apart by them. */
const NAME_BYTES = 8

/** Kind u8, cell u64, batch u32: big-endian, so that a cell's rows lie in the order of batches. */
function cellKey(cell: number, batch: number): Uint8Array {
  const key = new Uint8Array(13)
  const view = viewOf(key)
  view.setUint8(0, CELL)
  view.setUint32(1, Math.floor(cell / 2 ** 32))
  view.setUint32(5, cell % 2 ** 32)
  view.setUint32(9, batch)
  return key
}

/** Kind u8, id. */
function paymentKey(id: Uint8Array): Uint8Array {
  const key = new Uint8Array(1 + id.length)
  key[0] = PAYMENT
  key.set(id, 1)
  return key
}

/** Kind u8, height u32, tx u32, vout u32. */
function creditKey({ height, tx, vout }: Position): Uint8Array {
  const key = new Uint8Array(13)
  const view = viewOf(key)
  view.setUint8(0, CREDIT)
  view.setUint32(1, height)
  view.setUint32(5, tx)
  view.setUint32(9, vout)
  return key
}

/** Batch u32, index u32, name. */
function placeRow({ number, headerHash }: Head, index: number): Uint8Array {
  const row = new Uint8Array(8 + NAME_BYTES)
  const view = viewOf(row)
  view.setUint32(0, number)
  view.setUint32(4, index)
  row.set(nameOf(headerHash), 8)
  return row
}

/** Name, then an index u32 each, ascending. */
function touchesRow({ headerHash }: Head, indices: readonly number[]): Uint8Array {
  const row = new Uint8Array(NAME_BYTES + 4 * indices.length)
  const view = viewOf(row)
  row.set(nameOf(headerHash))
  indices.forEach((index, at) => {
    view.setUint32(NAME_BYTES + 4 * at, index)
  })
  return row
}

function readIndices(bytes: Uint8Array): number[] {
  return Array.from({ length: bytes.length / 4 }, (_, at) => viewOf(bytes).getUint32(4 * at))
}

function nameOf(headerHash: Uint8Array): Uint8Array {
  return headerHash.subarray(0, NAME_BYTES)
}

function encodeMark({ number, headerHash }: Head): Uint8Array {
  const bytes = new Uint8Array(36)
  viewOf(bytes).setUint32(0, number)
  bytes.set(headerHash, 4)
  return bytes
}

function decodeMark(bytes: Uint8Array | undefined): Head {
  return bytes === undefined ? GENESIS_HEAD : { number: viewOf(bytes).getUint32(0), headerHash: bytes.slice(4) }
}

function isSame(a: Head, b: Head): boolean {
  return a.number === b.number && equalBytes(a.headerHash, b.headerHash)
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
