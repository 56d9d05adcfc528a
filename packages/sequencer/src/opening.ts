import { type AnchorKeeper, MAX_UNCONFIRMED } from '@kedge/commitment'
import { type BatchPlace, encodeReceipt, type SignedTick } from '@kedge/core'
import { checkSignatures, type NodeParts } from '@kedge/node'
import { isSigned } from './carry.ts'
import { firstAbove, regrown } from './certify.ts'
import { type JournalContents, putOpenMark } from './journal.ts'
import { OpenBatch } from './open-batch.ts'
import { backlogOf } from './room.ts'
import type { Tamper } from './seal.ts'
import type { Slots } from './slots.ts'
import { lapses } from './standing.ts'
import { type JournalPlace, Ticks } from './ticks.ts'

/** Batches as they are opened on the ledger: new ones, and the one that was open when the process ended. */

export interface OpeningParts {
  readonly node: NodeParts
  readonly keeper: Pick<AnchorKeeper, 'backlog'>
  readonly slots: Slots
  readonly tamper?: Tamper
}

/** Anchors that wait for a block: with so many, a batch that is opened may have to take promises until one comes. */
const QUEUE = MAX_UNCONFIRMED - 4

/** @param firstGroup the journal's next sequence number */
export function openNew(parts: OpeningParts, place: BatchPlace, firstGroup: number): Ticks {
  const mark = putOpenMark({ ...place, firstGroup })
  const journal = { firstGroup, nextGroup: firstGroup, written: 0, firstWrites: [mark] }
  return promisesOf(parts, openNext(parts, place), journal)
}

/** The batch that was open, on with its promises; undefined where it has lost its place. */
export async function openAgain(
  parts: OpeningParts,
  { open: mark, groups, nextSequence }: JournalContents,
  stands: (batch: OpenBatch) => boolean,
): Promise<Ticks | undefined> {
  if (mark === undefined) return undefined
  const { node, slots } = parts
  const { number, parent, origin, firstGroup } = mark
  const mine = groups.filter(({ sequence }) => sequence >= firstGroup)
  const bytes = mine.flatMap(({ operations }) => operations).filter(isSigned)
  const { signers } = await checkSignatures(node.verifier, node.executor.ledger.tree, bytes)
  if (lapses(node.follower, origin) || !slots.isOpen(number)) return undefined
  const batch = openNext(parts, { network: node.network, number, parent, origin })
  const cap = node.options.params.caps.operations
  const fits = bytes.every((each, at) => regrown(batch, cap).addAgain(each, signers[at])) && stands(batch)
  if (!fits) {
    await batch.abandon()
    return undefined
  }
  batch.markPromised()
  const surplusFrom = batch.isGrown ? firstAbove(mine, cap) : undefined
  const written = mine.reduce((count, { operations }) => count + operations.length, 0)
  const journal = { firstGroup, nextGroup: nextSequence, written, firstWrites: [], ...(surplusFrom && { surplusFrom }) }
  node.options.log.info({ number, operations: batch.count }, 'took up the open batch again')
  return promisesOf(parts, batch, journal)
}

/** On the ledger as it stands. */
export function openAt({ node, slots }: Pick<OpeningParts, 'node' | 'slots'>, place: BatchPlace): OpenBatch {
  const { executor, steps } = node
  const ground = { ledger: executor.ledger, steps }
  const cellOf = (key: Uint8Array) => executor.owners.find(key)
  const firstTick = slots.firstTick(place.number)
  return new OpenBatch(place, executor.contextOf(place), ground, cellOf, performance.now(), firstTick)
}

function openNext(parts: OpeningParts, place: BatchPlace): OpenBatch {
  parts.slots.prepare(place.number + 1, backlogOf(parts) >= QUEUE)
  return openAt(parts, place)
}

function promisesOf({ node, slots, tamper }: OpeningParts, batch: OpenBatch, journal: JournalPlace): Ticks {
  const ticks = slots.lengthOf(batch.place.number)
  const tell = (signed: SignedTick) => tellPeers(node, signed)
  return new Ticks({ store: node.store, slots, ticks, tell, tamper }, batch, journal)
}

/** A receipt for nothing in particular: peers are told what was signed, and not what for. */
function tellPeers({ host, seenTicks }: NodeParts, signed: SignedTick): void {
  const receipt = { ...signed, opIndex: 0, path: [] }
  seenTicks.noteOwn(receipt)
  host.tellTick(encodeReceipt(receipt))
}
