import { setTimeout as sleep } from 'node:timers/promises'
import { MAX_CERTIFIED_PART } from '@kedge/core'
import { describe, expect, test } from 'vitest'
import type { DataRequest } from '../src/control.ts'
import { HostStoppedError } from '../src/host.ts'
import { defaultLimits } from '../src/limits.ts'
import { hash, pattern, seed, soon } from './bytes.ts'
import { addressOf, startHost, until, untilConnected } from './network.ts'

const accept = () => true
const request: DataRequest = { headerHash: hash(7), kind: 'data' }

describe('fetching', () => {
  test.each([2 * 1024 * 1024, MAX_CERTIFIED_PART])(
    '%i bytes arrive whole, and the peer sees what was asked for',
    async (size) => {
      const bytes = pattern(size)
      const asked: DataRequest[] = []
      const limits = { maxDataResponse: size }
      const server = await startHost(1, {
        limits,
        answerData: (wanted) => {
          asked.push(wanted)
          return Promise.resolve(bytes)
        },
      })
      const client = await startHost(2, { bootstrap: [addressOf(server)], limits })
      await untilConnected(client)
      const got = await client.fetch(request, { signal: soon(), accept })
      expect(got?.length).toBe(bytes.length)
      expect(Buffer.compare(got ?? new Uint8Array(), bytes)).toBe(0)
      expect(asked).toEqual([request])
    },
  )

  test('a body of exactly the limit passes; one more byte is the server’s fault', async () => {
    const reports: string[] = []
    const limits = { maxDataResponse: 1000 }
    const server = await startHost(1, {
      limits,
      answerData: ({ kind }) => Promise.resolve(pattern(kind === 'data' ? 1000 : 1001)),
      report: (error) => reports.push(String(error.cause)),
    })
    const client = await startHost(2, { bootstrap: [addressOf(server)], limits })
    await untilConnected(client)
    expect(await client.fetch(request, { signal: soon(), accept })).toEqual(pattern(1000))
    expect(await client.fetch({ ...request, kind: 'steps' }, { signal: soon(), accept })).toBeUndefined()
    expect(reports).toEqual(['RangeError: 1001 bytes, more than the limit of 1000'])
  })

  test('an empty body is a body', async () => {
    const server = await startHost(1, { answerData: () => Promise.resolve(new Uint8Array(0)) })
    const client = await startHost(2, { bootstrap: [addressOf(server)] })
    await untilConnected(client)
    expect(await client.fetch(request, { signal: soon(), accept })).toEqual(new Uint8Array(0))
  })

  test('what nobody has is undefined', async () => {
    const server = await startHost(1)
    const client = await startHost(2, { bootstrap: [addressOf(server)] })
    expect(await client.fetch(request, { signal: soon(), accept })).toBeUndefined()
    await untilConnected(client)
    expect(await client.fetch(request, { signal: soon(), accept })).toBeUndefined()
  })

  test('a late joiner fetches from the middle peer what was announced before it came', async () => {
    const bytes = pattern(50_000)
    const middle = await startHost(1, { answerData: () => Promise.resolve(bytes) })
    await middle.announce(pattern(100))
    const late = await startHost(2, { bootstrap: [addressOf(middle)] })
    await untilConnected(late)
    expect(await late.fetch(request, { signal: soon(), accept })).toEqual(bytes)
  })

  test('wrong data: the next peer is tried, and the wrong one left out for a while', async () => {
    const right = pattern(5_000, 1)
    const asked = { wrong: 0, right: 0 }
    const wrongPeer = await startHost(1, {
      answerData: () => {
        asked.wrong++
        return Promise.resolve(pattern(5_000, 2))
      },
    })
    const rightPeer = await startHost(2, {
      answerData: () => {
        asked.right++
        return Promise.resolve(right)
      },
    })
    const client = await startHost(3, {
      bootstrap: [addressOf(wrongPeer), addressOf(rightPeer)],
      limits: { grudgeMs: 1_000 },
    })
    await until('both connected', () => client.peers().length === 2)
    const isRight = (bytes: Uint8Array) => Buffer.compare(bytes, right) === 0
    for (let round = 0; round < 6; round++) {
      expect(await client.fetch(request, { signal: soon(), accept: isRight })).toEqual(right)
    }
    expect(asked).toEqual({ wrong: 1, right: 6 })
    await sleep(1_100)
    for (let round = 0; round < 2; round++) await client.fetch(request, { signal: soon(), accept: isRight })
    expect(asked.wrong).toBe(2)
  })

  test('a peer whose callback throws or hangs costs its time and no more', async () => {
    const reports: string[] = []
    const broken = await startHost(1, {
      answerData: () => Promise.reject(new Error('disk')),
      report: (error) => reports.push(String(error.cause)),
    })
    const hanging = await startHost(2, { answerData: () => new Promise(() => undefined), limits: { responseMs: 500 } })
    const fine = await startHost(3, { answerData: () => Promise.resolve(pattern(10)) })
    const client = await startHost(4, { bootstrap: [broken, hanging, fine].map(addressOf) })
    await until('connected', () => client.peers().length === 3)
    for (let round = 0; round < 3; round++) {
      expect(await client.fetch(request, { signal: soon(), accept })).toEqual(pattern(10))
    }
    expect(reports).toContain('Error: disk')
  })

  test('two hundred fetches at once of one peer all succeed, a few at a time', async () => {
    let open = 0
    let most = 0
    const server = await startHost(1, {
      limits: { requestsPerSecond: 1_000, requestBurst: 1_000 },
      answerData: async ({ headerHash }) => {
        most = Math.max(most, ++open)
        await new Promise((resolve) => setTimeout(resolve, 1))
        open--
        return pattern(1_000, headerHash[0])
      },
    })
    const client = await startHost(2, { bootstrap: [addressOf(server)] })
    await untilConnected(client)
    const all = await Promise.all(
      Array.from({ length: 200 }, (_, at) =>
        client.fetch({ headerHash: hash(at), kind: 'data' }, { signal: soon(), accept }),
      ),
    )
    for (const [at, bytes] of all.entries()) expect(bytes).toEqual(pattern(1_000, at & 0xff))
    expect(most).toBeGreaterThan(1)
    expect(most).toBeLessThanOrEqual(defaultLimits.requestsPerPeer)
  })

  test('a peer that is busy is asked again', async () => {
    const server = await startHost(1, {
      limits: { requestsPerSecond: 4, requestBurst: 1 },
      answerData: () => Promise.resolve(pattern(10)),
    })
    const client = await startHost(2, { bootstrap: [addressOf(server)] })
    await untilConnected(client)
    for (let round = 0; round < 3; round++) {
      expect(await client.fetch(request, { signal: soon(), accept })).toEqual(pattern(10))
    }
  })

  test('a failure to judge what came ends what is asked of others', async () => {
    let isAsked = false
    const released = new AbortController()
    const quick = await startHost(1, {
      answerData: async () => {
        // Until it is asked beside this one.
        await until('the other is asked', () => isAsked)
        return pattern(10)
      },
    })
    const slow = await startHost(2, {
      answerData: () => {
        isAsked = true
        return new Promise((resolve) => {
          released.signal.addEventListener('abort', () => resolve(pattern(11)))
        })
      },
    })
    const client = await startHost(3, { bootstrap: [addressOf(quick), addressOf(slow)] })
    await until('both connected', () => client.peers().length === 2)
    const judged: number[] = []
    const broken = (bytes: Uint8Array) => {
      judged.push(bytes.length)
      throw new Error('damaged')
    }
    await expect(client.fetch(request, { signal: soon(), accept: broken })).rejects.toThrow('damaged')
    released.abort()
    await sleep(200)
    expect(judged).toEqual([10])
  })

  test('the caller’s signal and a stop end a fetch that waits', async () => {
    const hanging = await startHost(1, { answerData: () => new Promise(() => undefined) })
    const client = await startHost(2, { bootstrap: [addressOf(hanging)] })
    await untilConnected(client)
    const gone = new AbortController()
    const left = client.fetch(request, { signal: gone.signal, accept })
    const stopped = client.fetch(request, { signal: soon(), accept })
    const lefts = expect(left).rejects.toThrow('enough')
    const stops = expect(stopped).rejects.toThrow(HostStoppedError)
    setTimeout(() => gone.abort(new Error('enough')), 100)
    await lefts
    await client.stop()
    await stops
  })
})

test('the seed decides the peer id; another network can’t connect', async () => {
  const host = await startHost(1)
  const otherNetwork = await startHost(2, { network: seed(9), bootstrap: [addressOf(host)] })
  const sameNetwork = await startHost(3, { bootstrap: [addressOf(host)] })
  await untilConnected(sameNetwork)
  await until('a failed dial', () => otherNetwork.unreachable().length === 1)
  expect(otherNetwork.peers()).toEqual([])
  expect(sameNetwork.peers()).toMatchObject([{ id: host.peerId, direction: 'outbound', isSequencer: false }])
  await host.stop()
  expect((await startHost(1)).peerId).toBe(host.peerId)
})
