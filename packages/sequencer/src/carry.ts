import { decodeSigned, readWhole, type SignedOperation, signedMessage } from '@kedge/core'
import { checkSignatures, droppedMark, keptOperations, type NodeParts } from '@kedge/node'
import { marks, type Write } from '@kedge/storage'
import type { Added, Candidate } from './candidate.ts'
import { delGroups } from './journal.ts'
import type { OwnLinks } from './own-links.ts'
import type { Plan } from './plan.ts'

export interface CarryParts {
  readonly node: NodeParts
  readonly own: OwnLinks
  /** Adds to the open batch, before anybody else's. */
  readonly add: (candidate: Candidate) => Promise<Added>
}

interface Refused {
  readonly candidate: Candidate
  readonly code: string
}

/**
 * Transfers and withdrawals that were accepted and have no batch to be in: those of lost batches, then those of an open batch that lost
 * its place. They go, in their old order, into the batch that is open now.
 */
export class Carried {
  private readonly parts: CarryParts
  /** Of open batches that lost their place, with the journal's groups that hold them. */
  private operations: readonly Uint8Array[] = []
  private groups: readonly number[] = []

  constructor(parts: CarryParts) {
    this.parts = parts
  }

  /** Operations that stand in these groups of the journal. */
  take(operations: readonly Uint8Array[], groups: readonly number[]): void {
    this.operations = [...this.operations, ...operations]
    this.groups = [...this.groups, ...groups]
  }

  /** Whether anything waits for a batch. */
  isWaiting(plan: Plan): boolean {
    return this.groups.length > 0 || this.lost(plan).length > 0
  }

  /** Batches that live again may be lost again. On disk before anything that they hold is found used. */
  async noteRevived({ tail }: Plan): Promise<void> {
    const { node, own } = this.parts
    const { links, chain } = node.follower
    own.forgetBuried(chain.final.number)
    await node.store.commit(own.revived(links, chain.final.number, tail).map(({ number }) => own.unsettle(number)))
  }

  /**
   * What is refused where it stood in the old order is tried again behind the rest: it may need what another batch gave
   * back. So nothing is dropped before all else is in.
   *
   * False when there was no room for all of it: what went in already is found used at the next try. So it is where the
   * batch that it went into had to give some of it back (`take`): what came behind that could not stand.
   */
  async unload(plan: Plan): Promise<boolean> {
    const { node, own } = this.parts
    const { operations, groups } = this
    const refused: Refused[] = []
    const numbers: number[] = []
    for (const { number, headerHash } of this.lost(plan)) {
      const whole = await keptOperations(node.store, headerHash)
      if (whole === undefined) throw new Error(`the operations of batch ${number}, which was sealed here, are missing`)
      const left = await this.addAgain(await this.candidatesOf(readWhole(whole)))
      if (left === undefined || this.groups !== groups) return false
      if (left.length === 0) await node.store.commit([own.settle(number)])
      else numbers.push(number)
      refused.push(...left)
    }
    const left = await this.addAgain(await this.candidatesOf(operations))
    const dropped = left && (await this.addWhatStands([...refused, ...left]))
    if (dropped === undefined || this.groups !== groups) return false
    const marked = dropped.map(({ candidate, code }) => putDropped(node.network, candidate.operation, code))
    await node.store.commit([...numbers.map((number) => own.settle(number)), ...delGroups(groups), ...marked])
    this.operations = []
    this.groups = []
    return true
  }

  private lost({ tail }: Plan) {
    const { links, chain } = this.parts.node.follower
    return this.parts.own.lost(links, chain.final.number, tail)
  }

  /** Round by round, for as long as one more goes in. Gives the rest; undefined when there is no room. */
  private async addWhatStands(waiting: readonly Refused[]): Promise<readonly Refused[] | undefined> {
    for (let before = waiting; ; ) {
      const after: readonly Refused[] | undefined = await this.addAgain(before.map(({ candidate }) => candidate))
      if (after === undefined || after.length === before.length) return after
      before = after
    }
  }

  /** Of what was signed; other operations follow from rules. */
  private async candidatesOf(operations: readonly Uint8Array[]): Promise<readonly Candidate[]> {
    const { node } = this.parts
    const signed = operations.filter(isSigned)
    const { ids, signers } = await checkSignatures(node.verifier, node.executor.ledger.tree, signed)
    return signed.map((bytes, at) => {
      return { operation: decodeSigned(bytes) as SignedOperation, bytes, id: ids[at], signedBy: signers[at] }
    })
  }

  /**
   * Adds what was accepted before, and waits until it is promised anew. Gives what was refused, but for what is found
   * used; undefined when there is no room.
   */
  private async addAgain(candidates: readonly Candidate[]): Promise<readonly Refused[] | undefined> {
    const refused: Refused[] = []
    let last: (Added & { ok: true }) | undefined
    for (const candidate of candidates) {
      const added = await this.parts.add(candidate)
      if (added.ok) last = added
      else if (added.code === 'overloaded' || added.code === 'syncing') return undefined
      else if (added.code !== 'nonce-used') refused.push({ candidate, code: added.code })
    }
    await last?.promises.promise(last.index)
    return refused
  }
}

/** Deposits and what is forced, in the journal too, follow from Bitcoin. */
export function isSigned(bytes: Uint8Array): boolean {
  return decodeSigned(bytes) !== undefined
}

/** What was accepted, lost its batch, and can't stand in a later one. */
function putDropped(network: Uint8Array, operation: SignedOperation, code: string): Write {
  return marks.put(droppedMark(signedMessage(network, operation)), new TextEncoder().encode(code))
}
