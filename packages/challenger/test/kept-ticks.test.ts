import { ZERO_HASH } from '@kedge/core'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Disk, forged, ORIGIN, of, params, SLOT, tickOf } from './heard.ts'

let disk: Disk
beforeEach(async () => {
  disk = await Disk.make()
})
afterEach(() => disk.remove())

describe('two messages for one slot', () => {
  const [one, other] = [tickOf(3, [1]), tickOf(3, [2])]

  test('give the key away, also where one of them came before a restart; and that is known for ever', async () => {
    const first = await disk.start()
    expect(first.kept.take(one)).toBe(true)
    expect(first.kept.take(one)).toBe(true)
    await first.write()
    expect(first.slots.secret).toBeUndefined()
    const second = await disk.start()
    expect(second.kept.take(other)).toBe(true)
    expect(second.slots.secret).toEqual(SLOT)
    await second.write()
    for (const said of second.kept.of(3)) second.kept.drop(said)
    await second.write()
    const third = await disk.start()
    expect([third.kept.size, third.slots.secret]).toEqual([0, SLOT])
  })

  test('give it away whatever they differ in, and those for other slots do not', async () => {
    const { kept, slots } = await disk.start()
    kept.take(one)
    kept.take(tickOf(4, [1]))
    expect(slots.secret).toBeUndefined()
    kept.take(tickOf(3, [1], { index: 1 }))
    expect(slots.secret).toBeUndefined()
    kept.take(tickOf(3, [1], { parent: of(1) }))
    expect(slots.secret).toEqual(SLOT)
  })

  test('give it away where the second comes before the first is read from disk', async () => {
    const first = await disk.start()
    first.kept.take(one)
    await first.write()
    const second = disk.hear()
    second.kept.take(other)
    await second.kept.load(disk.store, disk.blockHash)
    expect(second.slots.secret).toEqual(SLOT)
  })

  test('give it away where the first is a promise still, and forgotten among what was signed since', async () => {
    const { kept, slots } = await disk.start()
    kept.take(one)
    const signature = new Uint8Array(64)
    for (let nonce = 1; nonce <= 100_000; nonce++) {
      new DataView(signature.buffer).setUint32(0, nonce)
      slots.note({ message: ZERO_HASH, signature: signature.slice() })
    }
    kept.take(other)
    expect(slots.secret).toEqual(SLOT)
  })

  test('are not hidden by what nobody signed, whose sender is blamed', async () => {
    const { kept, slots } = await disk.start()
    expect(kept.take(forged(one))).toBe(false)
    expect(kept.take(one)).toBe(true)
    expect(kept.take(forged(other))).toBe(false)
    expect(slots.secret).toBeUndefined()
    expect(kept.take(other)).toBe(true)
    expect(slots.secret).toEqual(SLOT)
  })
})

describe('what is kept', () => {
  test('is what promises something: its origin is in the best chain, and stays there', async () => {
    const { kept, write } = await disk.start()
    expect(kept.take(tickOf(3, [1], { origin: { height: 120, hash: of(1) } }))).toBe(true)
    expect(kept.size).toBe(0)
    kept.take(tickOf(3, [1]))
    kept.take(tickOf(4, [1], { origin: { height: 118, hash: of(118) } }))
    await write()
    const { kept: later, promises, write: writeLater } = await disk.start()
    expect(later.numbers).toEqual([3, 4])
    disk.left = [ORIGIN.hash]
    await promises.find([])
    expect(later.numbers).toEqual([4])
    await writeLater()
    expect((await disk.start()).kept.numbers).toEqual([4])
  })

  test('is not what comes when its batch was judged, or never came; it still gives the key away', async () => {
    disk.height = ORIGIN.height + params.windows.staleness + params.windows.originDepth
    const { kept, slots } = await disk.start()
    kept.take(tickOf(3, [1]))
    expect(kept.size).toBe(1)
    disk.height += 1
    expect(kept.take(tickOf(4, [1]))).toBe(true)
    expect([kept.size, slots.secret]).toEqual([1, undefined])
    kept.take(tickOf(3, [2]))
    expect(slots.secret).toEqual(SLOT)
  })

  test('is bounded, and what came first stays; what is beyond still gives the key away', async () => {
    const { kept, slots } = await disk.start()
    for (let number = 1; number <= 40; number++)
      kept.take(tickOf(number, [1], { origin: { height: 200, hash: ZERO_HASH } }))
    expect(kept.size).toBe(30)
    for (let number = 1; number <= 66; number++)
      for (const index of [0, 1]) kept.take(tickOf(1000 + number, [1], { index }))
    expect(kept.size).toBe(120)
    expect(kept.numbers).toContain(30)
    kept.take(tickOf(1066, [2]))
    expect(slots.secret).toBeUndefined()
    kept.take(tickOf(1001, [2]))
    expect([kept.size, slots.secret]).toEqual([120, SLOT])
  })
})
