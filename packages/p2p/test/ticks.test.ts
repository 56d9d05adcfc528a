import { setTimeout as sleep } from 'node:timers/promises'
import type { Connection } from '@libp2p/interface'
import { multiaddr } from '@multiformats/multiaddr'
import { describe, expect, test } from 'vitest'
import type { Host } from '../src/host.ts'
import { MAX_TICK } from '../src/limits.ts'
import { frameOf, TickFrames } from '../src/tick-frames.ts'
import type { TickKeeper } from '../src/ticks.ts'
import { pattern, soon } from './bytes.ts'
import { addressOf, names, type Stranger, startHost, startStranger, until } from './network.ts'

/** Keeps numbers: a tick is four bytes at least, and one that begins with 255 is nobody's. */
class Keeper implements TickKeeper {
  readonly taken: number[] = []
  open = 0

  listen() {
    this.open++
    return {
      take: (tick: Uint8Array) => {
        const isGood = tick[0] !== 255
        if (isGood) this.taken.push(numberOf(tick))
        return isGood
      },
      end: () => {
        this.open--
      },
    }
  }

  newest() {
    const newest = this.taken.at(-1)
    return newest === undefined ? undefined : tickOf(newest)
  }
}

function tickOf(number: number, length = 4): Uint8Array {
  const tick = new Uint8Array(length)
  new DataView(tick.buffer).setUint32(0, number)
  return tick
}

function numberOf(tick: Uint8Array): number {
  return new DataView(tick.buffer, tick.byteOffset).getUint32(0)
}

describe('frames of ticks', () => {
  test('are read however they are cut', () => {
    const sent = [1, 4, MAX_TICK, 7].map((length, at) => pattern(length, at))
    const bytes = Buffer.concat(sent.map(frameOf))
    for (const size of [1, 2, 3, 500, bytes.length]) {
      const read: Uint8Array[] = []
      const frames = new TickFrames((tick) => read.push(tick) > 0)
      for (let at = 0; at < bytes.length; at += size) expect(frames.read(bytes.subarray(at, at + size))).toBe(true)
      expect(read).toEqual(sent)
    }
  })

  test.each([
    ['empty', Uint8Array.of(0, 0)],
    ['too long', Uint8Array.of(1, 4, 0)],
  ])('that are %s are none', (_, bytes) => {
    expect(new TickFrames(() => true).read(bytes)).toBe(false)
  })

  test('too long or empty are not sent either', () => {
    for (const length of [0, MAX_TICK + 1]) expect(() => frameOf(new Uint8Array(length))).toThrow(RangeError)
  })
})

describe('a host that tells ticks', () => {
  const start = async (number: number, teller: Host) => {
    const keeper = new Keeper()
    const host = await startHost(number, { ticks: keeper, bootstrap: [addressOf(teller)] })
    await until('it is told', () => keeper.open === 1)
    return { keeper, host }
  }

  test('tells all who keep them, in order; who comes later gets the newest, and answers with it', async () => {
    const teller = await startHost(1, { tellsTicks: true })
    await startHost(2, { bootstrap: [addressOf(teller)] })
    const first = await start(3, teller)
    for (let tick = 1; tick <= 100; tick++) teller.tellTick(tickOf(tick, 700))
    await until('the last came', () => first.keeper.taken.at(-1) === 100)
    // So many at once may be more than a busy peer is sent: then of those that wait the newest is.
    expect(first.keeper.taken).toEqual([...new Set(first.keeper.taken)].sort((a, b) => a - b))
    const later = await start(4, teller)
    await until('it came', () => later.keeper.taken.length === 1)
    teller.tellTick(tickOf(101))
    await until('both came', () => later.keeper.taken.length === 2)
    expect(later.keeper.taken).toEqual([100, 101])
    const answer = await teller.askForTick(later.host.peerId, soon())
    expect(answer).toEqual({ status: 'found', body: tickOf(101) })
    await later.host.stop()
    expect(later.keeper.open).toBe(0)
  })

  test('is told that a peer knows of none, or keeps none', async () => {
    const teller = await startHost(1, { tellsTicks: true })
    const { host } = await start(2, teller)
    expect(await teller.askForTick(host.peerId, soon())).toEqual({ status: 'unknown' })
    const mute = await startHost(3, { bootstrap: [addressOf(teller)] })
    await until('connected', () => teller.peers().length === 2)
    expect(await teller.askForTick(mute.peerId, soon())).toEqual({ status: 'unsupported' })
  })

  test('waits for nobody: a peer that does not read loses its stream, and holds next to nothing', async () => {
    const teller = await startHost(1, { tellsTicks: true, limits: { stallMs: 300 } })
    const stranger = await startStranger(9)
    const ended: string[] = []
    await stranger.handle(names.ticks, (stream) => {
      stream.pause()
      stream.addEventListener('close', () => ended.push(stream.status))
    })
    await stranger.dial(multiaddr(addressOf(teller)))
    const reader = await start(2, teller)
    await sleep(200)
    const since = performance.now()
    const before = process.memoryUsage().rss
    let tick = 0
    while (ended.length === 0 && performance.now() - since < 10_000) {
      for (let each = 0; each < 100; each++) teller.tellTick(tickOf(++tick, 1000))
      await until('the reader has them', () => reader.keeper.taken.at(-1) === tick)
    }
    expect(ended).toEqual(['reset'])
    expect(process.memoryUsage().rss - before).toBeLessThan(64 * 1024 * 1024)
  }, 20_000)

  test('that was cut off from a peer tells it again when it is back', async () => {
    const teller = await startHost(1, { tellsTicks: true })
    const { host } = await start(2, teller)
    await host.stop()
    teller.tellTick(tickOf(5))
    const { keeper } = await start(2, teller)
    await until('it came', () => keeper.taken.length === 1)
    expect(keeper.taken).toEqual([5])
  })
})

describe('a peer that tells ticks', () => {
  async function connect(host: Host): Promise<{ node: Stranger; connection: Connection }> {
    const node = await startStranger(9)
    const connection = await node.dial(multiaddr(addressOf(host)))
    await until('connected', () => host.peers().length > 0)
    return { node, connection }
  }

  test.each([
    ['that nobody signed', Buffer.concat([frameOf(tickOf(1)), frameOf(Uint8Array.of(255, 0, 0, 0))]), [1]],
    ['of no length', Buffer.concat([frameOf(tickOf(1)), Buffer.of(0, 0)]), [1]],
    ['too long', Buffer.of(255, 255, 1, 2, 3), []],
  ])('%s is cut off', async (_, bytes, taken) => {
    const keeper = new Keeper()
    const host = await startHost(1, { ticks: keeper })
    const { node, connection } = await connect(host)
    const stream = await connection.newStream(names.ticks)
    stream.send(bytes)
    await until('cut off', () => connection.status !== 'open')
    expect([keeper.taken, keeper.open]).toEqual([taken, 0])
    await Promise.allSettled([node.dial(multiaddr(addressOf(host)))])
    await sleep(200)
    expect(host.peers()).toEqual([])
  })

  test('in a flood is cut off; the ticks of others come meanwhile', async () => {
    const keeper = new Keeper()
    const teller = await startHost(2, { tellsTicks: true })
    const host = await startHost(1, { ticks: keeper, bootstrap: [addressOf(teller)] })
    await until('it is told', () => keeper.open === 1)
    const { connection } = await connect(host)
    await until('both are there', () => host.peers().length === 2)
    const stream = await connection.newStream(names.ticks)
    const flood = Buffer.concat(Array.from({ length: 1000 }, () => frameOf(tickOf(7))))
    for (let tick = 100; stream.status === 'open' && tick < 200; tick++) {
      if (!stream.writableNeedsDrain) stream.send(flood)
      teller.tellTick(tickOf(tick))
      await until('the honest tick came', () => keeper.taken.includes(tick))
    }
    await until('cut off', () => connection.status !== 'open')
    expect(keeper.taken.length).toBeLessThan(20_000)
    expect(keeper.open).toBe(1)
  })

  test('on many streams gets two, and half a frame holds nothing else', async () => {
    const keeper = new Keeper()
    const host = await startHost(1, { ticks: keeper })
    const { connection } = await connect(host)
    const streams = await Promise.all(Array.from({ length: 6 }, () => connection.newStream(names.ticks)))
    await until('most are gone', () => streams.filter(({ status }) => status === 'open').length === 2)
    for (const stream of streams) if (stream.status === 'open') stream.send(frameOf(tickOf(1)).subarray(0, 3))
    expect(keeper.open).toBe(2)
    await host.stop()
    expect(keeper.open).toBe(0)
  })
})
