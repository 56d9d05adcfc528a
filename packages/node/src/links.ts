import type { ChainEvent, VoidCause } from '@kedge/core'
import type { LinkRecord } from '@kedge/storage'

export interface LinkCounts {
  readonly nulls: number
  readonly voids: Readonly<Record<VoidCause, number>>
}

/** Every link of the anchor chain and what became of it, by number. */
export class LinkIndex {
  private readonly records: LinkRecord[] = []
  private readonly counted = { nulls: 0, voids: { evidence: 0, unanswered: 0, ancestor: 0 } }

  /** @param records ascending, from number 1, without gaps. */
  constructor(records: readonly LinkRecord[] = []) {
    for (const record of records) this.put(record)
  }

  get last(): LinkRecord | undefined {
    return this.records.at(-1)
  }

  get(number: number): LinkRecord | undefined {
    return this.records[number - 1]
  }

  put(record: LinkRecord): void {
    this.count(this.get(record.number), -1)
    this.records[record.number - 1] = record
    this.count(record, 1)
  }

  /** Of all links: how many are without effect, and how many batches are void, by cause. */
  get counts(): LinkCounts {
    return this.counted
  }

  private count(record: LinkRecord | undefined, step: 1 | -1): void {
    if (record?.voided !== undefined) this.counted.voids[record.voided.cause] += step
    if (record?.outcome === 'null') this.counted.nulls += step
  }

  /** From the last one down. */
  *newest(): Generator<LinkRecord> {
    for (let at = this.records.length; at >= 1; at--) yield this.records[at - 1] as LinkRecord
  }

  /** The first live batch with a number above `number`. */
  nextLive(number: number): BatchLink | undefined {
    for (let at = number; at < this.records.length; at++) {
      const record = this.records[at]
      if (record !== undefined && isLiveBatch(record)) return record
    }
    return undefined
  }

  isLive(number: number, headerHash: Uint8Array): boolean {
    const record = this.get(number)
    return record !== undefined && isLiveBatch(record) && record.headerHash.every((byte, at) => byte === headerHash[at])
  }

  /** What a block's events make of the records: those to store with it. */
  applied(height: number, events: readonly ChainEvent[]): LinkRecord[] {
    const changed = new Map<number, LinkRecord>()
    const current = (number: number) => (changed.get(number) ?? this.get(number)) as LinkRecord
    for (const event of events) {
      if (event.kind === 'link') changed.set(event.number, recordOf(height, event))
      if (event.kind === 'final') changed.set(event.number, { ...current(event.number), finalAt: height })
      if (event.kind === 'void') {
        const { cause, fault } = event
        changed.set(event.number, {
          ...current(event.number),
          voided: fault === undefined ? { height, cause } : { height, cause, fault },
        })
      }
    }
    return [...changed.values()]
  }

  /** What forgetting all blocks above `height` makes of the records. */
  rolledBack(height: number): { readonly kept: LinkRecord[]; readonly dropped: number[] } {
    const kept: LinkRecord[] = []
    const dropped: number[] = []
    for (const record of this.records) {
      if (record.height > height) dropped.push(record.number)
      else if ((record.voided?.height ?? 0) > height || (record.finalAt ?? 0) > height)
        kept.push(withoutLater(record, height))
    }
    return { kept, dropped }
  }

  drop(numbers: readonly number[]): void {
    const kept = Math.min(this.records.length, ...numbers.map((number) => number - 1))
    for (const record of this.records.splice(kept)) this.count(record, -1)
  }
}

export type BatchLink = LinkRecord & {
  readonly outcome: 'batch'
  readonly headerHash: Uint8Array
  readonly post: Uint8Array
}

function isLiveBatch(record: LinkRecord): record is BatchLink {
  return record.outcome === 'batch' && record.voided === undefined
}

function recordOf(height: number, event: ChainEvent & { kind: 'link' }): LinkRecord {
  const { number, outcome, txid } = event
  const base = { number, outcome, height, txid }
  if (event.outcome === 'close') return { ...base, reason: event.reason }
  if (event.outcome === 'null') {
    return { ...base, reason: event.reason, said: event.anchor }
  }
  return outcome === 'batch'
    ? { ...base, headerHash: event.headerHash, post: event.word }
    : { ...base, headerHash: event.headerHash, nonceRoot: event.word }
}

function withoutLater(record: LinkRecord, height: number): LinkRecord {
  const { voided, finalAt, ...rest } = record
  return {
    ...rest,
    ...(voided !== undefined && voided.height <= height && { voided }),
    ...(finalAt !== undefined && finalAt <= height && { finalAt }),
  }
}
