import { describe, expect, test } from 'vitest'
import { Admission, MAX_KEYS, Rates, Traffic, Turns } from '../src/admission.ts'
import { soon } from './bytes.ts'

describe('rates', () => {
  test('a burst, then a refill that is saved up only to the burst', () => {
    const rates = new Rates(2, 3)
    const takes = (times: number, now: number) =>
      Array.from({ length: times }, () => rates.take('a', now)).filter(Boolean)
    expect(takes(5, 0)).toHaveLength(3)
    expect(takes(5, 499)).toHaveLength(0)
    expect(takes(5, 1_000)).toHaveLength(2)
    expect(takes(5, 100_000)).toHaveLength(3)
    expect(rates.take('b', 100_000)).toBe(true)
  })

  test('keeps the keys used last', () => {
    const rates = new Rates(0, 1)
    expect(rates.take('first', 0)).toBe(true)
    for (let key = 0; key < MAX_KEYS - 1; key++) rates.take(`key ${key}`, 0)
    expect(rates.take('first', 0)).toBe(false)
    for (let key = 0; key < MAX_KEYS - 1; key++) rates.take(`other ${key}`, 0)
    expect(rates.take('first', 0)).toBe(false)
    for (let key = 0; key < MAX_KEYS; key++) rates.take(`third ${key}`, 0)
    expect(rates.take('first', 0)).toBe(true)
  })
})

test('admission bounds a peer’s open requests, whatever others do', () => {
  const refused: string[] = []
  const admission = new Admission(new Rates(1, 4), 2, new Traffic((peer) => refused.push(peer)))
  const enter = (peer: string) => admission.enter({ peer, rank: 0 }, 0)
  expect([enter('a'), enter('a'), enter('a')]).toEqual([true, true, false])
  expect([enter('b'), enter('b')]).toEqual([true, true])
  admission.leave('a')
  expect([enter('a'), enter('a')]).toEqual([true, false])
  admission.leave('a')
  admission.leave('a')
  expect([enter('a'), enter('a')]).toEqual([true, false])
  expect(refused).toEqual([])
  expect(() => admission.leave('c')).toThrow('without having entered')
})

test('strangers get a little each, and share what is left; who does not wait when told to is cut off', () => {
  const cut: string[] = []
  const traffic = new Traffic((peer) => cut.push(peer))
  const taken = (peer: string, tries: number, rank: 0 | 1 | 2 = 0) =>
    Array.from({ length: tries }, () => traffic.admits({ peer, rank }, 0)).filter(Boolean).length
  const greedy = taken('greedy', 10_000)
  expect(greedy).toBeLessThan(600)
  expect(taken('late', 100)).toBe(32)
  expect(taken('gave', 1_000, 1)).toBe(32 + 512)
  expect(taken('gave too', 1_000, 1)).toBe(32)
  expect(taken('named', 1_000, 2)).toBe(1_000)
  for (let at = 0; at < 128; at++) traffic.noteRefused({ peer: 'greedy', rank: 0 }, 0)
  expect(cut).toEqual([])
  traffic.noteRefused({ peer: 'greedy', rank: 0 }, 0)
  for (let at = 0; at < 100; at++) traffic.noteRefused({ peer: 'named', rank: 2 }, 0)
  expect(cut).toEqual(['greedy'])
})

describe('turns', () => {
  test('are taken in order, a few at once, and given back on failure', async () => {
    const turns = new Turns(2)
    const order: number[] = []
    let open = 0
    const work = async (number: number) => {
      expect(++open).toBeLessThanOrEqual(2)
      order.push(number)
      await new Promise((resolve) => setTimeout(resolve, 2))
      open--
      if (number % 3 === 0) throw new Error('failed')
    }
    const all = Array.from({ length: 9 }, (_, number) => turns.run(soon(), () => work(number)))
    const outcomes = await Promise.allSettled(all)
    expect(order).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8])
    expect(outcomes.filter(({ status }) => status === 'rejected')).toHaveLength(3)
  })

  test('one who leaves the line keeps nobody waiting', async () => {
    const turns = new Turns(1)
    const impatient = new AbortController()
    const held = turns.run(soon(), () => new Promise<void>((resolve) => setTimeout(resolve, 50)))
    const left = turns.run(impatient.signal, () => Promise.resolve('never'))
    const last = turns.run(soon(), () => Promise.resolve('last'))
    impatient.abort(new Error('left'))
    await expect(left).rejects.toThrow('left')
    await held
    expect(await last).toBe('last')
    await expect(turns.run(impatient.signal, () => Promise.resolve())).rejects.toThrow('left')
  })
})
