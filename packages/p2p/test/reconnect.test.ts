import { type ChildProcess, fork } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, test } from 'vitest'
import type { DataRequest } from '../src/control.ts'
import { HostError } from '../src/host.ts'
import { hash, pattern, seed, soon } from './bytes.ts'
import { addressOf, NETWORK, startHost, until, untilConnected } from './network.ts'

const request: DataRequest = { headerHash: hash(7), kind: 'data' }
const accept = () => true
const children: ChildProcess[] = []

afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
})

describe('a bootstrap peer', () => {
  test('that restarts is found again within seconds, and gossip and data flow again', async () => {
    const first = await startHost(1)
    const address = addressOf(first)
    const listen = [address.slice(0, address.indexOf('/p2p/'))]
    const client = await startHost(2, { bootstrap: [address] })
    const heard: Uint8Array[] = []
    client.subscribe((header) => heard.push(header))
    await untilConnected(client)
    await first.stop()
    await until('lost', () => client.peers().length === 0)
    await expect.poll(() => client.unreachable().length, { timeout: 5_000 }).toBe(1)
    const again = await startHost(1, { listen, answerData: () => Promise.resolve(pattern(99)) })
    const start = performance.now()
    await untilConnected(client)
    expect(performance.now() - start).toBeLessThan(5_000)
    expect(client.unreachable()).toEqual([])
    expect(await client.fetch(request, { signal: soon(), accept })).toEqual(pattern(99))
    await sleep(300)
    await again.announce(pattern(70))
    await until('heard', () => heard.length === 1)
  })

  test('that is not there yet is dialled until it is; without its id too, and never oneself', async () => {
    const probe = await startHost(1)
    const address = addressOf(probe)
    const bare = address.slice(0, address.indexOf('/p2p/'))
    await probe.stop()
    const client = await startHost(2, { bootstrap: [bare] })
    await expect.poll(() => client.unreachable(), { timeout: 5_000 }).toMatchObject([{ address: bare }])
    const late = await startHost(1, { listen: [bare], bootstrap: [address] })
    await untilConnected(client, late)
    expect(client.peers()).toMatchObject([{ id: late.peerId, direction: 'outbound' }])
    expect(late.unreachable()).toEqual([])
  })
})

describe('a process of its own', () => {
  test('hears, announces, answers, takes transfers, and ends by itself when stopped', async () => {
    const here = await startHost(1)
    const heard: Uint8Array[] = []
    here.subscribe((header) => heard.push(header))
    const messages: unknown[] = []
    const child = startPeer(2, addressOf(here), messages)
    await until('connected', () => here.peers().some(({ isSequencer }) => isSequencer), 10_000)
    await sleep(300)
    await here.announce(pattern(367))
    const hex = Buffer.from(pattern(367)).toString('hex')
    await expect.poll(() => messages, { timeout: 5_000 }).toContainEqual({ header: hex })
    child.send({ announce: 'abcdef' })
    await until('heard', () => heard.length === 1)
    expect(heard).toEqual([Uint8Array.of(0xab, 0xcd, 0xef)])
    const bytes = await here.fetch(request, { signal: soon(), accept })
    expect(bytes).toHaveLength(2 * 1024 * 1024)
    expect(bytes?.every((byte, at) => byte === (at & 0xff))).toBe(true)
    expect(await here.submit(Uint8Array.of(1, 2, 3), soon())).toEqual(Uint8Array.of(3, 2, 1))
    const ended = new Promise((resolve) => child.on('exit', (code, signal) => resolve(code ?? signal)))
    child.send({ stop: true })
    expect(await ended).toBe(0)
    await until('gone', () => here.peers().length === 0)
    expect(messages.filter((message) => JSON.stringify(message).includes('report'))).toEqual([])
  })

  test('that is killed while it is asked costs its peers no more than an attempt', async () => {
    const here = await startHost(1)
    startPeer(2, addressOf(here), [])
    await untilConnected(here)
    const start = performance.now()
    expect(await here.fetch({ ...request, kind: 'steps' }, { signal: soon(), accept })).toBeUndefined()
    expect(performance.now() - start).toBeLessThan(2_000)
    await until('gone', () => here.peers().length === 0)
  })
})

describe('starting and stopping', () => {
  test('a stop is quick, can be repeated, and leaves the port free', async () => {
    const first = await startHost(1)
    const address = addressOf(first)
    const other = await startHost(2, { bootstrap: [address, '/ip4/127.0.0.1/tcp/1'] })
    await untilConnected(other)
    const start = performance.now()
    await Promise.all([other.stop(), other.stop(), first.stop()])
    expect(performance.now() - start).toBeLessThan(3_000)
    const again = await startHost(3, { listen: [address.slice(0, address.indexOf('/p2p/'))] })
    expect(addressOf(again)).toContain(address.slice(0, address.indexOf('/p2p/')))
  })

  test('what can’t be started says why', async () => {
    const first = await startHost(1)
    const taken = addressOf(first).slice(0, addressOf(first).indexOf('/p2p/'))
    const refused = startHost(2, { listen: [taken] })
    await expect(refused).rejects.toThrow(HostError)
    await expect(refused).rejects.toThrow(/^peers can't be listened for on \S+: listen EADDRINUSE: [^\n]*$/)
    await expect(startHost(2, { bootstrap: ['nonsense'] })).rejects.toThrow('not a multiaddr: nonsense')
    await expect(startHost(2, { secretKey: seed(2).slice(1) })).rejects.toThrow(RangeError)
    await expect(startHost(2, { network: NETWORK.slice(1) })).rejects.toThrow(RangeError)
  })
})

function startPeer(number: number, bootstrap: string, messages: unknown[]): ChildProcess {
  const child = fork(fileURLToPath(new URL('./peer.mjs', import.meta.url)), [String(number), bootstrap])
  child.on('message', (message) => messages.push(message))
  children.push(child)
  return child
}
