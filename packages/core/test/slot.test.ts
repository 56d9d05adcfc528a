import { expect, test } from 'vitest'
import { hashPair, sha256 } from '../src/hash.ts'
import { MerkleLog } from '../src/merkle.ts'
import { headerSlotMessage, isSlotPoint, nonceRoot } from '../src/slot.ts'

const pointOf = (seed: number): Uint8Array => sha256(Uint8Array.of(seed))

test.each([1, 2, 3, 8, 9])('in a table of %i ticks each point has its place, and no other', (ticks) => {
  const log = new MerkleLog()
  for (let index = 0; index < ticks; index++) log.append(pointOf(index))
  const header = pointOf(100)
  const root = nonceRoot(header, log.root())
  expect(isSlotPoint(root, ticks, 'header', header, [log.root()])).toBe(true)
  expect(isSlotPoint(root, ticks, 'header', header, [])).toBe(false)
  expect(isSlotPoint(root, ticks, 'header', header, [log.root(), header])).toBe(false)
  for (let index = 0; index < ticks; index++) {
    const path = [header, ...log.prove(index)]
    for (let claimed = -1; claimed <= ticks; claimed++)
      expect(isSlotPoint(root, ticks, claimed, pointOf(index), path)).toBe(claimed === index)
    expect(isSlotPoint(root, ticks, 'header', pointOf(index), path)).toBe(false)
    expect(isSlotPoint(root, ticks, index, pointOf(index), [...path, header])).toBe(false)
    expect(isSlotPoint(root, ticks, index, pointOf(index).slice(1), path)).toBe(false)
  }
})

test('the two halves do not stand for each other', () => {
  const [header, tick] = [pointOf(1), pointOf(2)]
  const root = nonceRoot(header, tick)
  expect(root).toEqual(hashPair(header, tick))
  expect(isSlotPoint(root, 1, 0, tick, [header])).toBe(true)
  expect(isSlotPoint(root, 1, 0, header, [tick])).toBe(false)
  expect(isSlotPoint(root, 1, 'header', tick, [header])).toBe(false)
})

test("a header's message names network, number and header", () => {
  const of = (seed: number) => new Uint8Array(32).fill(seed)
  const messages = [headerSlotMessage(of(1), 2, of(3)), headerSlotMessage(of(2), 2, of(3))]
  messages.push(headerSlotMessage(of(1), 3, of(3)), headerSlotMessage(of(1), 2, of(4)))
  expect(new Set(messages.map(String)).size).toBe(4)
})
