import { type Receipt, tickMessage } from '@kedge/core'
import type { Store, Write } from '@kedge/storage'
import { putGroup } from './journal.ts'
import { type Cut, type OpenBatch, receiptOf } from './open-batch.ts'

export interface TickParts {
  readonly store: Store
  readonly network: Uint8Array
  readonly sign: (message: Uint8Array) => Uint8Array
}

/**
 * Group commit: whatever was accepted while the last write was under way goes into the next one, which is synced
 * before one signature answers for all of it. Order of effects: cut, disk, signature.
 */
export class Ticks {
  private readonly parts: TickParts
  private readonly batch: OpenBatch
  private readonly firstWrites: readonly Write[]
  private waiting: Waiting[] = []
  private running: Promise<void> | undefined
  private sequence: number
  /** The batch's first journal group. */
  readonly firstGroup: number

  /** @param next journal group; @param firstWrites go with the batch's first group: its mark */
  constructor(parts: TickParts, batch: OpenBatch, firstGroup: number, next: number, firstWrites: readonly Write[]) {
    this.parts = parts
    this.batch = batch
    this.sequence = next
    this.firstGroup = firstGroup
    this.firstWrites = firstWrites
  }

  /** The journal's next sequence number. */
  get nextGroup(): number {
    return this.sequence
  }

  /** Resolves when everything accepted so far is on disk and promised; with a receipt for operation `index`. */
  promise(index: number): Promise<Receipt> {
    const promised = new Promise<Receipt>((resolve, reject) => {
      this.waiting.push({ index, resolve, reject })
    })
    this.start()
    return promised
  }

  /** Waits until nobody waits. */
  async settle(): Promise<void> {
    while (this.running !== undefined) await this.running
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
      const cut = this.batch.cut(served.map(({ index }) => index))
      const receipts = await this.commit(cut)
      for (const { index, resolve } of served) resolve(receipts(index))
    } catch (error) {
      for (const { reject } of served) reject(error)
    }
  }

  private async commit(cut: Cut): Promise<(index: number) => Receipt> {
    const sequence = this.sequence++
    const mark = sequence === this.firstGroup ? this.firstWrites : []
    await this.parts.store.commit([...mark, putGroup(sequence, cut.operations)])
    const signature = this.parts.sign(tickMessage(this.parts.network, cut.tick))
    return (index) => receiptOf(cut, signature, index)
  }
}

interface Waiting {
  readonly index: number
  readonly resolve: (receipt: Receipt) => void
  readonly reject: (error: unknown) => void
}
