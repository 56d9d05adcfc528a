import { EventEmitter, once } from 'node:events'
import { Agent, get } from 'node:http'
import { connect, type Socket } from 'node:net'
import { networkInterfaces } from 'node:os'
import { answer, createClient } from '@kedge/api'
import { afterEach, describe, expect, it } from 'vitest'
import { defaultServeLimits, type ServedApi } from '../src/serve.ts'
import { responses } from './answers.ts'
import { dial, listen, quick, readAll, serve } from './served.ts'

const GET_HEALTH = 'GET /health HTTP/1.1\r\nhost: a\r\n\r\n'
const crowded = { ...defaultServeLimits, connections: 40 }

let stopAttack: (() => void) | undefined

afterEach(() => {
  stopAttack?.()
  stopAttack = undefined
})

/** More connections than there are places, each opened again as soon as it is closed. @param first what each sends */
async function attack(api: ServedApi, count: number, first: string, host = '127.0.0.1'): Promise<ReadonlySet<Socket>> {
  const sockets = new Set<Socket>()
  let isOver = false
  const open = () => {
    if (isOver) return
    const socket = connect(api.port, host, () => first !== '' && socket.write(first))
    sockets.add(socket)
    socket.resume()
    socket.on('error', () => undefined)
    socket.on('close', () => {
      sockets.delete(socket)
      setTimeout(open, 5)
    })
  }
  for (let each = 0; each < count; each++) open()
  stopAttack = () => {
    isOver = true
    for (const socket of sockets) socket.destroy()
  }
  await new Promise((resolve) => setTimeout(resolve, 200))
  return sockets
}

/** How long each of some requests took, in ms. @throws whatever one of them fails with */
async function askOften(api: ServedApi, agent: Agent, host = '127.0.0.1'): Promise<number[]> {
  const times: number[] = []
  for (let each = 0; each < 10; each++) {
    const started = performance.now()
    const [response] = await once(get({ host, port: api.port, path: '/health', agent }), 'response')
    for await (const _ of response) expect(response.statusCode).toBe(200)
    times.push(performance.now() - started)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  return times
}

async function readEnd(socket: Socket): Promise<void> {
  socket.on('error', () => undefined)
  await once(socket, 'close')
}

describe('places', () => {
  it.each([
    ['say nothing', ''],
    ['break off in the headers', 'GET /health HTTP/1.1\r\nx-slow: '],
    [
      'break off in the body',
      'POST /transfers HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 400\r\n\r\n{',
    ],
    ['had an answer', GET_HEALTH],
  ])('are left by connections that %s when others come', async (_, first) => {
    const { api, logged } = await serve({}, { limits: crowded })
    await attack(api, 60, first)
    expect(Math.max(...(await askOften(api, new Agent({ keepAlive: false }))))).toBeLessThan(1000)
    expect(logged.filter(({ level }) => level === 'error')).toEqual([])
    expect(logged[0]?.message).toContain('too many connections')
  })

  it('are kept by who asks now and then, while others say nothing', async () => {
    const { api } = await serve({}, { limits: crowded })
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    await askOften(api, agent)
    const [mine] = Object.values(agent.freeSockets).flat()
    await attack(api, 60, '')
    expect(Math.max(...(await askOften(api, agent)))).toBeLessThan(1000)
    expect(Object.values(agent.freeSockets).flat()).toEqual([mine])
    agent.destroy()
  })

  it('are never taken from a request that is worked on', async () => {
    const gate = new EventEmitter()
    const { api, asked } = await serve(
      { params: () => once(gate, 'open').then(() => answer(responses.params)) },
      { limits: { ...crowded, connections: 8 } },
    )
    const working = Array.from({ length: 8 }, () => createClient(api.url).params({}))
    await expect.poll(() => asked.length + gate.listenerCount('open')).toBe(8)
    expect(await readAll(await dial(api, GET_HEALTH))).not.toContain('200 OK')
    gate.emit('open')
    expect(await Promise.all(working)).toEqual(working.map(() => responses.params))
    expect(await createClient(api.url).health()).toEqual(responses.health)
  })

  it('are not held by who takes an answer slowly, whether others come or not', async () => {
    // More than the system takes for a client that does not read.
    const text = 'x'.repeat(40 * 2 ** 20)
    const { port } = await listen({ ...quick, connections: 1 }, ({ url }, outgoing) => {
      outgoing.end(url === '/long' ? text : 'fine')
      return Promise.resolve()
    })
    const readSlowly = async () => {
      const socket = connect(port, '127.0.0.1', () => socket.write('GET /long HTTP/1.1\r\nhost: a\r\n\r\n'))
      const sip = setInterval(() => socket.read(100_000), 20)
      const closed = readEnd(socket).finally(() => clearInterval(sip))
      await once(socket, 'readable')
      return { socket, closed }
    }
    const first = await readSlowly()
    await expect.poll(() => fetch(`http://127.0.0.1:${port}/`).then((response) => response.text())).toBe('fine')
    await first.closed
    const second = await readSlowly()
    await second.closed
    for (const { socket } of [first, second]) {
      expect(socket.bytesRead).toBeGreaterThan(100_000)
      expect(socket.bytesRead).toBeLessThan(text.length)
    }
  })

  it('are left by a request that fails to be answered, and why is told', async () => {
    const failed: unknown[] = []
    const broken = new Error('broken')
    const { port } = await listen(
      { ...crowded, connections: 1 },
      ({ url }, outgoing) => {
        if (url === '/broken') return Promise.reject(broken)
        outgoing.end('fine')
        return Promise.resolve()
      },
      failed,
    )
    await expect(fetch(`http://127.0.0.1:${port}/broken`)).rejects.toThrow()
    expect(failed).toEqual([broken])
    expect(await (await fetch(`http://127.0.0.1:${port}/`)).text()).toBe('fine')
  })

  it('are not held by a body that comes byte by byte', async () => {
    const { api } = await serve({}, { limits: quick })
    const body = await dial(
      api,
      'POST /transfers HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 400\r\n\r\n{',
    )
    const drip = setInterval(() => body.write(' '), 60)
    expect(await readAll(body)).toMatch(/408 .*"too-slow"/s)
    clearInterval(drip)
  })

  const own = Object.values(networkInterfaces())
    .flat()
    .find((each) => each?.family === 'IPv4' && !each.internal)?.address

  it.skipIf(own === undefined)('are few for one address, and lie among each other for it', async () => {
    const host = own as string
    const { api } = await serve({}, { host: '0.0.0.0', limits: { ...crowded, addressConnections: 5 } })
    const sockets = await attack(api, 30, '', host)
    const silent = await dial(api, '')
    expect(Math.max(...(await askOften(api, new Agent({ keepAlive: false }), host)))).toBeLessThan(1000)
    expect(Math.max(...(await askOften(api, new Agent({ keepAlive: false }))))).toBeLessThan(1000)
    expect(silent.closed).toBe(false)
    await expect.poll(() => sockets.size, { interval: 1, timeout: 5_000 }).toBeLessThan(30)
    silent.destroy()
  })
})
