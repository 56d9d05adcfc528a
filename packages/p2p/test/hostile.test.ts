import { setTimeout as sleep } from 'node:timers/promises'
import type { Connection, Stream } from '@libp2p/interface'
import { multiaddr } from '@multiformats/multiaddr'
import { describe, expect, test } from 'vitest'
import { type DataRequest, encodeAnswer, encodeRequest } from '../src/control.ts'
import type { Host } from '../src/host.ts'
import type { Node } from '../src/libp2p.ts'
import { MAX_QUEUED, MAX_STREAM_WINDOW, MAX_STREAMS } from '../src/muxer.ts'
import {
  addressOf,
  hash,
  names,
  pattern,
  soon,
  startHost,
  startStranger,
  until,
  untilConnected,
} from './network.ts'

const request: DataRequest = { headerHash: hash(7), kind: 'data' }
const accept = () => true
const MIB = 1024 * 1024

/** What the stranger's side of yamux can be made to send; its own code would not. */
interface RawMuxer {
  sendFrame(header: { type: number; flag: number; streamID: number; length: number }, data?: Uint8Array): boolean
}

describe('a peer that asks', () => {
  test.each([
    ['garbage', pattern(100)],
    ['nothing', new Uint8Array(0)],
    ['trailing bytes', Buffer.concat([encodeRequest(request), Buffer.of(1)])],
    ['far too much', pattern(MIB)],
  ])('with %s is cut off its stream, and the callback is not called', async (_, bytes) => {
    const host = await startHost(1, { answerData: () => expect.fail('asked') })
    const { connection } = await connect(host, 9)
    const stream = await connection.newStream(names.data)
    const ended = endOf(stream)
    await send(stream, bytes)
    expect(await ended).toMatch(/reset|aborted/)
    await until('the stream is gone', () => connection.streams.every(({ protocol }) => protocol !== names.data))
  })

  test('and never finishes its request holds its few places for the request’s time only', async () => {
    const host = await startHost(1, {
      limits: { requestMs: 700, stallMs: 700 },
      answerData: () => Promise.resolve(pattern(10)),
    })
    const { connection, node } = await connect(host, 9)
    const halves = await Promise.all(
      Array.from({ length: 4 }, async () => {
        const stream = await connection.newStream(names.data)
        stream.send(encodeRequest(request).slice(0, 5))
        return stream
      }),
    )
    await sleep(100)
    expect(await statusOf(connection, encodeRequest(request))).toBe('busy')
    const other = await startHost(2, { bootstrap: [addressOf(host)] })
    await untilConnected(other)
    expect(await other.fetch(request, { signal: soon(), accept })).toEqual(pattern(10))
    await until('all cut', () => halves.every(({ status }) => status !== 'open'), 2_000)
    expect(await statusOf(connection, encodeRequest(request))).toBe('found')
    await node.stop()
  })

  test('one byte at a time is cut off when the request’s time is over', async () => {
    const host = await startHost(1, { limits: { requestMs: 500 }, answerData: () => expect.fail('asked') })
    const { connection } = await connect(host, 9)
    const stream = await connection.newStream(names.data)
    const start = performance.now()
    for (const byte of encodeRequest(request)) {
      if (stream.status !== 'open') break
      stream.send(Uint8Array.of(byte))
      await sleep(50)
    }
    expect(stream.status).not.toBe('open')
    expect(performance.now() - start).toBeLessThan(2_000)
  })

  test('and does not read its response lets go of it after the stall time', async () => {
    const host = await startHost(1, {
      limits: { stallMs: 400 },
      answerData: () => Promise.resolve(new Uint8Array(4 * MIB)),
    })
    const { connection } = await connect(host, 9)
    const stream = await connection.newStream(names.data)
    stream.pause()
    await send(stream, encodeRequest(request))
    await until('cut', () => stream.status === 'reset', 3_000)
    expect(await statusOf(connection, encodeRequest(request))).toBe('found')
  })

  test('on a thousand streams at once gets few answers, and leaves nothing behind', async () => {
    let open = 0
    let most = 0
    const host = await startHost(1, {
      limits: { requestMs: 1_000, stallMs: 1_000 },
      answerData: async () => {
        most = Math.max(most, ++open)
        await sleep(20)
        open--
        return new Uint8Array(MIB)
      },
    })
    const other = await startHost(2, { bootstrap: [addressOf(host)] })
    await untilConnected(other)
    const { connection } = await connect(host, 9)
    const before = memory()
    const attempts = Array.from({ length: 1_000 }, async () => {
      const stream = await connection.newStream(names.data, { signal: soon(5_000), maxOutboundStreams: 2_000 })
      stream.send(encodeRequest(request))
    })
    const outcomes = await Promise.allSettled(attempts)
    expect(outcomes.filter(({ status }) => status === 'fulfilled').length).toBeLessThan(MAX_STREAMS * 20)
    expect(await other.fetch(request, { signal: soon(), accept })).toHaveLength(MIB)
    expect(most).toBeLessThanOrEqual(5)
    await until('streams gone', () => connection.streams.every(({ protocol }) => protocol !== names.data), 8_000)
    expect(memory() - before).toBeLessThan(128 * MIB)
  })

  test('beyond its rate is told that the host is busy', async () => {
    const host = await startHost(1, {
      limits: { requestsPerSecond: 1, requestBurst: 5 },
      answerData: () => Promise.resolve(pattern(10)),
    })
    const { connection } = await connect(host, 9)
    const statuses: string[] = []
    for (let at = 0; at < 8; at++) statuses.push(await statusOf(connection, encodeRequest(request)))
    expect(statuses).toEqual(['found', 'found', 'found', 'found', 'found', 'busy', 'busy', 'busy'])
  })
})

describe('a peer that answers', () => {
  const limits = { maxDataResponse: 100_000, stallMs: 400, responseMs: 1_500 }

  test.each<[string, (stream: Stream) => Promise<void> | void]>([
    ['garbage', (stream) => send(stream, pattern(500))],
    ['nothing', (stream) => send(stream, new Uint8Array(0))],
    ['a body that is too short', (stream) => send(stream, response(100, pattern(99)))],
    ['trailing bytes', (stream) => send(stream, response(100, pattern(101)))],
    ['more than the limit', (stream) => send(stream, response(100_000, new Uint8Array(8 * MIB)))],
    ['a size over the limit', (stream) => send(stream, response(100_001, pattern(100_001)))],
    ['a cut stream', (stream) => stream.abort(new Error('cut'))],
    ['half, and stalls', (stream) => void stream.send(response(100, pattern(50)))],
    ['one byte at a time', (stream) => drip(stream, response(100, pattern(100)))],
  ])('with %s is passed over for the next', async (_, answer) => {
    const stranger = await startStranger(9)
    let asked = 0
    await stranger.handle(names.data, (stream) => {
      asked++
      // The stranger's own failures are what is wanted of it.
      void Promise.resolve(answer(stream)).catch(() => undefined)
    })
    const good = await startHost(1, { answerData: () => Promise.resolve(pattern(1_000)) })
    const client = await startHost(2, { limits, bootstrap: [addressOf(good), nodeAddress(stranger)] })
    await until('connected', () => client.peers().length === 2)
    await until('asked', () => asked > 0 || performance.now() < 0, 10).catch(() => undefined)
    for (let round = 0; round < 3; round++) {
      expect(await client.fetch(request, { signal: soon(), accept })).toEqual(pattern(1_000))
    }
    expect(asked).toBe(1)
  })
})

describe('a connection', () => {
  test('that begins a frame longer than any window is cut before it is collected', async () => {
    const host = await startHost(1)
    const { connection } = await connect(host, 9)
    const stream = await connection.newStream(names.data)
    const before = memory()
    const raw = rawMuxer(connection)
    raw.sendFrame({ type: 0, flag: 0, streamID: Number(stream.id), length: 0xffff_ffff }, new Uint8Array(MAX_STREAM_WINDOW))
    await until('cut', () => connection.status !== 'open', 2_000)
    expect(host.peers()).toEqual([])
    expect(memory() - before).toBeLessThan(64 * MIB)
  })

  test('that is sent to without reading is cut when too much waits for it', async () => {
    const host = await startHost(1)
    const { connection } = await connect(host, 9)
    const before = memory()
    const raw = rawMuxer(connection)
    // Each ping must be answered by a frame of the same length: the stranger sends pings and reads nothing.
    socketOf(connection).pause()
    let sent = 0
    while (connection.status === 'open' && host.peers().length > 0 && sent < 40 * MAX_QUEUED) {
      for (let ping = 0; ping < 2_000; ping++) {
        raw.sendFrame({ type: 2, flag: 1, streamID: 0, length: ping })
        sent += 12
      }
      await sleep(1)
    }
    expect(host.peers()).toEqual([])
    expect(memory() - before).toBeLessThan(256 * MIB)
    connection.abort(new Error('done'))
  })

  test('a third of the same peer is refused', async () => {
    const host = await startHost(1)
    const { node } = await connect(host, 9)
    const again = () => node.dial(multiaddr(addressOf(host)), { force: true })
    const results = await Promise.allSettled([again(), again(), again()])
    await sleep(200)
    expect(results.length).toBe(3)
    expect(node.getConnections().filter(({ status }) => status === 'open').length).toBeLessThanOrEqual(2)
    expect(host.peers()).toHaveLength(1)
  })
})

async function connect(host: Host, number: number): Promise<{ node: Node; connection: Connection }> {
  const node = await startStranger(number)
  const connection = await node.dial(multiaddr(addressOf(host)))
  await until('connected', () => host.peers().length > 0)
  return { node, connection }
}

function nodeAddress(node: Node): string {
  const [address] = node.getMultiaddrs()
  if (address === undefined) throw new Error('the stranger listens nowhere')
  return address.toString()
}

function response(size: number, body: Uint8Array): Uint8Array {
  const answer = encodeAnswer({ status: 'found', size })
  return Buffer.concat([Buffer.of(answer.length, 0), answer, body])
}

/** Sends until the other side cuts the stream; that it does is what some of the tests wait for. */
async function send(stream: Stream, bytes: Uint8Array): Promise<void> {
  stream.send(bytes)
  await stream.close({ signal: soon(3_000) }).catch(() => undefined)
}

async function drip(stream: Stream, bytes: Uint8Array): Promise<void> {
  for (const byte of bytes) {
    stream.send(Uint8Array.of(byte))
    await sleep(100)
  }
}

async function statusOf(connection: Connection, bytes: Uint8Array): Promise<string> {
  const stream = await connection.newStream(names.data)
  const chunks: Uint8Array[] = []
  stream.addEventListener('message', (event) => chunks.push(Uint8Array.from(event.data.subarray())))
  const ended = endOf(stream)
  await send(stream, bytes)
  await ended
  const text = Buffer.concat(chunks).subarray(0, 40).toString('latin1')
  return /status\W(found|unknown|busy|failed)/.exec(text)?.[1] ?? 'cut'
}

function endOf(stream: Stream): Promise<string> {
  return new Promise((resolve) => {
    stream.addEventListener('close', () => resolve(stream.status))
    if (stream.status !== 'open') resolve(stream.status)
  })
}

function rawMuxer(connection: Connection): RawMuxer {
  return (connection as unknown as { muxer: RawMuxer }).muxer
}

function socketOf(connection: Connection): { pause(): void } {
  return (connection as unknown as { maConn: { socket: { pause(): void } } }).maConn.socket
}

function memory(): number {
  const { rss } = process.memoryUsage()
  return rss
}
