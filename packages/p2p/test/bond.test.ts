import { describe, expect, test } from 'vitest'
import { MAX_BOND_MESSAGE } from '../src/limits.ts'
import { pattern, soon } from './bytes.ts'
import { addressOf, startHost, until } from './network.ts'

describe('messages about the bond', () => {
  test('go to every connected watcher, at full size both ways; whoever is none, or has nothing to say, is left out', async () => {
    const heard: number[] = []
    const watcher = (number: number) => (message: Uint8Array) => {
      heard.push(number)
      expect(Buffer.compare(message, pattern(MAX_BOND_MESSAGE))).toBe(0)
      return Promise.resolve(number === 3 ? undefined : pattern(MAX_BOND_MESSAGE, number))
    }
    const hosts = [
      await startHost(1, { answerBond: watcher(1) }),
      await startHost(2, { answerBond: watcher(2) }),
      await startHost(3, { answerBond: watcher(3) }),
      await startHost(4),
    ]
    const leader = await startHost(9, { listen: [], bootstrap: hosts.map(addressOf) })
    await until('connected', () => leader.peers().length === 4)
    const answers = await leader.askBond(pattern(MAX_BOND_MESSAGE), soon())
    expect(heard.toSorted()).toEqual([1, 2, 3])
    const expected = [1, 2].map((number) => Buffer.from(pattern(MAX_BOND_MESSAGE, number)).toString('hex'))
    expect(answers.map((answer) => Buffer.from(answer).toString('hex')).toSorted()).toEqual(expected.toSorted())
  })

  test('are bounded, and a watcher that fails is one that does not answer', async () => {
    const reports: string[] = []
    const broken = await startHost(1, {
      answerBond: () => Promise.reject(new Error('closed')),
      report: (error) => reports.push(String(error.cause)),
    })
    const leader = await startHost(2, { bootstrap: [addressOf(broken)] })
    await until('connected', () => leader.peers().length === 1)
    expect(await leader.askBond(pattern(10), soon())).toEqual([])
    expect(reports).toEqual(['Error: closed'])
    await expect(leader.askBond(pattern(MAX_BOND_MESSAGE + 1), soon())).rejects.toThrow(RangeError)
  })

  test('are let in at a rate', async () => {
    const watcher = await startHost(1, {
      answerBond: (message) => Promise.resolve(message),
      limits: { bondMessageBurst: 3, bondMessagesPerSecond: 0 },
    })
    const leader = await startHost(2, { bootstrap: [addressOf(watcher)] })
    await until('connected', () => leader.peers().length === 1)
    const counts: number[] = []
    for (let at = 0; at < 5; at++) counts.push((await leader.askBond(pattern(10), soon())).length)
    expect(counts).toEqual([1, 1, 1, 0, 0])
  })
})
