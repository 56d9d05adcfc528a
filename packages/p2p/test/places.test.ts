import { setTimeout as sleep } from 'node:timers/promises'
import { multiaddr } from '@multiformats/multiaddr'
import { describe, expect, test } from 'vitest'
import { MAX_KEYS } from '../src/admission.ts'
import type { DataRequest } from '../src/control.ts'
import type { Host } from '../src/host.ts'
import { defaultLimits } from '../src/limits.ts'
import { Places } from '../src/places.ts'
import { hash, pattern, soon } from './bytes.ts'
import { addressOf, type Stranger, startHost, startStranger, until, untilConnected } from './network.ts'

const request: DataRequest = { headerHash: hash(7), kind: 'data' }
const accept = () => true
const answerData = () => Promise.resolve(pattern(1_000))

describe('who has to go', () => {
  test('first whoever did nothing, then whoever only asked; the one that was idle for longest among equals', () => {
    const places = new Places()
    const guests = ['old', 'young', 'asker', 'late asker', 'giver'].map((peer, at) => ({ peer, since: 100 + at }))
    places.note('giver', 'gave', 110)
    places.note('giver', 'asked', 111)
    places.note('late asker', 'asked', 130)
    places.note('asker', 'asked', 120)
    const order: string[] = []
    for (let left = guests; left.length > 0; left = left.filter(({ peer }) => !order.includes(peer)))
      order.push(places.leastUseful(left)?.peer ?? '')
    expect(order).toEqual(['old', 'young', 'asker', 'late asker', 'giver'])
    expect(places.leastUseful([])).toBeUndefined()
    for (let at = 0; at < MAX_KEYS; at++) places.note(`stranger ${at}`, 'asked', 200)
    expect(places.leastUseful(guests.slice(2))?.peer).toBe('asker')
    expect(
      places.leastUseful([
        { peer: 'giver', since: 104 },
        { peer: 'stranger 1', since: 300 },
      ])?.peer,
    ).toBe('giver')
  })
})

describe('strangers that take every place and do nothing', () => {
  test('lose one to a newcomer, which keeps it once it was of use', { timeout: 40_000 }, async () => {
    const host = await startHost(1, { answerData })
    const squatters = await squat(host, defaultLimits.maxStrangers)
    expect(host.peers()).toHaveLength(defaultLimits.maxStrangers)
    const newcomer = await startHost(2, { bootstrap: [addressOf(host)] })
    await until('in', () => host.peers().some(({ id }) => id === newcomer.peerId), 3_000)
    expect(await newcomer.fetch(request, { signal: soon(), accept })).toEqual(pattern(1_000))
    expect(host.peers()).toHaveLength(defaultLimits.maxStrangers)
    expect(squatters.filter((squatter) => squatter.getConnections().length === 0)).toEqual([squatters[0]])
    const [since] = newcomer.peers().map(({ connectedAt }) => connectedAt)
    await squat(host, 10, 100)
    expect(host.peers()).toHaveLength(defaultLimits.maxStrangers)
    expect(newcomer.peers().map(({ connectedAt }) => connectedAt)).toEqual([since])
  })

  test('cost a bootstrap peer nothing, whoever dials, and even where all others are of use', async () => {
    const dialled = await startHost(3)
    const named = await startHost(4)
    const bootstrap = [addressOf(dialled), '/ip4/127.0.0.1/tcp/1/p2p/'.concat(named.peerId)]
    const host = await startHost(1, { answerData, bootstrap, limits: { maxStrangers: 2 } })
    await untilConnected(host)
    const askers = [await startHost(5, dials(host)), await startHost(6, dials(host))]
    await untilConnected(...askers)
    for (const asker of askers) await asker.fetch(request, { signal: soon(), accept })
    await squat(host, 4, 100)
    const coming = await startHost(4, dials(host))
    await untilConnected(coming)
    await squat(host, 2, 120)
    await sleep(200)
    const ids = host.peers().map(({ id }) => id)
    expect(ids).toEqual(expect.arrayContaining([dialled.peerId, named.peerId]))
    expect(ids).toHaveLength(4)
  })

  test('a peer that was of use and comes back does not lose its place to those that never were', async () => {
    const host = await startHost(1, { answerData, limits: { maxStrangers: 2 } })
    const asker = await startHost(2, dials(host))
    await untilConnected(asker, host)
    await asker.fetch(request, { signal: soon(), accept })
    await asker.stop()
    await until('gone', () => host.peers().length === 0)
    const again = await startHost(2, dials(host))
    await untilConnected(again, host)
    await squat(host, 4, 100)
    expect(host.peers().map(({ id }) => id)).toContain(again.peerId)
  })

  test('a peer that gave what was asked for outlasts those that only ask', async () => {
    const host = await startHost(1, { answerData, limits: { maxStrangers: 2 } })
    const giver = await startHost(2, { ...dials(host), answerData })
    await untilConnected(giver, host)
    expect(await host.fetch({ ...request, kind: 'steps' }, { signal: soon(), accept })).toEqual(pattern(1_000))
    for (const number of [3, 4, 5]) {
      const asker = await startHost(number, dials(host))
      await untilConnected(asker)
      await asker.fetch(request, { signal: soon(), accept })
    }
    expect(host.peers().map(({ id }) => id)).toContain(giver.peerId)
    expect(host.peers()).toHaveLength(2)
  })
})

function dials(host: Host) {
  return { bootstrap: [addressOf(host)] }
}

/** They connect as fast as one address may shake hands, and never come back. */
async function squat(host: Host, count: number, first = 10): Promise<Stranger[]> {
  const squatters: Stranger[] = []
  for (let at = 0; at < count; at++) {
    const squatter = await startStranger(first + at)
    for (let isIn = false; !isIn; ) {
      const [dialled] = await Promise.allSettled([squatter.dial(multiaddr(addressOf(host)))])
      isIn = dialled.status === 'fulfilled'
      await sleep(130)
    }
    squatters.push(squatter)
  }
  return squatters
}
