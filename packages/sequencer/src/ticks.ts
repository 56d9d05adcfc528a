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
  readonly tamper: Pick<Tamper, 'promise'> | undefined
}

/** Where a batch's groups go in the journal. */
export interface JournalPlace {
  /** Sequence number of the batch's first group, and of its next one: another where the batch was taken up again. */
  readonly firstGroup: number
  readonly nextGroup: number
  /** Go with the first group: the batch's mark. */
  readonly firstWrites: readonly Write[]
}

/**
 * What the sequencer promises about one batch. Group commit: whatever was accepted while the last write was under way
 * goes into the next one, which is synced before one signature answers for all of it. Order of effects: cut, claim of
 * the slot, disk, signature.
 */
export class Ticks {
  private readonly parts: TickParts
  private readonly place: JournalPlace
  readonly batch: OpenBatch
  private waiting: Waiting[] = []
  private running: Promise<void> | undefined
  private sequence: number
  /** The last one. */
  private signed: SignedTick | undefined
  private failed: PromiseError | undefined

  constructor(parts: TickParts, batch: OpenBatch, place: JournalPlace) {
    this.parts = parts
    this.batch = batch
    this.place = place
    this.sequence = place.nextGroup
  }

  /** Sequence numbers of the batch's groups so far. */
  get groups(): number[] {
    const { firstGroup } = this.place
    return Array.from({ length: this.sequence - firstGroup }, (_, at) => firstGroup + at)
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
   * where that one was signed before a crash, and no slot is left for another.
   */
  promise(index: number): Promise<Receipt | undefined> {
    if (this.covering() !== undefined || !this.hasSlot) return this.repeat(index)
    const promised = new Promise<Receipt>((resolve, reject) => {
      this.waiting.push({ index, resolve, reject })
    })
    this.start()
    return promised
  }

  /** Puts on disk and promises everything. Nothing may be added any more; promises are at hand from then on. */
  async finish(): Promise<void> {
    // Without a slot everything is promised already, or follows from Bitcoin.
    while (this.batch.count > 0 && this.covering() === undefined && (this.running !== undefined || this.hasSlot)) {
      this.start()
      await this.running
      if (this.failed !== undefined) throw this.failed
    }
  }

  private async repeat(index: number): Promise<Receipt | undefined> {
    await this.running
    const last = this.covering()
    return last && this.told({ ...last, opIndex: index, path: this.batch.pathOf(index) })
  }

  /** Whether another tick can be signed: nothing may be added where it can't. */
  get hasSlot(): boolean {
    return this.batch.nextTick < this.parts.ticks
  }

  /** The last tick, if it covers everything. */
  private covering() {
    return this.signed?.tick.count === this.batch.count ? this.signed : undefined
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
      const { claimed, paths } = await this.cut(served.map(({ index }) => index))
      const signed = await claimed.keep()
      this.signed = signed
      for (const [at, { index, resolve }] of served.entries())
        resolve(this.told({ ...signed, opIndex: index, path: paths[at] as Uint8Array[] }))
    } catch (cause) {
      this.failed ??= new PromiseError({ cause })
      for (const { reject } of served) reject(this.failed)
    }
  }

  private told(receipt: Receipt): Receipt {
    const { tamper } = this.parts
    return tamper?.promise(receipt, this.batch.operations[receipt.opIndex] as Uint8Array) ?? receipt
  }

  private async cut(wanted: readonly number[]): Promise<{ claimed: Claimed<SignedTick>; paths: Uint8Array[][] }> {
    const { tick, operations } = this.batch.cut()
    // Paths are those of this very prefix, so they are taken before anything is added.
    const paths = wanted.map((index) => this.batch.pathOf(index))
    const sequence = this.sequence++
    const mark = sequence === this.place.firstGroup ? this.place.firstWrites : []
    const claimed = this.parts.slots.claimTick(tick)
    await this.parts.store.commit([...mark, putGroup(sequence, operations), ...claimed.writes])
    return { claimed, paths }
  }
}

interface Waiting {
  readonly index: number
  readonly resolve: (receipt: Receipt) => void
  readonly reject: (error: unknown) => void
}

/** Later transfers may stand on those that were lost with the write, so nothing more may be accepted on top. */
class PromiseError extends Error {
  override readonly name = 'PromiseError'

  constructor({ cause }: { cause: unknown }) {
    super('accepted transfers could not be written to disk and promised', { cause })
  }
}
