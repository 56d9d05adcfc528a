import { describe, expect, it } from 'vitest'
import { Turns } from '../src/turns.ts'
import { Wasted } from '../src/wasted.ts'

describe('turns', () => {
  it('come one at a time, in order', async () => {
    const turns = new Turns(100)
    const first = turns.take(10)
    if (typeof first !== 'function') throw new Error('nobody is at it')
    const begun: number[] = []
    const [second, third] = [15, 5].map(async (rows) => {
      const over = await turns.take(rows)
      begun.push(rows)
      return over
    })
    await Promise.resolve()
    expect(begun).toEqual([])
    first()
    const over = await second
    expect(begun).toEqual([15])
    over?.()
    const last = await third
    expect(begun).toEqual([15, 5])
    last?.()
    expect(turns.take(1)).toBeTypeOf('function')
  })

  it('are not to be had where too many wait', async () => {
    const turns = new Turns(20)
    const first = turns.take(1000)
    const second = turns.take(20)
    expect(turns.take(1)).toBeUndefined()
    if (typeof first !== 'function') throw new Error('nobody is at it')
    first()
    await second
    expect(turns.take(20)).toBeInstanceOf(Promise)
  })
})

describe('whose signatures were checked in vain', () => {
  const [address, other] = ['192.0.2.1', '192.0.2.2']
  const connect = () => ({ address, connection: { destroyed: false } })

  it('is doubtful on that connection, and a stranger on new ones, until it made up for it', () => {
    const wasted = new Wasted()
    const [bad, fresh] = [connect(), connect()]
    wasted.note(bad, 10, 100, 0)
    expect(wasted.standingOf(bad, 1)).toBe('doubtful')
    expect(wasted.standingOf(fresh, 1)).toBe('stranger')
    expect(wasted.standingOf({ ...fresh, address: other }, 1)).toBe('new')
    wasted.note(bad, 90, 0, 2)
    expect([bad, fresh].map((each) => wasted.standingOf(each, 3))).toEqual(['trusted', 'new'])
    wasted.note(bad, 1, 0, 4)
    expect(wasted.standingOf(fresh, 5)).toBe('trusted')
  })

  it('does not answer for its neighbours', () => {
    const wasted = new Wasted()
    const [bad, good] = [connect(), connect()]
    wasted.note(good, 1, 0, 0)
    wasted.note(bad, 0, 1000, 0)
    expect(wasted.standingOf(good, 1)).toBe('trusted')
  })

  it('is an address for a minute, and cannot earn much credit', () => {
    const wasted = new Wasted()
    wasted.note({ address }, 100_000, 0, 0)
    wasted.note({ address }, 0, 100, 0)
    expect(wasted.standingOf({ address }, 60_000)).toBe('stranger')
    expect(wasted.standingOf({ address }, 60_001)).toBe('new')
  })

  it('is kept in mind for those addresses alone that were heard of last', () => {
    const wasted = new Wasted()
    for (let each = 0; each <= 4096; each++) wasted.note({ address: `${each}` }, 0, 1, 0)
    expect(wasted.standingOf({ address: '0' }, 1)).toBe('new')
    expect(wasted.standingOf({ address: '1' }, 1)).toBe('stranger')
  })
})
