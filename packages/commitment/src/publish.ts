import { estimateFeeRate, readMempoolEntry } from '@kedge/bitcoin'
import { type Chain, equalBytes } from '@kedge/core'
import type { PublicationRecord, SignedRecord, Store } from '@kedge/storage'
import { ESTIMATE_BLOCKS, feeRate, LEAST_RATE, rateOf } from './fees.ts'
import { MinedTransactions } from './mined.ts'
import { newRecord, type PublicationRequest, publicationId, purposeOf } from './publication.ts'
import { type Publication, Publications, signedOf, withoutTagged } from './publications.ts'
import { type Due, nameOf, PublishRound, type RoundParts } from './publish-round.ts'
import type { Waiting } from './waiting.ts'

/** Blocks on top of a publication after which nobody looks at it any more: a coinbase is money that deep. */
const BURIED = 100

/** A transaction signed at some height may be mined this far below it, after a reorganisation. */
const REORG_MARGIN = 30

export interface PublisherParts extends RoundParts {
  readonly store: Store
}

/**
 * Puts evidence, answers and challenges on Bitcoin, and keeps them alive until they are buried or have no purpose.
 * Order of effects: the publication is on disk before anything is signed for it, a transaction is on disk before
 * bitcoind sees it. Where each stands is read from the chain, so a restart only goes on.
 *
 * `advance` and the purse's other users must not run at the same time.
 */
export class Publisher {
  private readonly parts: PublisherParts
  private readonly mined: MinedTransactions
  private readonly publications: Publications
  /** Counts what was asked of it. */
  private revision = 0
  /** What the last complete `advance` saw: the same again needs no more than a look. */
  private settled: { readonly hash: Uint8Array; readonly revision: number } | undefined
  private sample: SignedRecord | undefined
  private due: readonly Due[] = []

  constructor(parts: PublisherParts) {
    this.parts = parts
    this.mined = new MinedTransactions(parts.rpc)
    this.publications = new Publications(parts.store, parts.purse, this.mined)
  }

  /** Reads what was stored. Before anything else. */
  async load(): Promise<void> {
    await this.publications.load()
  }

  /**
   * Makes a publication durable; the next `advance` sends it. The same one again changes nothing.
   * @throws RangeError for a body that doesn't fit one publication (see `answerParts`)
   */
  async publish(request: PublicationRequest): Promise<void> {
    const record = newRecord(request)
    const id = publicationId(record)
    const known = this.publications.find(id)
    if (known === undefined) await this.publications.add(id, record)
    else if (known.record.state === 'dropped') await this.publications.save(known, { ...known.record, state: 'live' })
    else return
    this.revision += 1
  }

  /**
   * Nothing about this batch has a purpose any more. What was not sent is forgotten. What was sent costs its fee
   * anyway: it is left to be mined, so that the coins in it come back, but never raised.
   */
  async drop(headerHash: Uint8Array): Promise<void> {
    for (const publication of this.publications.all) {
      const { record } = publication
      if (!equalBytes(record.headerHash, headerHash)) continue
      if (signedOf(record).length === 0) await this.publications.forget(publication)
      else await this.publications.save(publication, { ...record, state: 'dropped' })
    }
    this.revision += 1
  }

  /** Live publications that no block holds, for metrics. */
  get pending(): number {
    const live = this.publications.all.filter(({ record }) => record.state === 'live')
    return live.filter(({ record }) => this.publications.taggedHeight(record) === undefined).length
  }

  /** What was to be in the mempool at the last complete `advance`, the most urgent first. */
  get waiting(): Waiting[] {
    const live = this.due.filter(({ publication }) => publication.record.state === 'live')
    return live.map(({ publication: { record }, deadline, target }) => {
      const sent = [...this.publications.belowTagged(record), ...(record.tagged === undefined ? [] : [record.tagged])]
      const feeRate = sent.length === 0 ? undefined : rateOf(sent)
      const isCapped = target >= this.parts.fees.cap
      return { kind: record.kind, name: nameOf(record), deadline, feeRate, isCapped }
    })
  }

  /**
   * Brings bitcoind's mempool in line with what is to be published. Call it after every change of the chain, and as
   * often as you like.
   * @throws RpcUnreachableError; nothing is lost, call again
   */
  async advance(chain: Chain): Promise<void> {
    const { revision, settled } = this
    const same = settled !== undefined && settled.revision === revision && equalBytes(settled.hash, chain.hash)
    if (same && (await this.isAlive())) return
    this.settled = undefined
    this.sample = undefined
    const complete = this.publications.active.length === 0 ? this.rest() : await this.work(chain)
    if (complete) this.settled = { hash: chain.hash, revision }
  }

  private rest(): boolean {
    this.due = []
    this.mined.clear()
    return true
  }

  /** Gives false when bitcoind is at another block than the node. */
  private async work(chain: Chain): Promise<boolean> {
    const { rpc, fees } = this.parts
    if (!(await this.mined.follow(chain, this.readFrom(chain.height), this.watched))) return false
    for (const publication of this.publications.active) await this.settle(chain, publication)
    const estimate = await estimateFeeRate(rpc, ESTIMATE_BLOCKS, fees.fallback)
    this.due = this.findDue(chain, estimate)
    const round = new PublishRound(this.parts, this.publications, chain, this.due)
    const complete = await round.send()
    this.sample = round.sample
    return complete
  }

  private async isAlive(): Promise<boolean> {
    return this.sample === undefined || (await readMempoolEntry(this.parts.rpc, this.sample.txid)) !== undefined
  }

  private get watched(): Uint8Array[] {
    return this.publications.active.flatMap(({ record }) => [
      ...signedOf(record).map(({ txid }) => txid),
      ...record.replaced,
    ])
  }

  private readFrom(height: number): number {
    const signed = this.publications.active.flatMap(({ record }) => signedOf(record))
    const earliest = Math.min(height, ...signed.map(({ sentAt }) => sentAt - REORG_MARGIN))
    return Math.max(this.parts.params.scanHeight, earliest)
  }

  /** What the blocks change: a publication is mined, mined too early, buried, out of the way. */
  private async settle(chain: Chain, publication: Publication): Promise<void> {
    const mined = publication.record.commits.find((commit) => this.publications.isMined(commit))
    // It had been replaced, and was mined after all: the reveal must stand on that one.
    if (mined !== undefined && mined !== publication.record.commits.at(-1))
      await this.publications.useCommit(publication, mined)
    const { record } = publication
    const height = this.publications.taggedHeight(record)
    if (record.state === 'dropped') {
      if (height !== undefined || !(await this.isUnderWay(record))) await this.publications.forget(publication)
      return
    }
    if (height === undefined) return
    const purpose = purposeOf(this.parts.params, chain, record)
    if (purpose !== undefined && height <= purpose.since) {
      // A reorganisation put it before what it speaks of, where it has no effect.
      await this.publications.save(publication, { ...withoutTagged(record), commits: [], replaced: [] })
    } else if (chain.height - height + 1 >= BURIED) {
      const rest = { body: new Uint8Array(0), commits: [], replaced: [] }
      await this.publications.save(publication, { ...withoutTagged(record), ...rest, state: 'buried' })
    }
  }

  /** Whether a dropped publication ties up coins that a block will free. */
  private async isUnderWay(record: PublicationRecord): Promise<boolean> {
    const first = record.commits.at(-1) ?? record.tagged
    if (first === undefined) return false
    return this.publications.isMined(first) || (await readMempoolEntry(this.parts.rpc, first.txid)) !== undefined
  }

  /** The most urgent first. */
  private findDue(chain: Chain, estimate: number): Due[] {
    const { params, fees } = this.parts
    const due = this.publications.active.flatMap((publication): Due[] => {
      const { record } = publication
      if (this.publications.taggedHeight(record) !== undefined) return []
      if (record.state === 'dropped') return [{ publication, deadline: Number.POSITIVE_INFINITY, target: LEAST_RATE }]
      const purpose = purposeOf(params, chain, record)
      if (purpose === undefined) return []
      const { since, deadline } = purpose
      const target = feeRate(estimate, chain.height + 1 - since, deadline - since, fees.cap)
      return [{ publication, deadline, target }]
    })
    return due.sort((a, b) => a.deadline - b.deadline || Buffer.compare(a.publication.id, b.publication.id))
  }
}
