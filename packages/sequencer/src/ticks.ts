import type { Receipt, SignedTick } from '@kedge/core'
import type { Store, Write } from '@kedge/storage'
import { putGroup } from './journal.ts'
import type { OpenBatch } from './open-batch.ts'
import type { Tamper } from './seal.ts'
import type { Claimed, Slots } from './slots.ts'

export interface TickParts {
  readonly store: Store
  readonly slots: Pick<Slots, 'claimTick'>
  /** How many slots for ticks a batch has. */
  readonly ticks: number
  /** Peers are told of what is signed, before anybody is given a receipt. */
  readonly tell: (signed: SignedTick) => void
  readonly tamper: Pick<Tamper, 'promise'> | undefined
}

/** Where a batch's groups go in the journal. */
export interface JournalPlace {
  /** Sequence number of the batch's first group, and of its next one: another where the batch was taken up again. */
  readonly firstGroup: number
  readonly nextGroup: number
  /** Operations in its groups so far. */
  readonly written: number
  /** The first one that holds what may not be promised, where the batch had grown. */
  readonly surplusFrom?: number
  /** Go with the first group: the batch's mark. */
  readonly firstWrites: readonly Write[]
}

/**
 * What the sequencer promises about one batch. Group commit: whatever was accepted while the last write was under way
 * goes into the next one, which is synced before one signature answers for all of it. Order of effects: cut, claim of
 * the slot, disk, signature, word to peers, receipts.
 */
export class Ticks {
  private readonly parts: TickParts
  private readonly place: JournalPlace
  private present: OpenBatch
  private surplusFrom: number | undefined
  private left: Surplus | undefined
  private waiting: Waiting[] = []
  private running: Promise<void> | undefined
  private sequence: number
  /** Operations in the batch's groups. */
  private written: number
  /** The last one. */
  private signed: SignedTick | undefined
  private failed: PromiseError | undefined

  constructor(parts: TickParts, batch: OpenBatch, place: JournalPlace) {
    this.parts = parts
    this.present = batch
    this.place = place
    this.sequence = place.nextGroup
    this.written = place.written
    this.surplusFrom = place.surplusFrom
  }

  get batch(): OpenBatch {
    return this.present
  }

  /** Sequence numbers of the groups so far that hold what is in the batch. */
  get groups(): number[] {
    return range(this.place.firstGroup, this.left?.groups[0] ?? this.sequence)
  }

  /** Whether its groups hold all that is in the batch, and nothing else. */
  get areGroupsWhole(): boolean {
    return this.written > 0 && this.written === this.batch.count
  }

  /**
   * Takes more than may be promised (see `OpenBatch.grow`). Everything so far is promised first, so that a group of the
   * journal holds either. False where that can't be.
   */
  async grow(): Promise<boolean> {
    await this.finish()
    if (this.covering() === undefined) return false
    this.batch.grow()
    this.surplusFrom = this.sequence
    return true
  }

  /** Nobody vouches for the rest: goes on with what was promised alone. @param kept the same batch without the rest */
  shrink(kept: OpenBatch): void {
    const groups = range(this.surplusFrom ?? this.sequence, this.sequence)
    this.left = { operations: this.batch.operations.slice(kept.count), groups }
    this.present = kept
  }

  /** What was taken into the batch and will not be in it. */
  get surplus(): Surplus | undefined {
    return this.left
  }

  /** The journal's next sequence number. */
  get nextGroup(): number {
    return this.sequence
  }

  /** Why nothing can be promised any more: the journal has a gap, so the node must end. */
  get failure(): Error | undefined {
    return this.failed
  }

  /**
   * Resolves when everything accepted so far is on disk and promised, with a receipt for operation `index`. Where
   * nothing was accepted since the last tick, that one answers: whoever asks again and again costs no disk. Undefined
   * where that one was signed before a crash, and no slot is left for another; and for what a batch that has grown may not
   * promise.
   */
  promise(index: number): Promise<Receipt | undefined> {
    if (index >= this.batch.promisable && index < this.batch.written) return this.repeat(index)
    if (index < this.batch.promisable && (this.covering() !== undefined || !this.hasSlot)) return this.repeat(index)
    const promised = new Promise<Receipt | undefined>((resolve, reject) => {
      this.waiting.push({ index, resolve, reject })
    })
    this.start()
    return promised
  }

  /** Puts on disk and promises everything. Nothing may be added any more; promises are at hand from then on. */
  async finish(): Promise<void> {
    // Without a slot everything is promised already, or follows from Bitcoin.
    while (
      this.running !== undefined ||
      (this.batch.count > 0 && (this.hasSurplus || (this.covering() === undefined && this.hasSlot)))
    ) {
      this.start()
      await this.running
      if (this.failed !== undefined) throw this.failed
    }
  }

  /** Whether something is to be written that no tick promises. */
  private get hasSurplus(): boolean {
    return this.batch.isGrown && this.batch.written < this.batch.count
  }

  private async repeat(index: number): Promise<Receipt | undefined> {
    await this.running
    const last = index < this.batch.promisable ? this.covering() : undefined
    return last && this.told({ ...last, opIndex: index, path: this.batch.pathOf(index) })
  }

  /** Whether another tick can be signed: nothing may be added where it can't. */
  get hasSlot(): boolean {
    return this.batch.nextTick < this.parts.ticks
  }

  /** The last tick, if it covers everything. */
  private covering() {
    return this.signed?.tick.count === this.batch.promisable ? this.signed : undefined
  }

  private start(): void {
    this.running ??= this.run().finally(() => {
      this.running = undefined
      if (this.waiting.length > 0) this.start()
    })
  }

  private async run(): Promise<void> {
    // Whoever is being served in this turn of the event loop comes along.
    await new Promise((resolve) => setImmediate(resolve))
    const served = this.waiting
    this.waiting = []
    try {
      if (this.failed !== undefined) throw this.failed
      const indices = served.map(({ index }) => index)
      const { claimed, paths } = this.isAllSaid ? this.repeated(indices) : await this.cut(indices)
      const signed = claimed === undefined ? this.signed : await claimed.keep()
      this.signed = signed
      if (claimed !== undefined && signed !== undefined) this.parts.tell(signed)
      for (const [at, { index, resolve }] of served.entries()) {
        const path = paths[at]
        resolve(signed && path && this.told({ ...signed, opIndex: index, path }))
      }
    } catch (cause) {
      this.failed ??= new PromiseError({ cause })
      for (const { reject } of served) reject(this.failed)
    }
  }

  private told(receipt: Receipt): Receipt {
    const { tamper } = this.parts
    return tamper?.promise(receipt, this.batch.operations[receipt.opIndex] as Uint8Array) ?? receipt
  }

  /** Nothing came since the last tick, which whoever asked in the meantime gets too: a seal may follow on it. */
  private get isAllSaid(): boolean {
    return this.covering() !== undefined && this.batch.written === this.batch.count
  }

  private repeated(wanted: readonly number[]): Promised {
    return { claimed: undefined, paths: this.pathsOf(wanted) }
  }

  private pathsOf(wanted: readonly number[]): Promised['paths'] {
    const { promisable } = this.batch
    return wanted.map((index) => (index < promisable ? this.batch.pathOf(index) : undefined))
  }

  private async cut(wanted: readonly number[]): Promise<Promised> {
    const { tick, operations } = this.batch.cut()
    // Of this very prefix, so they are taken before anything is added.
    const paths = this.pathsOf(wanted)
    const sequence = this.sequence++
    this.written += operations.length
    const mark = sequence === this.place.firstGroup ? this.place.firstWrites : []
    const claimed = tick && this.parts.slots.claimTick(tick)
    await this.parts.store.commit([...mark, ...putGroup(sequence, operations), ...(claimed?.writes ?? [])])
    return { claimed, paths }
  }
}

/** What is on disk, and promised by a tick if there is one. A path for each place that was asked for and may be promised. */
interface Promised {
  readonly claimed: Claimed<SignedTick> | undefined
  readonly paths: readonly (Uint8Array[] | undefined)[]
}

/** Operations that were taken and not promised, with the journal's groups that hold them. */
export interface Surplus {
  readonly operations: readonly Uint8Array[]
  readonly groups: readonly number[]
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, at) => from + at)
}

interface Waiting {
  readonly index: number
  readonly resolve: (receipt: Receipt | undefined) => void
  readonly reject: (error: unknown) => void
}

/** Later transfers may stand on those that were lost with the write, so nothing more may be accepted on top. */
class PromiseError extends Error {
  override readonly name = 'PromiseError'

  constructor({ cause }: { cause: unknown }) {
    super('accepted transfers could not be written to disk and promised', { cause })
  }
}
