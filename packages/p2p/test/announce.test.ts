import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { judgeAnnouncements } from '../src/announce.ts'
import { MAX_HEADER } from '../src/limits.ts'
import { pattern } from './bytes.ts'
import { addressOf, startHost, until, untilConnected } from './network.ts'

describe('announcing', () => {
  test('reaches all of four nodes in a line, each once', async () => {
    const first = await startHost(1)
    const second = await startHost(2, { bootstrap: [addressOf(first)] })
    const third = await startHost(3, { bootstrap: [addressOf(second)] })
    const fourth = await startHost(4, { bootstrap: [addressOf(third)] })
    const hosts = [first, second, third, fourth]
    const heard = hosts.map(() => [] as Uint8Array[])
    hosts.forEach((host, at) => {
      host.subscribe((header) => heard[at]?.push(header))
    })
    await untilMeshed(first, second, third, fourth)
    const headers = [pattern(367, 1), pattern(367, 2), pattern(MAX_HEADER, 3)]
    for (const header of headers) await first.announce(header)
    await first.announce(pattern(367, 1))
    await until('all heard', () => heard.slice(1).every((list) => list.length === headers.length))
    await sleep(200)
    for (const list of heard.slice(1)) expect(list).toEqual(headers)
    expect(heard[0]).toEqual([])
  })

  test('stops at a node whose validator does not accept', async () => {
    const first = await startHost(1)
    const judged: number[] = []
    const second = await startHost(2, {
      bootstrap: [addressOf(first)],
      validateHeader: (header) => {
        judged.push(header.length)
        return header.length === 100 ? 'accept' : 'ignore'
      },
    })
    const third = await startHost(3, { bootstrap: [addressOf(second)] })
    const heard: Uint8Array[] = []
    third.subscribe((header) => heard.push(header))
    await untilMeshed(first, second, third)
    await first.announce(pattern(99))
    await first.announce(pattern(100))
    await until('the accepted one arrived', () => heard.length === 1)
    await sleep(200)
    expect(heard).toEqual([pattern(100)])
    expect(judged).toEqual([99, 100])
  })

  test('a late joiner hears the newest of what nobody heard, and what comes after it', async () => {
    const first = await startHost(1)
    await first.announce(pattern(49))
    await first.announce(pattern(50))
    const late = await startHost(2, { bootstrap: [addressOf(first)] })
    const heard: Uint8Array[] = []
    late.subscribe((header) => heard.push(header))
    await until('heard', () => heard.length === 1)
    await first.announce(pattern(51))
    await until('heard', () => heard.length === 2)
    expect(heard).toEqual([pattern(50), pattern(51)])
  })

  test('a peer whose headers are rejected is no longer listened to', async () => {
    const bad = await startHost(1)
    let judged = 0
    const good = await startHost(2, {
      bootstrap: [addressOf(bad)],
      validateHeader: () => {
        judged++
        return 'reject'
      },
    })
    await untilMeshed(bad, good)
    for (let number = 0; number < 20; number++) {
      await bad.announce(pattern(60, number))
      await sleep(100)
    }
    expect(judged).toBeGreaterThanOrEqual(2)
    expect(judged).toBeLessThan(15)
  })

  test('a listener or validator that throws is reported and hurts nobody else', async () => {
    const reports: string[] = []
    const first = await startHost(1)
    const second = await startHost(2, { bootstrap: [addressOf(first)], report: (error) => reports.push(error.message) })
    const heard: Uint8Array[] = []
    second.subscribe(() => {
      throw new Error('listener')
    })
    second.subscribe((header) => heard.push(header))
    await untilMeshed(first, second)
    await first.announce(pattern(70))
    await until('heard', () => heard.length === 1)
    expect(reports).toEqual(['a listener of announcements threw'])
  })

  test('a header that is too long is the caller’s mistake', async () => {
    const host = await startHost(1)
    await expect(host.announce(pattern(MAX_HEADER + 1))).rejects.toThrow(RangeError)
  })
})

describe('judging announcements', () => {
  const neverCalled = (): never => expect.fail('nothing should be reported')
  const header = pattern(10)
  const accepted: string[] = []
  const judging = {
    validate: () => 'accept' as const,
    report: neverCalled,
    onAccepted: (peer: string) => accepted.push(peer),
  }

  test('a peer has a rate of its own', () => {
    const judge = judgeAnnouncements({ ...judging, cutOff: neverCalled })
    const verdicts = Array.from({ length: 40 }, () => judge('spammer', header, 0))
    expect(verdicts.filter((verdict) => verdict === 'accept')).toHaveLength(32)
    expect(accepted).toHaveLength(32)
    expect(judge('other', header, 0)).toBe('accept')
    expect(judge('spammer', header, 1_000)).toBe('accept')
  })

  test('all peers together have one, which a single peer can’t use up', () => {
    const judge = judgeAnnouncements({ ...judging, cutOff: neverCalled })
    const verdicts = Array.from({ length: 400 }, (_, at) => judge(`peer ${at % 10}`, header, 0))
    expect(verdicts.filter((verdict) => verdict === 'accept')).toHaveLength(128)
  })

  test('a flood cuts its peer off, and its own share of others’ spam does not', () => {
    const cut: string[] = []
    const judge = judgeAnnouncements({ ...judging, cutOff: (peer) => cut.push(peer) })
    for (let at = 0; at < 10_000; at++) judge('relay', header, (at / 32) * 1_000)
    expect(cut).toEqual([])
    for (let at = 0; at < 300; at++) judge('flood', header, 1e9)
    expect(new Set(cut)).toEqual(new Set(['flood']))
  })

  test('what is too long is rejected without asking', () => {
    const judge = judgeAnnouncements({
      validate: neverCalled,
      report: neverCalled,
      cutOff: neverCalled,
      onAccepted: neverCalled,
    })
    expect(judge('peer', pattern(MAX_HEADER + 1), 0)).toBe('reject')
  })

  test('a validator that throws is reported, and the header ignored', () => {
    const reports: Error[] = []
    const validate = () => {
      throw new Error('broken')
    }
    const judge = judgeAnnouncements({
      validate,
      report: (error) => reports.push(error),
      cutOff: neverCalled,
      onAccepted: neverCalled,
    })
    expect(judge('peer', header, 0)).toBe('ignore')
    expect(reports.map((error) => error.message)).toEqual(['the validator of announcements threw'])
  })
})

/** Gossip needs a moment after the connection: subscriptions travel on a stream of their own. */
async function untilMeshed(...hosts: Parameters<typeof untilConnected>): Promise<void> {
  await untilConnected(...hosts)
  await sleep(800)
}
