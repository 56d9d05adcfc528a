import { type Anchor, encodeMessage, equalBytes } from '@kedge/core'
import {
  anchorTransactions,
  type IntentRecord,
  intents,
  links,
  type SignedRecord,
  type Store,
  type Write,
} from '@kedge/storage'

/** One number of the anchor chain: what this node bound itself to say there, and how it tried to. */
export interface Intent {
  readonly number: number
  readonly record: IntentRecord
  /** Signed so far, all with the intent's payload; the newest last. */
  versions: readonly SignedRecord[]
}

/** Intents far below the last final batch are forgotten: no reorganisation brings back what is buried that deep. */
const KEPT_BELOW_FINAL = 1_000

/**
 * The anchors that this node has bound itself to, by number. The promise kept here: for a number there is one payload,
 * for ever, whatever crashes in between.
 */
export class Intents {
  private readonly store: Store
  private readonly byNumber = new Map<number, Intent>()
  /** Handed out for a commit of the caller's, of which it is not known yet whether it is on disk. */
  private proposed: { readonly number: number; readonly record: IntentRecord } | undefined
  private lastLinked = 0
  first = 0
  last = 0

  private constructor(store: Store) {
    this.store = store
  }

  static async load(store: Store): Promise<Intents> {
    const loaded = new Intents(store)
    for await (const [number, record] of store.range(intents)) loaded.add(number, record, [])
    for await (const [number, versions] of store.range(anchorTransactions)) {
      const intent = loaded.get(number)
      if (intent === undefined)
        throw new Error(`anchor transactions of number ${number} are stored without their intent`)
      intent.versions = versions
    }
    for await (const [number] of store.range(links, { reverse: true, limit: 1 })) loaded.lastLinked = number
    return loaded
  }

  get(number: number): Intent | undefined {
    return this.byNumber.get(number)
  }

  get all(): Intent[] {
    return [...this.byNumber.values()]
  }

  /** Numbers up to this one are taken by links that Bitcoin holds. */
  sawLinks(upTo: number): void {
    this.lastLinked = upTo
  }

  /**
   * The write that makes an intent durable. Asked again with the same anchor it gives the same write.
   * @throws Error for another anchor under a number that is taken, or for a number that leaves a gap
   */
  propose(number: number, anchor: Anchor, originHeight?: number): Write {
    const { headerHash } = anchor
    const record = { payload: encodeMessage(anchor), headerHash, ...(originHeight !== undefined && { originHeight }) }
    const known = this.get(number)?.record ?? (this.proposed?.number === number ? this.proposed.record : undefined)
    if (known !== undefined && !equalBytes(known.payload, record.payload)) {
      throw new Error(`number ${number} is bound to another anchor already`)
    }
    if (known !== undefined) return intents.put(number, known)
    const next = Math.max(this.last, this.lastLinked) + 1
    if (number <= this.last || (this.last > 0 && number !== next)) {
      throw new Error(`anchor ${number} is out of turn: the next number is ${next}`)
    }
    this.proposed = { number, record }
    return intents.put(number, record)
  }

  /** The proposed intent is on disk. */
  noted(number: number, anchor: Anchor): void {
    if (this.byNumber.has(number)) return
    if (this.proposed?.number !== number || !equalBytes(this.proposed.record.payload, encodeMessage(anchor))) {
      throw new Error(`the intent for anchor ${number} was never asked for`)
    }
    this.add(number, this.proposed.record, [])
    this.proposed = undefined
  }

  /** Stores a transaction that was signed for a number, before anybody hears of it. */
  async addVersion(intent: Intent, version: SignedRecord): Promise<void> {
    const versions = [...intent.versions, version]
    await this.store.commit([anchorTransactions.put(intent.number, versions)])
    intent.versions = versions
  }

  async forgetBuried(finalNumber: number): Promise<void> {
    const numbers = [...this.byNumber.keys()].filter((number) => number < finalNumber - KEPT_BELOW_FINAL)
    if (numbers.length === 0) return
    await this.store.commit(numbers.flatMap((number) => [intents.del(number), anchorTransactions.del(number)]))
    for (const number of numbers) this.byNumber.delete(number)
    this.first = Math.max(this.first, finalNumber - KEPT_BELOW_FINAL)
  }

  private add(number: number, record: IntentRecord, versions: readonly SignedRecord[]): void {
    this.byNumber.set(number, { number, record, versions })
    this.first ||= number
    this.last = number
  }
}
