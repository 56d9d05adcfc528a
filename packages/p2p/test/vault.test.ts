import { expect, test } from 'vitest'
import { MAX_VAULT_ANSWER, MAX_VAULT_REQUEST } from '../src/limits.ts'
import { pattern, soon } from './bytes.ts'
import { addressOf, names, startHost, startStranger, until } from './network.ts'

test('every connected watcher is asked, and its answer taken; who is none, or fails, holds nobody up', async () => {
  const reports: string[] = []
  const fine = [1, 2].map((number) =>
    startHost(number, { answerWatcher: (request) => Promise.resolve(Uint8Array.of(number, ...request.slice(0, 2))) }),
  )
  const broken = startHost(3, {
    answerWatcher: () => Promise.reject(new Error('the disk is full')),
    report: (error) => reports.push(String(error.cause)),
  })
  const hosts = await Promise.all([...fine, broken, startHost(4)])
  const asker = await startHost(5, { bootstrap: hosts.map(addressOf) })
  await until('connected', () => asker.peers().length === hosts.length)
  const answers: Uint8Array[] = []
  const request = pattern(MAX_VAULT_REQUEST)
  await asker.askWatchers(request, { signal: soon(), take: (answer) => answers.push(answer) > 0 })
  expect(answers.map(([number]) => number).sort()).toEqual([1, 2])
  expect(answers[0]?.slice(1)).toEqual(request.slice(0, 2))
  expect(reports).toEqual(['Error: the disk is full'])
})

test('who has enough ends the asking; too long a request is the caller’s mistake', async () => {
  const slow = await startHost(1, { answerWatcher: () => new Promise(() => undefined) })
  const fast = await startHost(2, { answerWatcher: () => Promise.resolve(pattern(MAX_VAULT_ANSWER)) })
  const asker = await startHost(3, { bootstrap: [addressOf(slow), addressOf(fast)] })
  await until('connected', () => asker.peers().length === 2)
  const enough = new AbortController()
  const asking = asker.askWatchers(pattern(9), {
    signal: enough.signal,
    take: () => {
      enough.abort(new Error('enough'))
      return true
    },
  })
  await expect(asking).rejects.toThrow('enough')
  const long = asker.askWatchers(pattern(MAX_VAULT_REQUEST + 1), { signal: soon(), take: () => true })
  await expect(long).rejects.toThrow(RangeError)
})

test('a peer that answers more than there can be is not listened to', async () => {
  const stranger = await startStranger(1)
  await stranger.handle(names.vault, async (stream) => {
    stream.send(pattern(2 + 128 + MAX_VAULT_ANSWER + 1))
    await stream.close()
  })
  const [address] = stranger.getMultiaddrs().map(String)
  const asker = await startHost(2, { bootstrap: [address ?? ''] })
  await until('connected', () => asker.peers().length === 1)
  const answers: Uint8Array[] = []
  await asker.askWatchers(pattern(9), { signal: soon(), take: (answer) => answers.push(answer) > 0 })
  expect(answers).toEqual([])
})
