import { type Built, printHash, type Rpc, readMempoolEntry } from '@kedge/bitcoin'
import type { Chain, Params } from '@kedge/core'
import type { PublicationRecord, SignedRecord } from '@kedge/storage'
import { type Delivered, deliver, ELSEWHERE, send } from './deliver.ts'
import { BUMP_STEP, type FeePolicy, rateOf } from './fees.ts'
import type { CommitmentLog } from './log.ts'
import { type Publication, type Publications, withoutTagged } from './publications.ts'
import { type Making, makeChallenge, makeCommit, makeReveal } from './publish-build.ts'
import type { Purse } from './purse.ts'
import { conflict, isSame, signedAt } from './signed.ts'

export interface RoundParts {
  readonly rpc: Rpc
  readonly params: Params
  readonly purse: Purse
  readonly fees: FeePolicy
  readonly log: CommitmentLog
}

/** A publication that is to be in the mempool now. */
export interface Due {
  readonly publication: Publication
  readonly deadline: number
  /** sat/vB. */
  readonly target: number
}

/** What a new transaction must be better than, in sat/vB, and what it replaces in the mempool. */
interface Order {
  readonly least: number
  readonly replaced?: SignedRecord
}

/** Sends everything that is due at one block, once. */
export class PublishRound {
  private readonly parts: RoundParts
  private readonly publications: Publications
  private readonly chain: Chain
  private readonly due: readonly Due[]
  /** Publications whose commit was looked after. */
  private readonly visited = new Set<Publication>()
  /** What bitcoind took. */
  private readonly commits = new Map<Publication, SignedRecord>()
  private readonly tagged = new Map<Publication, SignedRecord>()
  private complete = true

  constructor(parts: RoundParts, publications: Publications, chain: Chain, due: readonly Due[]) {
    this.parts = parts
    this.publications = publications
    this.chain = chain
    this.due = due
  }

  /**
   * First all commits, then all reveals: default relay takes 101 kvB of descendants, so a large reveal would keep out
   * the commits that stand on its commit's change, and cost a block for each.
   * @returns false when bitcoind is at another block than the node
   */
  async send(): Promise<boolean> {
    for (const one of this.due) await this.placeCommit(one)
    for (const one of this.due) await this.placeTagged(one)
    for (const one of this.due) await this.raise(one)
    return this.complete
  }

  /** One of those that bitcoind took. A mempool that is lost is lost as a whole. */
  get sample(): SignedRecord | undefined {
    return [...this.tagged.values(), ...this.commits.values()][0]
  }

  /** After the commits that it stands on. */
  private async placeCommit(due: Due): Promise<void> {
    const { publication } = due
    if (publication.record.kind === 'challenge' || this.visited.has(publication)) return
    this.visited.add(publication)
    const current = await this.chooseCommit(publication)
    if (current !== undefined && this.publications.isMined(current)) return
    for (const parent of current === undefined ? [] : this.publications.unconfirmed.parentsOf(current)) {
      const owner = this.due.find((other) => other.publication.record.commits.at(-1) === parent)
      if (owner !== undefined) await this.placeCommit(owner)
    }
    const delivered = await deliver(this.parts, this.chain.hash, {
      name: `the commit of ${nameOf(publication.record)}`,
      burn: 0n,
      current,
      below: current === undefined ? [] : this.publications.unconfirmed.ancestorsOf(current),
      target: due.target,
      sign: (least) => this.signCommit(due, { least }),
    })
    this.note(delivered, this.commits, publication)
  }

  /** The commit that bitcoind knows, else the newest. */
  private async chooseCommit(publication: Publication): Promise<SignedRecord | undefined> {
    const { commits } = publication.record
    const newest = commits.at(-1)
    if (commits.length < 2 || newest === undefined || this.publications.isMined(newest)) return newest
    for (const commit of [...commits].reverse()) {
      if ((await readMempoolEntry(this.parts.rpc, commit.txid)) === undefined) continue
      if (commit !== newest) await this.publications.useCommit(publication, commit)
      return commit
    }
    return newest
  }

  /** A reveal whose commit bitcoind has, or a challenge. */
  private async placeTagged(due: Due): Promise<void> {
    const { publication } = due
    const { record } = publication
    const commit = record.commits.at(-1)
    const mined = commit !== undefined && this.publications.isMined(commit)
    if (record.kind !== 'challenge' && !mined && !this.commits.has(publication)) return
    const delivered = await deliver(this.parts, this.chain.hash, {
      name: nameOf(record),
      burn: this.burnOf(record),
      current: record.tagged,
      below: this.publications.belowTagged(record),
      target: due.target,
      sign: (least) => this.signTagged(due, { least }),
    })
    this.note(delivered, this.tagged, publication)
  }

  private note(delivered: Delivered, taken: Map<Publication, SignedRecord>, publication: Publication): void {
    if (delivered.ok) taken.set(publication, delivered.signed)
    else if (delivered.reason === ELSEWHERE) this.complete = false
  }

  /**
   * Replaces what waits at the end of a chain by one that pays more for all of it, once it pays too little; once a
   * block at most.
   */
  private async raise(due: Due): Promise<void> {
    const { publication, target } = due
    const { record } = publication
    const commit = this.commits.get(publication)
    const front = this.tagged.get(publication) ?? commit
    if (front === undefined || record.state === 'dropped' || front.sentAt >= this.chain.height) return
    const { unconfirmed } = this.publications
    // Others stand on it, and pay for it.
    if (front === commit && unconfirmed.isParent(commit)) return
    const below = front === commit ? unconfirmed.ancestorsOf(commit) : this.publications.belowTagged(record)
    const least = rateOf([...below, front]) * BUMP_STEP
    if (least > target) return
    const order = { least, replaced: front }
    const raised = await (front === commit ? this.signCommit(due, order) : this.signTagged(due, order))
    const fields = { name: nameOf(record), target }
    if (raised === undefined) {
      this.parts.log.warn(fields, "the purse can't pay to raise a publication")
    } else {
      const burn = front === commit ? 0n : this.burnOf(record)
      const sent = await send(this.parts, { name: nameOf(record), burn }, raised)
      if (!sent.ok) return
      ;(front === commit ? this.commits : this.tagged).set(publication, raised)
      this.parts.log.info({ ...fields, fee: raised.fee }, 'raised a publication')
    }
  }

  private async signCommit(due: Due, order: Order): Promise<SignedRecord | undefined> {
    const { publication } = due
    const { purse, fees } = this.parts
    const { unconfirmed } = this.publications
    const current = publication.record.commits.at(-1)
    const others = current === undefined ? unconfirmed : unconfirmed.without(current)
    const change = others.freeChange(purse.key.script)
    const waiting = this.due.filter((other) => other.publication.record.commits.length === 0).length
    const free = change.reduce((sum, { value }) => sum + value, purse.balance)
    // Half: the rest is for anchors, and for what comes up meanwhile.
    const share = free / BigInt(2 * Math.max(1, waiting))
    const below = order.replaced === undefined ? [] : unconfirmed.ancestorsOf(order.replaced)
    const signed = this.finish(order, makeCommit(this.making(due, order, below), change, share, fees.cap))
    if (signed !== undefined) await this.publications.useCommit(publication, signed)
    return signed
  }

  private async signTagged(due: Due, order: Order): Promise<SignedRecord | undefined> {
    const { publication } = due
    const { record } = publication
    const making = this.making(due, order, this.publications.belowTagged(record))
    const signed = this.finish(order, record.kind === 'challenge' ? makeChallenge(making) : makeReveal(making))
    if (signed === undefined || (record.tagged !== undefined && isSame(record.tagged, signed))) return signed
    await this.publications.save(publication, { ...withoutTagged(record), tagged: signed })
    return signed
  }

  private making({ publication, target }: Due, { least, replaced }: Order, below: readonly SignedRecord[]): Making {
    const { params, purse } = this.parts
    return { params, purse, record: publication.record, target, least, ancestors: below, replaced }
  }

  /** A replacement that doesn't conflict would be a second one: a challenge would burn twice. */
  private finish({ replaced }: Order, built: Built | undefined): SignedRecord | undefined {
    const signed = built && signedAt(this.chain.height, built)
    return signed !== undefined && replaced !== undefined && !conflict(signed, replaced) ? undefined : signed
  }

  private burnOf({ kind }: PublicationRecord): bigint {
    return kind === 'challenge' ? this.parts.params.fees.challenge : 0n
  }
}

export function nameOf({ kind, headerHash }: PublicationRecord): string {
  return `${kind} on batch ${printHash(headerHash)}`
}
