import { randomBytes } from 'node:crypto'
import {
  type Claim,
  claimSlot,
  FRESH_LINE,
  type SlotLine,
  type SlotTable,
  signHeader,
  signTick,
  type TableId,
  tableRoot,
  tickSlotMessage,
  type XOnlyKey,
} from '@kedge/bond'
import {
  equalBytes,
  headerSlotMessage,
  type Params,
  PREV_SIG_BYTES,
  type SignedTick,
  type SlotFields,
  type Tick,
} from '@kedge/core'
import { type Store, slots, type Write } from '@kedge/storage'
import { putRecord, readRecords, type SlotRecord } from './slot-record.ts'
import { findStaleData } from './stale.ts'
import { TableThread } from './table-thread.ts'
import { Tally } from './tally.ts'

export interface SlotParts {
  readonly key: XOnlyKey
  readonly network: Uint8Array
  readonly params: Params
}

/** Something that may be signed, or announced, once its writes are on disk. */
export interface Claimed<T> {
  readonly writes: readonly Write[]
  /** To be called when they are, and not before. */
  keep(): Promise<T>
}

/**
 * The slot key with all that it has signed. Each batch's table is made while the batch before it is open; nothing is
 * signed in a slot that is not claimed on disk, in the data folder and in the tally beside the key.
 */
export class Slots {
  private readonly parts: SlotParts
  private readonly thread: TableThread
  private readonly tally: Tally
  /** Of the batch that is open or comes next, and of those before it whose headers' signatures are still wanted. */
  private readonly records: Map<number, SlotRecord>
  /** By number: tables that are made, or being made. */
  private readonly tables = new Map<number, { readonly record: SlotRecord; readonly made: Promise<Made> }>()
  /** The table of the batch that takes transfers. */
  private current: SlotTable | undefined
  /** The last batch whose header's slot was claimed, or is being so. */
  private sealed = -1
  /** How long the table behind it is to be; after a start the longest, until a batch is opened. */
  private next: { readonly number: number; readonly length: number } | undefined

  private constructor(parts: SlotParts, tally: Tally, records: readonly SlotRecord[]) {
    this.parts = parts
    this.tally = tally
    this.thread = new TableThread(parts.key, parts.params.caps.ticks)
    this.records = new Map(records.map((record) => [record.number, record]))
  }

  /**
   * @param tallyPath a file beside the key
   * @throws StaleDataError, DamagedError
   */
  static async open(store: Store, tallyPath: string, parts: SlotParts): Promise<Slots> {
    const records = await readRecords(store)
    const tally = await Tally.open(tallyPath)
    const stale = findStaleData(records.at(-1), tally.last)
    if (stale === undefined) return new Slots(parts, tally, records)
    await tally.close()
    throw stale
  }

  async close(): Promise<void> {
    await this.thread.close()
    await this.tally.close()
  }

  /** Whether this sequencer fixed a table for that batch: without one nothing can be promised, and a resume goes on. */
  has(number: number): boolean {
    return this.records.has(number)
  }

  /** Makes the batch's table ready, so that `firstTick` and ticks need no waiting. */
  async make(number: number): Promise<void> {
    if (this.current?.id.number === number || !this.has(number)) return
    this.current = await this.tableOf(this.recordOf(number))
  }

  /**
   * Begins to make the table of batch `number`, the one behind the batch that is opened: its seal waits for it.
   * @param isLong whether it may have to last for long. Else it is as long as the last batches show: each nonce costs
   *   0.1 ms of a core, and a batch whose table is too short is sealed earlier
   */
  prepare(number: number, isLong: boolean): void {
    const last = this.records.get(number - 2)
    const { ticks } = this.parts.params.caps
    const enough = last === undefined || isLong ? ticks : SPARE_TICKS + 2 * last.ticks.next
    this.next = { number, length: Math.min(enough, ticks) }
    void this.made(this.childOf(number - 1))
  }

  isOpen(number: number): boolean {
    return this.current?.id.number === number
  }

  /** How many ticks a batch has nonces for. */
  lengthOf(number: number): number {
    return this.recordOf(number).length
  }

  /** The last batch that a table is fixed for; undefined in a folder that knows of none. */
  get newest(): number | undefined {
    return [...this.records.keys()].at(-1)
  }

  /** Which of a batch's tick slots are used up; undefined for one without a table here. */
  lineOf(number: number): SlotLine | undefined {
    return this.records.get(number)?.ticks
  }

  /** Above all ticks of the batch that a signature may have been given for. */
  firstTick(number: number): number {
    return this.recordOf(number).ticks.next
  }

  /** A table that nobody has seen so far, for the batch behind resume `number` - 1. */
  fixBehindResume(number: number): Promise<Claimed<void> & { readonly nonceRoot: Uint8Array }> {
    const salt = Uint8Array.from(randomBytes(32))
    return this.fix({ number, salt, isResumed: true, length: this.parts.params.caps.ticks, ...FRESH })
  }

  /** What a batch's header says of slots: its child's table, and its parent's signature. */
  async fieldsOf(number: number, parent: Uint8Array): Promise<SlotFields> {
    const child = await this.tableOf(this.childOf(number))
    return { nonceRoot: tableRoot(child), prevSig: await this.signParent(number, parent) }
  }

  /** For the commit of a batch's seal: its header's slot is used up, and its child's table fixed. */
  async claimHeader(number: number, headerHash: Uint8Array): Promise<Claimed<void>> {
    const record = this.recordOf(number)
    const claim = granted(claimSlot(record.header, 0, headerSlotMessage(this.parts.network, number, headerHash)))
    this.sealed = number
    const claimed = { ...record, header: claim.line }
    const child = await this.fix(this.childOf(number))
    return {
      writes: [putRecord(claimed), ...child.writes],
      keep: () => {
        this.records.set(number, claimed)
        return child.keep()
      },
    }
  }

  /** @throws SlotTakenError, RangeError when the table has no slot left */
  claimTick(tick: Tick): Claimed<SignedTick> {
    const table = this.current
    if (table?.id.number !== tick.number) throw new Error(`the table of batch ${tick.number} is not at hand`)
    // It would write the record as it was before the header's claim.
    if (tick.number === this.sealed) throw new Error(`batch ${tick.number} is sealed: no tick comes behind its header`)
    const record = this.recordOf(tick.number)
    if (tick.index >= record.length) throw new RangeError(`batch ${tick.number} has no slot for tick ${tick.index}`)
    const claim = granted(claimSlot(record.ticks, tick.index, tickSlotMessage(table, tick)))
    const claimed = { ...record, ticks: claim.line }
    return {
      writes: [putRecord(claimed)],
      keep: async () => {
        this.records.set(tick.number, claimed)
        await this.tally.note(claimed)
        return signTick(this.parts.key, table, tick)
      },
    }
  }

  private async signParent(number: number, parent: Uint8Array): Promise<Uint8Array> {
    if (this.recordOf(number).isResumed) return new Uint8Array(PREV_SIG_BYTES)
    const before = this.recordOf(number - 1)
    // Claimed in the commit of its seal: another header would be refused here.
    const claim = granted(claimSlot(before.header, 0, headerSlotMessage(this.parts.network, number - 1, parent)))
    if (claim.write) throw new Error(`the header of batch ${number - 1} was not claimed when it was sealed`)
    return signHeader(this.parts.key, await this.tableOf(before), parent)
  }

  private async fix(record: SlotRecord): Promise<Claimed<void> & { readonly nonceRoot: Uint8Array }> {
    const { number } = record
    const table = await this.tableOf(record)
    const old = [...this.records.keys()].filter((each) => each < number - KEPT)
    return {
      nonceRoot: tableRoot(table),
      writes: [putRecord(record), ...old.map((each) => slots.del(each))],
      keep: async () => {
        this.records.set(number, record)
        await this.tally.note(record)
        for (const each of old) this.records.delete(each)
        for (const each of [...this.tables.keys()].filter((one) => one < number - KEPT)) this.tables.delete(each)
        this.current = table
      },
    }
  }

  private childOf(number: number): SlotRecord {
    const { salt } = this.recordOf(number)
    const length = this.next?.number === number + 1 ? this.next.length : this.parts.params.caps.ticks
    return { number: number + 1, salt, isResumed: false, length, ...FRESH }
  }

  private recordOf(number: number): SlotRecord {
    const record = this.records.get(number)
    if (record === undefined) throw new Error(`there is no table for batch ${number}`)
    return record
  }

  private async tableOf(record: SlotRecord): Promise<SlotTable> {
    const made = await this.made(record)
    if (!made.ok) throw made.error
    return made.table
  }

  private made(record: SlotRecord): Promise<Made> {
    const { number, salt, length } = record
    const known = this.tables.get(number)
    if (known !== undefined && equalBytes(known.record.salt, salt) && known.record.length === length) return known.made
    const made = this.begin({ network: this.parts.network, number, salt }, length)
    this.tables.set(number, { record, made })
    return made
  }

  private begin(id: TableId, length: number): Promise<Made> {
    return this.thread.make(id, length).then(
      (table) => ({ ok: true, table }),
      (error: unknown) => ({ ok: false, error }),
    )
  }
}

/** A table, or what went wrong: whoever waits for it is told. */
type Made = { readonly ok: true; readonly table: SlotTable } | { readonly ok: false; readonly error: unknown }

const FRESH = { ticks: FRESH_LINE, header: FRESH_LINE }

/** In a table beyond what the last batches show to be needed. */
const SPARE_TICKS = 16

/** The batch before the open one, whose header is signed in the open one's. */
const KEPT = 2

function granted(claim: Claim): Claim & { readonly ok: true } {
  if (!claim.ok) throw claim.error
  return claim
}
