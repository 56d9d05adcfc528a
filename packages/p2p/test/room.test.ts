import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { type Rank, Room, type Stay } from '../src/room.ts'
import { soon } from './bytes.ts'

/** Guests by name, what became of them, and the order in which they came in. */
class Guests {
  readonly room: Room
  readonly inside = new Map<string, Stay>()
  readonly ended: string[] = []
  readonly entered: string[] = []

  constructor(size: number, sliceMs: number) {
    this.room = new Room(size, sliceMs)
  }

  guest(name: string, rank: Rank = 0) {
    return { peer: name.replace(/\d/g, ''), rank, end: () => void this.ended.push(name) }
  }

  async enter(name: string, amount = 1, rank: Rank = 0): Promise<void> {
    this.inside.set(name, await this.room.enter(this.guest(name, rank), amount, soon()))
    this.entered.push(name)
  }

  leave(name: string): void {
    this.inside.get(name)?.leave()
  }
}

describe('who waits for a room', () => {
  test('enters by turns of peers, not by how often they ask', async () => {
    const all = new Guests(2, Number.POSITIVE_INFINITY)
    await all.enter('a0')
    const names = ['a1', 'a2', 'a3', 'b1', 'b2', 'c1']
    const waiting = names.map((name) => all.enter(name))
    await sleep(0)
    expect(all.entered).toEqual(['a0'])
    for (let at = 0; at < names.length; at++) {
      all.leave(all.entered[at] as string)
      await sleep(0)
    }
    await Promise.all(waiting)
    expect(all.entered).toEqual(['a0', 'b1', 'c1', 'a1', 'b2', 'a2', 'a3'])
    expect(all.ended).toEqual([])
  })

  test('finds a place kept for who gave something, and one for who was named, whatever strangers hold', async () => {
    const all = new Guests(8, Number.POSITIVE_INFINITY)
    const strangers = Array.from({ length: 20 }, (_, at) => all.enter(`stranger${at}`))
    const givers = Array.from({ length: 20 }, (_, at) => all.enter(`giver${at}`, 1, 1))
    const named = Array.from({ length: 3 }, (_, at) => all.enter(`named${at}`, 1, 2))
    await sleep(0)
    const count = (name: string) => all.entered.filter((one) => one.startsWith(name)).length
    expect([count('stranger'), count('giver'), count('named')]).toEqual([4, 2, 2])
    for (let at = 0; at < 43; at++) {
      for (const name of all.entered) all.leave(name)
      await sleep(0)
    }
    await Promise.all([...strangers, ...givers, ...named])
  })

  test('leaves the line when it is called off', async () => {
    const all = new Guests(2, Number.POSITIVE_INFINITY)
    await all.enter('first')
    const off = new AbortController()
    const waiting = all.room.enter(all.guest('second'), 1, off.signal)
    off.abort(new Error('enough'))
    await expect(waiting).rejects.toThrow('enough')
    await expect(all.room.enter(all.guest('second'), 1, off.signal)).rejects.toThrow('enough')
    const third = all.enter('third')
    all.leave('first')
    await third
  })

  test('is let in where somebody was slow for long enough: the slowest goes', async () => {
    const all = new Guests(4, 60)
    await all.enter('quick')
    await all.enter('slow')
    all.inside.get('quick')?.moved(1_000)
    all.inside.get('slow')?.moved(10)
    const start = performance.now()
    await all.enter('late')
    expect(performance.now() - start).toBeGreaterThan(30)
    expect(all.ended).toEqual(['slow'])
    all.leave('slow')
    await all.enter('other')
    expect(all.ended).toEqual(['slow', 'quick'])
  })

  test('takes from peers with more, and never from those of a higher rank', async () => {
    const all = new Guests(8, 20)
    for (const name of ['many1', 'many2', 'many3']) await all.enter(name)
    await all.enter('one')
    for (const at of [1, 2, 3, 4]) await all.enter(`named${at}`, 1, 2)
    for (const stay of all.inside.values()) stay.moved(5)
    all.inside.get('many1')?.moved(1_000)
    await sleep(30)
    await all.enter('late')
    expect(all.ended).toHaveLength(1)
    expect(all.ended[0]).toMatch(/many[23]/)
  })
})

test('what grows beyond the room ends the stay of a peer with most of them, the slowest; strangers have a half', () => {
  const all = new Guests(100, 0)
  const stay = (name: string, rank: Rank = 0) => all.room.open(all.guest(name, rank))
  const [greedy1, greedy2, honest, named] = [stay('greedy1'), stay('greedy2'), stay('honest'), stay('named', 2)]
  named.hold(50)
  greedy1.hold(20)
  greedy1.moved(1_000_000)
  greedy2.hold(20)
  honest.hold(10)
  expect(all.ended).toEqual([])
  honest.hold(25)
  expect(all.ended).toEqual(['greedy2'])
  greedy2.hold(50)
  greedy2.leave()
  honest.hold(30)
  honest.moved(10_000_000)
  expect(all.ended).toEqual(['greedy2'])
  honest.hold(31)
  expect(all.ended).toEqual(['greedy2', 'greedy1'])
  for (const one of [honest, named, greedy1]) one.leave()
  const last = stay('last')
  last.hold(51)
  expect(all.ended.at(-1)).toBe('last')
})
