import { createConnection } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Connection, Stream } from '@libp2p/interface'
import { multiaddr } from '@multiformats/multiaddr'
import { describe, expect, test } from 'vitest'
import { type DataRequest, encodeAnswer, encodeRequest } from '../src/control.ts'
import type { Host } from '../src/host.ts'
import { defaultLimits } from '../src/limits.ts'
import { MAX_STREAM_WINDOW, MAX_STREAMS } from '../src/muxer.ts'
import { hash, pattern, soon } from './bytes.ts'
import { addressOf, names, type Stranger, startHost, startStranger, until, untilConnected } from './network.ts'

const request: DataRequest = { headerHash: hash(7), kind: 'data' }
const accept = () => true
const MIB = 1024 * 1024

/** What the stranger's side of yamux can be made to send; its own code would not. */
interface RawMuxer {
  send(bytes: Uint8Array): boolean
  createStream(options: object): Promise<Stream>
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
      Array.from({ length: defaultLimits.requestsPerPeer }, async () => {
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
      limits: { requestMs: 3_000, stallMs: 3_000 },
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
    await until('both connected', () => host.peers().length === 2)
    const before = memory()
    const attempts = Array.from({ length: 1_000 }, async () => {
      const stream = await connection.newStream(names.data, { signal: soon(5_000), maxOutboundStreams: 2_000 })
      await send(stream, encodeRequest(request))
    })
    const outcomes = await Promise.allSettled(attempts)
    const opened = outcomes.filter(({ status }) => status === 'fulfilled').length
    expect(opened).toBeGreaterThan(defaultLimits.requestsPerPeer)
    expect(opened).toBeLessThanOrEqual(MAX_STREAMS)
    expect(await other.fetch(request, { signal: soon(), accept })).toHaveLength(MIB)
    expect(most).toBeGreaterThan(1)
    expect(most).toBeLessThanOrEqual(defaultLimits.requestsPerPeer + 1)
    await until('streams gone', () => connection.streams.every(({ protocol }) => protocol !== names.data), 8_000)
    expect(memory() - before).toBeLessThan(128 * MIB)
    connection.abort(new Error('done'))
  })

  test('what the host takes too long to answer is cut, and its place is free again', async () => {
    const host = await startHost(1, {
      limits: { responseMs: 200, requestsPerPeer: 1 },
      answerData: ({ kind }) => (kind === 'data' ? new Promise(() => undefined) : Promise.resolve(pattern(10))),
    })
    const { connection } = await connect(host, 9)
    expect(await statusOf(connection, encodeRequest(request))).toBe('cut')
    expect(await statusOf(connection, encodeRequest({ ...request, kind: 'header' }))).toBe('found')
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

  test.each<[string, (stream: Stream) => Promise<void> | void, number?]>([
    ['garbage', (stream) => send(stream, pattern(500))],
    ['nothing', (stream) => send(stream, new Uint8Array(0))],
    ['a body that is too short', (stream) => send(stream, response(100, pattern(99)))],
    ['trailing bytes', (stream) => send(stream, response(100, pattern(101)))],
    ['more than the limit', (stream) => send(stream, response(100_000, new Uint8Array(8 * MIB)))],
    ['a size over the limit', (stream) => send(stream, response(100_001, pattern(100_001)))],
    ['a cut stream', (stream) => stream.abort(new Error('cut'))],
    ['half, and stalls', (stream) => void stream.send(response(100, pattern(50))), 1_000],
    ['one byte at a time', (stream) => drip(stream, response(100, pattern(100)))],
  ])('with %s is passed over for the next', async (_, answer, ms = 2_500) => {
    const stranger = await startStranger(9)
    let asked = 0
    await stranger.handle(names.data, (stream) => {
      asked++
      // That the stranger fails is what is wanted of it.
      void Promise.allSettled([answer(stream)])
    })
    const good = await startHost(1, { answerData: () => Promise.resolve(pattern(1_000)) })
    const client = await startHost(2, { limits, bootstrap: [addressOf(good), nodeAddress(stranger)] })
    await until('connected', () => client.peers().length === 2)
    const start = performance.now()
    for (let round = 0; round < 3; round++) {
      expect(await client.fetch(request, { signal: soon(), accept })).toEqual(pattern(1_000))
    }
    expect(performance.now() - start).toBeLessThan(ms)
    expect(asked).toBe(1)
  })
})

describe('a connection', () => {
  test('that never shakes hands is cut, and keeps nobody else out', async () => {
    const host = await startHost(1)
    const port = Number(/tcp\/(\d+)/.exec(addressOf(host))?.[1])
    let closed = 0
    const sockets = Array.from({ length: 20 }, () => createConnection(port, '127.0.0.1'))
    for (const socket of sockets) {
      socket.on('close', () => closed++)
      socket.on('error', () => socket.destroy())
    }
    const honest = await startHost(2, { bootstrap: [addressOf(host)] })
    await untilConnected(honest)
    await until('all cut', () => closed === sockets.length, 5_000)
  })

  test('that begins a frame longer than any window is cut before it is collected', async () => {
    const host = await startHost(1)
    const { connection } = await connect(host, 9)
    const before = memory()
    rawMuxer(connection).send(Buffer.concat([frame(0, 0, 1, 0xffff_ffff), new Uint8Array(4 * MAX_STREAM_WINDOW)]))
    await until('cut', () => connection.status !== 'open', 2_000)
    expect(host.peers()).toEqual([])
    expect(memory() - before).toBeLessThan(64 * MIB)
  })

  test('has few streams, agreed on or not', async () => {
    const host = await startHost(1)
    const { connection } = await connect(host, 9)
    const streams = await Promise.all(Array.from({ length: 200 }, () => rawMuxer(connection).createStream({})))
    await until(
      'most are refused',
      () => streams.filter(({ status }) => status === 'reset').length >= 200 - MAX_STREAMS,
      1_000,
    )
    expect(connection.status).toBe('open')
    for (const stream of streams) stream.abort(new Error('done'))
  })

  test('that is sent to without reading is cut when too much waits for it', async () => {
    const host = await startHost(1)
    const { connection } = await connect(host, 9)
    const before = memory()
    // Each ping has to be answered by a frame of the same length: the stranger sends pings and reads nothing.
    const pings = Buffer.concat(Array.from({ length: 4_000 }, (_, ping) => frame(2, 1, 0, ping)))
    socketOf(connection).pause()
    for (let sent = 0; sent < 40 * MIB && host.peers().length > 0; sent += pings.length) {
      rawMuxer(connection).send(Uint8Array.from(pings))
      await sleep(1)
    }
    expect(host.peers()).toEqual([])
    expect(memory() - before).toBeLessThan(256 * MIB)
    connection.abort(new Error('done'))
  })

  test('that floods gossip is cut, and refused for a while', async () => {
    let judged = 0
    const host = await startHost(1, {
      validateHeader: () => {
        judged++
        return 'ignore'
      },
    })
    const { node } = await connect(host, 9)
    await until('subscribed', () => node.services.pubsub.getSubscribers(names.headers).length === 1)
    for (let at = 0; at < 2_000; at++) await node.services.pubsub.publish(names.headers, pattern(200, at))
    await until('cut', () => host.peers().length === 0)
    expect(judged).toBeLessThan(64)
    await until('noticed', () => node.getConnections().length === 0)
    // The dialler may take the connection to stand before it learns that it was refused.
    await Promise.allSettled([node.dial(multiaddr(addressOf(host)))])
    await until('refused', () => node.getConnections().length === 0)
    expect(host.peers()).toEqual([])
  })

  test('a third of the same peer is refused', async () => {
    const host = await startHost(1)
    const { node } = await connect(host, 9)
    for (let more = 0; more < 3; more++) {
      await Promise.allSettled([node.dial(multiaddr(addressOf(host)), { force: true })])
    }
    await until('two are left', () => node.getConnections().filter(({ status }) => status === 'open').length === 2)
    expect(host.peers()).toHaveLength(1)
  })
})

async function connect(host: Host, number: number): Promise<{ node: Stranger; connection: Connection }> {
  const node = await startStranger(number)
  const connection = await node.dial(multiaddr(addressOf(host)))
  await until('connected', () => host.peers().length > 0)
  return { node, connection }
}

function nodeAddress(node: Stranger): string {
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
  await Promise.allSettled([stream.close({ signal: soon(3_000) })])
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

/** A yamux frame's header. */
function frame(type: number, flag: number, streamId: number, length: number): Uint8Array {
  const bytes = Buffer.alloc(12)
  bytes.writeUInt8(type, 1)
  bytes.writeUInt16BE(flag, 2)
  bytes.writeUInt32BE(streamId, 4)
  bytes.writeUInt32BE(length, 8)
  return bytes
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
