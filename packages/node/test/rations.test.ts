import { EventEmitter, once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { answer } from '@kedge/api'
import { afterEach, describe, expect, it } from 'vitest'
import type { Submitter } from '../src/intake.ts'
import { defaultServeLimits, type ServedApi } from '../src/serve.ts'
import { responses } from './answers.ts'
import { dial, listen, readAll, serve } from './served.ts'

const GET_HEALTH = 'GET /health HTTP/1.1\r\nhost: a\r\n\r\n'
const GET_PARAMS = 'GET /params HTTP/1.1\r\nhost: a\r\n\r\n'
const TRANSFER = JSON.stringify({ transfer: '00'.repeat(174) })
const POST_TRANSFER = `POST /transfers HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: ${TRANSFER.length}\r\n\r\n${TRANSFER}`

/** What an answer to the attackers costs the thread, and how many of them there are. */
const BURN_MS = 2
const ATTACKERS = 12

let stopAttack: (() => void) | undefined

afterEach(() => {
  stopAttack?.()
  stopAttack = undefined
})

/** Answers of the API, where the health costs much; how often it was asked for, and what that took, in ms. */
async function serveDear(connections = defaultServeLimits.connections) {
  const spent = { answers: 0, ms: 0 }
  const health = () => {
    const began = performance.now()
    while (performance.now() - began < BURN_MS);
    spent.answers++
    spent.ms += performance.now() - began
    return answer(responses.health)
  }
  const submitTransfer = (_: unknown, from?: Submitter) => {
    from?.credit?.(1)
    return answer(responses.submitTransfer)
  }
  const { api } = await serve({ health, submitTransfer }, { limits: { ...defaultServeLimits, connections } })
  return { api, spent }
}

/** Connections that ask for the health again as soon as they have it, until they have used up what they had saved. */
async function attack(api: ServedApi, spent: { readonly answers: number }): Promise<void> {
  const sockets: Socket[] = []
  for (let each = 0; each < ATTACKERS; each++) {
    const socket = connect(api.port, '127.0.0.1', () => socket.write(GET_HEALTH))
    socket.on('data', () => socket.write(GET_HEALTH))
    socket.on('error', () => undefined)
    sockets.push(socket)
  }
  stopAttack = () => {
    for (const socket of sockets) socket.destroy()
  }
  await expect.poll(() => spent.answers, { timeout: 20_000 }).toBeGreaterThan(12 * ATTACKERS)
}

async function ask(socket: Socket, request: string): Promise<void> {
  socket.write(request)
  const [answered] = (await once(socket, 'data')) as [Buffer]
  expect(answered.toString()).toContain('200 OK')
}

describe('connections that ask without a pause', () => {
  it('are passed by who asks now and then', async () => {
    const { api, spent } = await serveDear()
    await attack(api, spent)
    const mine = await dial(api, '')
    const before = spent.answers
    for (let each = 0; each < 10; each++) await ask(mine, GET_PARAMS)
    // In the order of their coming, each of the ten would have waited for all of them.
    expect(spent.answers - before).toBeLessThan(5 * ATTACKERS)
    mine.destroy()
  })

  it('are passed by who has payments taken, however many', async () => {
    const { api, spent } = await serveDear()
    await attack(api, spent)
    const mine = await dial(api, '')
    const before = spent.answers
    for (let each = 0; each < 100; each++) await ask(mine, POST_TRANSFER)
    expect(spent.answers - before).toBeLessThan(30 * ATTACKERS)
    mine.destroy()
  })

  it('leave time to all else', async () => {
    const { api, spent } = await serveDear()
    await attack(api, spent)
    const [before, began] = [spent.ms, performance.now()]
    await new Promise((resolve) => setTimeout(resolve, 1000))
    expect(spent.ms - before).toBeGreaterThan(0)
    // What is theirs anyway comes on top, of the time that is left.
    expect(spent.ms - before).toBeLessThan(0.8 * (performance.now() - began))
  })

  it('all have their turns', async () => {
    const { api, spent } = await serveDear()
    await attack(api, spent)
    const sockets = await Promise.all(Array.from({ length: 4 }, () => dial(api, '')))
    const answers = await Promise.all(
      sockets.map(async (socket) => {
        let count = 0
        for (const until = performance.now() + 1500; performance.now() < until; count++) await ask(socket, GET_HEALTH)
        socket.destroy()
        return count
      }),
    )
    expect(Math.min(...answers)).toBeGreaterThan(Math.max(...answers) / 2)
  })

  it('leave their places to others while they wait', async () => {
    const { api, spent } = await serveDear(ATTACKERS)
    await attack(api, spent)
    for (let each = 0; each < 5; each++) {
      const newcomer = await dial(api, '')
      await ask(newcomer, GET_PARAMS)
      newcomer.destroy()
    }
  })
})

describe('of all connections together', () => {
  it('few queries are worked on at once, and every other one has its turn', async () => {
    const gate = new EventEmitter()
    gate.setMaxListeners(0)
    let begun = 0
    const params = async () => {
      begun++
      await once(gate, 'open')
      return answer(responses.params)
    }
    const { api } = await serve({ params })
    const sockets = await Promise.all(Array.from({ length: 100 }, () => dial(api, '')))
    const asked = sockets.map((socket) => ask(socket, GET_PARAMS))
    await expect.poll(() => begun).toBe(48)
    // What is submitted waits behind none of them.
    const payer = await dial(api, '')
    await ask(payer, POST_TRANSFER)
    payer.destroy()
    expect(begun).toBe(48)
    gate.emit('open')
    await expect.poll(() => begun).toBe(96)
    gate.emit('open')
    await expect.poll(() => begun).toBe(100)
    gate.emit('open')
    await Promise.all(asked)
    for (const socket of sockets) socket.destroy()
  })
})

describe('thousands of requests in one piece', () => {
  it('are not even read when their connection is closed for them', async () => {
    let read = 0
    const failed: unknown[] = []
    const { server, port } = await listen(defaultServeLimits, () => new Promise(() => undefined), failed)
    server.on('request', () => read++)
    const socket = connect(port, '127.0.0.1')
    socket.write(GET_HEALTH.repeat(1900))
    await readAll(socket)
    expect(read).toBe(3)
    expect(failed).toEqual([])
  })
})
