import { setImmediate } from 'node:timers/promises'
import type { FraudClaim } from '@kedge/bond'
import {
  type Bond,
  type Breach,
  decodeHeader,
  equalBytes,
  judgeSaid,
  type KnownOperations,
  type Params,
  type PromiseFacts,
  readWhole,
  type Said,
  showTick,
} from '@kedge/core'
import { keptOperations, treeOf } from '@kedge/node'
import { headers, type LinkRecord, type Store } from '@kedge/storage'
import { answersFor, factsOf, findInnocence, type Witnessed } from './innocence.ts'
import type { KeptTicks } from './kept-ticks.ts'

export interface PromiseParts {
  readonly params: Params
  readonly node: Witnessed
  readonly store: Store
  readonly kept: KeptTicks
}

/** A promise that was broken, as watchers are asked about it. */
export interface Broken {
  readonly number: number
  readonly breach: Breach
  readonly claim: FraudClaim
}

/** Ticks judged before others have their turn: some 10 ms. */
const SLICE = 256

/**
 * Holds the ticks that were kept against what was anchored, by the rule that watchers judge by, and as they do: as Bitcoin
 * shows it k blocks deep. A tick is a promise by itself, so nobody's receipt is needed.
 */
export class PromiseWatch {
  private readonly parts: PromiseParts
  private judged = 0

  constructor(parts: PromiseParts) {
    this.parts = parts
  }

  /**
   * The first broken promise that one of these bonds answers for. Of what was judged before it, what is kept, has ended or
   * is nothing to them is not looked at again.
   */
  async find(bonds: readonly Bond[]): Promise<Broken | undefined> {
    const facts = factsOf(this.parts.params, this.parts.node)
    for (const number of this.parts.kept.numbers) {
      const batch = await this.read(number, facts)
      for (const said of this.parts.kept.of(number)) {
        if (this.judged++ % SLICE === SLICE - 1) await setImmediate()
        const broken = this.judge(facts, batch, said, bonds)
        if (broken !== undefined) return broken
      }
    }
    return undefined
  }

  private judge(facts: PromiseFacts, batch: Read, said: Said, bonds: readonly Bond[]): Broken | undefined {
    const { params, node, kept } = this.parts
    const { tick } = said.receipt
    // It has ended for good: nothing that comes back is held against it, by the watchers neither.
    if (node.hasLeft(tick.origin.hash)) {
      kept.drop(said)
      return undefined
    }
    const shown = showTick(said.receipt, batch.known)
    const verdict = judgeSaid(params, facts, shown, said)
    if (!verdict.ok) {
      // Where its origin is not deep enough yet, it was not judged.
      const isJudged = tick.origin.height <= facts.height
      if ((isJudged && !batch.isOpen) || this.hasEnded(said)) kept.drop(said)
      return undefined
    }
    const claim: FraudClaim = { kind: 'promise', shown }
    const answering = bonds.filter((bond) => answersFor(params, bond, tick))
    // The same that the watchers find.
    if (answering.some((bond) => findInnocence(params, node, bond, claim) === undefined))
      return { number: tick.number, breach: verdict.breach, claim }
    if (answering.length === 0) kept.drop(said)
    return undefined
  }

  /** Another block stands where its origin was, or none does for long. */
  private hasEnded({ receipt: { tick } }: Said): boolean {
    const { params, node } = this.parts
    const { height, hash } = tick.origin
    const there = node.blockHash(height)
    if (there === undefined) return height > node.chain().height + params.windows.staleness
    return !equalBytes(there, hash)
  }

  private async read(number: number, facts: PromiseFacts): Promise<Read> {
    const { node, store } = this.parts
    const link = node.link(number)
    if (link === undefined || facts.link(number) === undefined) return { known: undefined, isOpen: true }
    const hash = hashOf(link)
    const header = hash && (await store.get(headers, hash))
    if (hash === undefined || header === undefined) return { known: undefined, isOpen: mayBeShown(link) }
    const parent = decodeHeader(header)?.parent
    const whole = await keptOperations(store, hash)
    const log = whole && (await treeOf(readWhole(whole)))
    const known = { header, parent: (parent && (await store.get(headers, parent))) ?? new Uint8Array(0), log }
    return { known, isOpen: log === undefined && mayBeShown(link) }
  }
}

/** Of the batch that took the number, also where it did so without effect. */
function hashOf({ outcome, said, headerHash }: LinkRecord): Uint8Array | undefined {
  if (outcome === 'batch') return headerHash
  return outcome === 'null' && said?.kind === 'batch' ? said.headerHash : undefined
}

/** What is known of what took a number. */
interface Read {
  readonly known: KnownOperations | undefined
  /** Whether more of it may come to be known: what it does not break by now may be broken. */
  readonly isOpen: boolean
}

/** A batch that may still live has its data shown, or is void without. */
function mayBeShown({ outcome, voided, finalAt }: LinkRecord): boolean {
  return outcome === 'batch' && voided === undefined && finalAt === undefined
}
