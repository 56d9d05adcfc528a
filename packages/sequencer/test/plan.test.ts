import type { Chain } from '@kedge/core'
import { describe, expect, it } from 'vitest'
import { type OwnLink, type Plan, planAhead } from '../src/plan.ts'

const hash = (byte: number) => new Uint8Array(32).fill(byte)

function chain(mode: Chain['mode'], link: number, live: readonly number[], final = 0): Chain {
  return {
    height: 100,
    hash: hash(200),
    mode,
    link: { outpoint: { txid: hash(201), vout: 1 }, number: link },
    line: live.map((number) => ({
      number,
      headerHash: hash(number),
      post: hash(0),
      anchorHeight: 90,
      parent: hash(0),
      challenges: {},
    })),
    final: { number: final, headerHash: hash(final), anchorHeight: 80 },
    queue: 0,
    vault: { head: { txid: hash(0), vout: 0 }, value: 0n, number: 0, paid: [] },
    bonds: [],
  }
}

/** On the batch before it, unless it says another parent. */
const batch = (number: number, parent = number - 1, origin = 90): OwnLink => ({
  number,
  kind: 'batch',
  headerHash: hash(number),
  parent: hash(parent),
  origin: { height: origin, hash: hash(origin) },
})
const resume = (number: number, parent: number): OwnLink => ({ number, kind: 'resume', headerHash: hash(parent) })
/** Origins below block 80 lapse. */
const planOf = (on: Chain, intended: readonly OwnLink[], taken = 0): Plan =>
  planAhead(on, intended, ({ height }) => height < 80, taken)
const numbers = (heads: readonly { readonly number: number }[]) => heads.map(({ number }) => number)

describe('planAhead', () => {
  it('waits for a resume before the first one is made', () => {
    const plan = planOf(chain('broken', 0, []), [])
    expect(plan).toMatchObject({ mode: 'broken', head: { number: 0 }, tail: [], lastNumber: 0 })
  })

  it('goes on behind a resume that is only intended', () => {
    const plan = planOf(chain('broken', 0, []), [resume(1, 0), batch(2, 0), batch(3)])
    expect(plan.mode).toBe('active')
    expect(numbers(plan.tail)).toEqual([2, 3])
    expect(plan.head.number).toBe(3)
    expect(plan.lastNumber).toBe(3)
  })

  it('counts what is mined already as the chain does, not as intended', () => {
    const plan = planOf(chain('active', 3, [2, 3]), [resume(1, 0), batch(2), batch(3), batch(4)])
    expect(numbers(plan.tail)).toEqual([4])
  })

  it('gives batches that were under way when one before them went void no place, but leaves them their numbers', () => {
    const intended = [resume(1, 0), batch(2), batch(3), batch(4), batch(5)]
    const plan = planOf(chain('broken', 3, [2]), intended)
    expect(plan).toMatchObject({ mode: 'broken', head: { number: 2 }, tail: [], lastNumber: 5 })
    const resumed = planOf(chain('broken', 3, [2]), [...intended, resume(6, 2), batch(7, 2)])
    expect(resumed).toMatchObject({ mode: 'active', head: { number: 7 }, lastNumber: 7 })
    expect(numbers(resumed.tail)).toEqual([7])
  })

  it('takes a resume that names another header than the head for nothing', () => {
    const plan = planOf(chain('broken', 5, [2]), [resume(6, 3), batch(7)])
    expect(plan).toMatchObject({ mode: 'broken', head: { number: 2 }, tail: [] })
  })

  it('is closed for good when the chain is', () => {
    const plan = planOf(chain('closed', 5, [2]), [resume(6, 2), batch(7)])
    expect(plan).toMatchObject({ mode: 'closed', tail: [], lastNumber: 5 })
  })

  it('builds on nothing behind a batch that will be void, whatever was intended', () => {
    // A reorganisation brought 5 back to life; 9 was sealed on 4, behind a resume that named 4.
    const intended = [batch(5), batch(6), resume(8, 4), batch(9, 4), batch(10, 9), resume(11, 6)]
    const plan = planOf(chain('active', 4, [4]), intended)
    expect(plan).toMatchObject({ mode: 'active', head: { number: 6 }, lastNumber: 11 })
    expect(numbers(plan.tail)).toEqual([5, 6])
  })

  it('gives a batch no place whose origin is gone or too old', () => {
    const plan = planOf(chain('active', 4, [4]), [batch(5), batch(6, 5, 79), batch(7, 6)])
    expect(plan).toMatchObject({ mode: 'broken', head: { number: 5 }, lastNumber: 7 })
    expect(numbers(plan.tail)).toEqual([5])
    expect(planOf(chain('active', 4, [4]), [batch(5, 4, 79), resume(6, 4), batch(7, 4)])).toMatchObject({
      ...{ mode: 'active', head: { number: 7 } },
    })
  })

  it('leaves numbers that others may have used unseen to resumes', () => {
    expect(planOf(chain('active', 5, [5]), [], 7)).toMatchObject({ mode: 'broken', head: { number: 5 }, lastNumber: 5 })
    const passing = [resume(6, 5)]
    expect(planOf(chain('active', 5, [5]), passing, 7)).toMatchObject({ mode: 'broken', lastNumber: 6 })
    const passed = [...passing, resume(7, 5), batch(8, 5)]
    expect(planOf(chain('active', 5, [5]), passed, 7)).toMatchObject({ mode: 'active', head: { number: 8 } })
  })
})
