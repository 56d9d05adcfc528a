import { type Receipt, type Tick, tickMessage } from '@kedge/core'
import type { Store, Write } from '@kedge/storage'
import { putGroup, putTicked } from './journal.ts'
import type { OpenBatch } from './open-batch.ts'

export interface TickParts {
  readonly store: Store
  readonly network: Uint8Array
  readonly sign: (message: Uint8Array) => Uint8Array
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
 * goes into the next one, which is synced before one signature answers for all of it. Order of effects: cut, disk,
 * signature.
 */
export class Ticks {
  private readonly parts: TickParts
  private readonly place: JournalPlace
  readonly batch: OpenBatch
  private waiting: Waiting[] = []
  private running: Promise<void> | undefined
  private sequence: number
  /** The last one. */
  private signed: { readonly tick: Tick; readonly signature: Uint8Array } | undefined
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
   * nothing was accepted since the last tick, that one answers: whoever asks again and again costs no disk.
   */
  promise(index: number): Promise<Receipt> {
    const last = this.covering()
    if (last !== undefined) return Promise.resolve({ ...last, opIndex: index, path: this.batch.pathOf(index) })
    const promised = new Promise<Receipt>((resolve, reject) => {
      this.waiting.push({ index, resolve, reject })
    })
    this.start()
    return promised
  }

  /** Puts on disk and promises everything. Nothing may be added any more; promises are at hand from then on. */
  async finish(): Promise<void> {
    while (this.batch.count > 0 && this.covering() === undefined) {
      this.start()
      await this.running
      if (this.failed !== undefined) throw this.failed
    }
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
      const { tick, paths } = await this.cut(served.map(({ index }) => index))
      const signature = this.parts.sign(tickMessage(this.parts.network, tick))
      this.signed = { tick, signature }
      for (const [at, { index, resolve }] of served.entries())
        resolve({ tick, signature, opIndex: index, path: paths[at] as Uint8Array[] })
    } catch (cause) {
      this.failed ??= new PromiseError({ cause })
      for (const { reject } of served) reject(this.failed)
    }
  }

  private async cut(wanted: readonly number[]): Promise<{ tick: Tick; paths: Uint8Array[][] }> {
    const { tick, operations } = this.batch.cut()
    // Paths are those of this very prefix, so they are taken before anything is added.
    const paths = wanted.map((index) => this.batch.pathOf(index))
    const sequence = this.sequence++
    const mark = sequence === this.place.firstGroup ? this.place.firstWrites : []
    const ticked = putTicked({ number: tick.number, next: tick.index + 1 })
    await this.parts.store.commit([...mark, putGroup(sequence, operations), ticked])
    return { tick, paths }
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
