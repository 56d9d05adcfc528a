import { ApiError } from '@kedge/api'
import { RpcUnreachableError } from '@kedge/bitcoin'
import { expect, test } from 'vitest'
import { WaitError, waitFor } from '../src/waiting.ts'

test('gives what the probe finds, and looks no more', async () => {
  let looks = 0
  const found = await waitFor({ until: 'it is the third look' }, () => (++looks === 3 ? 'there' : undefined))
  expect({ found, looks }).toEqual({ found: 'there', looks: 3 })
})

test('after the deadline, says what was waited for and how things stood', async () => {
  const notes: string[] = []
  const waiting = waitFor({ until: 'pigs fly', withinMs: 120, onProgress: (text) => notes.push(text) }, (note) => {
    note(`look ${notes.length + 1}`)
    return undefined
  })
  await expect(waiting).rejects.toThrow(WaitError)
  await expect(waiting).rejects.toThrow(`waited 0.12 s until pigs fly, in vain: ${notes.at(-1)}`)
  expect(notes.length).toBeGreaterThan(1)
})

test('nobody answering yet is waited out', async () => {
  const errors = [
    new ApiError('no node', { code: 'unreachable', url: 'http://a' }),
    new ApiError('behind', { code: 'syncing', url: 'http://a' }),
    new RpcUnreachableError('no bitcoind'),
  ]
  const notes: string[] = []
  const found = await waitFor({ until: 'somebody answers', onProgress: (text) => notes.push(text) }, () => {
    const error = errors.shift()
    if (error !== undefined) throw error
    return 'hello'
  })
  expect({ found, notes }).toEqual({ found: 'hello', notes: ['no node', 'behind', 'no bitcoind'] })
})

test('any other error ends the wait, and so does a check', async () => {
  const refused = new ApiError('no', { code: 'bad-request', url: 'http://a' })
  await expect(waitFor({ until: 'x' }, () => Promise.reject(refused))).rejects.toBe(refused)
  const gone = new Error('the process has ended')
  const check = () => {
    throw gone
  }
  await expect(waitFor({ until: 'x', check }, () => undefined)).rejects.toBe(gone)
})
