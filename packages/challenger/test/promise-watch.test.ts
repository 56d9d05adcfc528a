import { batchAnchor, decodeBrokenPromise, encodeBrokenPromise, judgePromise, ZERO_HASH } from '@kedge/core'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { factsOf, findInnocence } from '../src/innocence.ts'
import { batchOf, bond, Disk, of, params, resumeBefore, type Started, tickOf } from './heard.ts'

let disk: Disk
let started: Started
beforeEach(async () => {
  disk = await Disk.make()
  started = await disk.start()
})
afterEach(() => disk.remove())

const NUMBER = 5
const find = async () => {
  const found = await started.promises.find([bond])
  return found && [found.number, found.breach]
}
const restart = async () => {
  await started.write()
  started = await disk.start()
}

/** Anchored behind a resume, and k deep. */
async function anchor({ link, writes }: ReturnType<typeof batchOf>, hasData = true): Promise<void> {
  disk.links = [resumeBefore(NUMBER), link]
  if (hasData) await disk.store.commit(writes)
}

describe('ticks', () => {
  test('that their batch begins with are forgotten, once it is deep enough', async () => {
    for (const [index, fills] of [[1], [1, 2, 3]].entries()) started.kept.take(tickOf(NUMBER, fills, { index }))
    const batch = batchOf(NUMBER, [1, 2, 3, 4])
    expect([await find(), started.kept.size]).toEqual([undefined, 2])
    await anchor({ ...batch, link: { ...batch.link, height: 125 } })
    expect([await find(), started.kept.size]).toEqual([undefined, 2])
    disk.height = 126
    expect([await find(), started.kept.size]).toEqual([undefined, 0])
    await restart()
    expect(started.kept.size).toBe(0)
  })

  test('that it does not begin with are broken promises, as watchers find, also after a restart', async () => {
    started.kept.take(tickOf(NUMBER, [1, 2]))
    started.kept.take(tickOf(NUMBER, [1, 9, 3], { index: 1 }))
    await anchor(batchOf(NUMBER, [1, 2, 3, 4]))
    expect(await find()).toEqual([NUMBER, 'operation'])
    await restart()
    expect([await find(), started.kept.size]).toEqual([[NUMBER, 'operation'], 1])
    const claim = (await started.promises.find([bond]))?.claim
    if (claim?.kind !== 'promise') throw new Error('it is no promise')
    const shown = decodeBrokenPromise(encodeBrokenPromise(claim.shown))
    expect(shown && judgePromise(params, factsOf(params, started.node), shown)).toEqual({
      ok: true,
      breach: 'operation',
    })
  })

  test('are held against a batch whose data come late', async () => {
    started.kept.take(tickOf(NUMBER, [9]))
    const batch = batchOf(NUMBER, [1])
    await anchor(batch, false)
    expect([await find(), started.kept.size]).toEqual([undefined, 1])
    await disk.store.commit(batch.writes)
    expect(await find()).toEqual([NUMBER, 'operation'])
  })

  test('that are signed when their batch stands already are judged once their origin is deep enough', async () => {
    await anchor(batchOf(NUMBER, [1]))
    disk.height = 130
    started.kept.take(tickOf(NUMBER, [1], { origin: { height: 130, hash: of(130) } }))
    expect([await find(), started.kept.size]).toEqual([undefined, 1])
    disk.height = 131
    expect(await find()).toEqual([NUMBER, 'place'])
  })

  test('whose batch is anchored so that it counts for nothing are broken, also where nobody has it', async () => {
    started.kept.take(tickOf(NUMBER, [1]))
    const { link } = batchOf(NUMBER, [1])
    const { headerHash = ZERO_HASH } = link
    const anchored = (origin: number) => {
      const place = { origin: { height: origin, hash: of(origin) }, parent: ZERO_HASH, post: of(9) }
      const said = batchAnchor(place, headerHash)
      disk.links = [resumeBefore(NUMBER), { number: NUMBER, outcome: 'null', height: 123, txid: of(7), said }]
    }
    anchored(119)
    expect(await find()).toEqual([NUMBER, 'place'])
    anchored(120)
    expect([await find(), started.kept.size]).toEqual([undefined, 0])
  })

  test('whose batch never comes are broken once it could not live, and of another parent at once', async () => {
    started.kept.take(tickOf(NUMBER, [1]))
    disk.links = [resumeBefore(NUMBER)]
    disk.height = 120 + params.windows.staleness + params.windows.originDepth
    expect(await find()).toBeUndefined()
    disk.height += 1
    expect(await find()).toEqual([NUMBER, 'never-came'])
    disk.height = 125
    started.kept.take(tickOf(NUMBER, [1], { index: 1, parent: of(3) }))
    expect(await find()).toEqual([NUMBER, 'parent'])
  })
})

describe('nothing is found, and nothing kept,', () => {
  const nothing = async () => expect([await find(), started.kept.size]).toEqual([undefined, 0])

  test('where a batch before is void, and a resume took the number', async () => {
    started.kept.take(tickOf(NUMBER, [1], { parent: batchOf(NUMBER - 1, [7]).link.headerHash as Uint8Array }))
    const before = { ...batchOf(NUMBER - 1, [7]).link, height: 121 }
    const { nonceRoot } = resumeBefore(NUMBER + 2)
    const resume = { number: NUMBER, outcome: 'resume', height: 123, txid: of(8), headerHash: ZERO_HASH } as const
    disk.links = [
      { ...before, voided: { height: 122, cause: 'unanswered' } },
      { ...resume, nonceRoot: nonceRoot ?? ZERO_HASH },
    ]
    await nothing()
  })

  test('once its origin has left the best chain, also where it is back, and watchers find the same', async () => {
    started.kept.take(tickOf(NUMBER, [9]))
    await anchor(batchOf(NUMBER, [1]))
    const claim = (await started.promises.find([bond]))?.claim
    if (claim === undefined) throw new Error('it is broken before')
    expect(findInnocence(params, started.node, bond, claim)).toBeUndefined()
    disk.left = [of(120)]
    expect(findInnocence(params, started.node, bond, claim)).toMatch('its origin left the best chain')
    await nothing()
  })

  test('where its batch is void for an ancestor, or lapsed', async () => {
    for (const [index, voided] of [{ cause: 'ancestor' }, { cause: 'evidence', fault: 'lapsed' }].entries()) {
      started.kept.take(tickOf(NUMBER, [1], { index }))
      const { link, writes } = batchOf(NUMBER, [1])
      await anchor({ writes, link: { ...link, voided: { height: 123, ...voided } as never } })
      await nothing()
    }
  })

  test('where its origin was replaced while this node was away', async () => {
    started.kept.take(tickOf(NUMBER, [9], { origin: { height: 130, hash: of(131) } }))
    expect([await find(), started.kept.size]).toEqual([undefined, 1])
    disk.height = 130
    await nothing()
  })

  test('where no bond answers for it', async () => {
    await anchor(batchOf(NUMBER, [1]))
    started.kept.take(tickOf(NUMBER, [9]))
    expect(
      await started.promises.find([{ ...bond, slash: { signature: new Uint8Array(64), height: 121 } }]),
    ).toBeUndefined()
    expect(started.kept.size).toBe(0)
  })
})
