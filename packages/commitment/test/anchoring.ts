import { printHash } from '@kedge/bitcoin'
import { anchorTransactions, type SignedRecord } from '@kedge/storage'
import type { AnchorKeeper } from '../src/index.ts'
import { anchorOf, bind, type World } from './world.ts'

/** What tests of anchors do and look at. */

/** Everything that a number was ever signed as. */
export async function versionsOf(world: World, number: number): Promise<readonly SignedRecord[]> {
  return (await world.store.get(anchorTransactions, number)) ?? []
}

export async function newestOf(world: World, number: number): Promise<SignedRecord> {
  const newest = (await versionsOf(world, number)).at(-1)
  if (newest === undefined) throw new Error(`nothing was signed for ${number}`)
  return newest
}

export async function bindAll(world: World, keeper: AnchorKeeper, numbers: readonly number[]): Promise<void> {
  for (const number of numbers) await bind(world, keeper, number, anchorOf(number, world.chain))
}

/** Binds the keeper to the next `count` numbers, and sends nothing. */
export async function bindNext(world: World, keeper: AnchorKeeper, count: number): Promise<number[]> {
  const first = world.chain.link.number + keeper.backlog(world.chain) + 1
  const numbers = range(first, first + count - 1)
  await bindAll(world, keeper, numbers)
  return numbers
}

export const range = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, at) => from + at)

/** The numbers of the anchors in the newest block, in its order. */
export function minedNumbers(world: World): number[] {
  return world.events.flatMap((event) => (event.kind === 'link' ? [event.number] : []))
}

/** Printed and sorted, as `World.mempool` gives them. */
export function namesOf(signed: readonly SignedRecord[]): string[] {
  return signed.map(({ txid }) => printHash(txid)).sort()
}
