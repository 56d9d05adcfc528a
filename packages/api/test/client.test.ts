import { once } from 'node:events'
import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { ApiError, type Client, createClient } from '../src/client.ts'
import type { Route } from '../src/route.ts'
import { type RouteName, routes } from '../src/routes.ts'
import { id, key, requests, responses } from './samples.ts'

const servers: Server[] = []

afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections()
    server.close()
  }
})

async function listen(listener: RequestListener): Promise<string> {
  const server = createServer(listener)
  servers.push(server)
  await once(server.listen(0, '127.0.0.1'), 'listening')
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

function answering(status: number, body: string): RequestListener {
  return (_request, response) => response.writeHead(status, { 'content-type': 'application/json' }).end(body)
}

/** Takes a request and says nothing. */
const silence: RequestListener = (request) => request.resume()

async function failure(promise: Promise<unknown>): Promise<ApiError> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  if (!(error instanceof ApiError)) throw new Error('an ApiError was expected', { cause: error })
  return error
}

interface Heard {
  line: string
  type: string | undefined
  body: Buffer
}

async function hear(request: IncomingMessage): Promise<Heard> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return {
    line: `${request.method} ${request.url}`,
    type: request.headers['content-type'],
    body: Buffer.concat(chunks),
  }
}

describe('the client', () => {
  it.each(Object.entries<Route>(routes))('%s: asks and reads the answer', async (name, route) => {
    const body = route.response.encode(responses[name as RouteName])
    const url = await listen(answering(200, route.text === undefined ? JSON.stringify(body) : String(body)))
    const call = createClient(url)[name as RouteName] as (request: unknown) => Promise<unknown>
    expect(await call(requests[name as RouteName])).toEqual(responses[name as RouteName])
  })

  it('puts parameters into the path, the query and the body', async () => {
    const heard: Heard[] = []
    const url = await listen((request, response) => {
      void hear(request).then((what) => {
        heard.push(what)
        response.end('{}')
      })
    })
    const client = createClient(`${url}/node-1/`)
    await failure(client.accountHistory(requests.accountHistory))
    await failure(client.submitTransfer(requests.submitTransfer))
    await failure(client.submitTransfers(requests.submitTransfers))
    expect(heard.map(({ line }) => line)).toEqual([
      `GET /node-1/accounts/${key}/history?before=7-12&limit=20`,
      'POST /node-1/transfers',
      'POST /node-1/transfers/bulk',
    ])
    expect(heard[1]).toMatchObject({
      type: 'application/json',
      body: Buffer.from(JSON.stringify(requests.submitTransfer)),
    })
    expect(heard[2]?.type).toBe('application/octet-stream')
    expect(heard[2]?.body.equals(requests.submitTransfers.bytes)).toBe(true)
  })

  it('refuses what the route does not allow before it sends anything', async () => {
    const client = createClient('http://127.0.0.1:1')
    const wrong = [
      client.account({ key: 'XY' }),
      client.batch({ number: -1 }),
      client.batches({ limit: 1000 }),
      client.submitTransfers({ bytes: new Uint8Array(175) }),
      client.submitTransfers({ bytes: new Uint8Array(0) }),
      client.submitTransfers({ bytes: new Uint8Array(1001 * 174) }),
    ]
    for (const call of wrong) expect((await failure(call)).code).toBe('bad-request')
    expect((await failure(client.account({ key: 'XY' }))).message).toContain('key must be an x-only key')
  })

  it('throws the node’s own errors with code and details', async () => {
    const error = { code: 'nonce-ahead', message: 'An earlier one is missing.', details: { expected: '3' } }
    const url = await listen(answering(409, JSON.stringify({ error })))
    expect(await failure(createClient(url).payment({ id }))).toMatchObject({ ...error, url: `${url}/payments/${id}` })
  })

  it('says which URL it cannot reach', async () => {
    const url = await listen(silence)
    await new Promise((resolve) => servers.pop()?.close(resolve))
    const error = await failure(createClient(url).health())
    expect(error.code).toBe('unreachable')
    expect(error.message).toMatch(new RegExp(`^Cannot reach the node at ${url}/health: .*ECONNREFUSED`))
  })

  it.each([
    ['no JSON', answering(200, '<html>')],
    ['another shape', answering(200, '{"network":1}')],
    [
      'an amount as a number',
      answering(200, JSON.stringify({ ...routes.account.response.encode(responses.account), balance: 1 })),
    ],
    ['an error that is none of this API', answering(502, '{"message":"bad gateway"}')],
    ['an unknown code', answering(400, '{"error":{"code":"new","message":"new"}}')],
    ['a deep nesting', answering(200, '['.repeat(100_000) + ']'.repeat(100_000))],
  ])('does not take %s for an answer', async (_what, listener) => {
    const client = createClient(await listen(listener))
    expect((await failure(client.account({ key }))).code).toBe('bad-answer')
  })

  it('stops reading an answer that does not end', async () => {
    const chunk = Buffer.alloc(2 ** 20, ' ')
    const url = await listen((_request, response) => {
      const more = () => {
        while (response.write(chunk));
      }
      response.on('drain', more)
      more()
    })
    expect(await failure(createClient(url).health())).toMatchObject({
      code: 'bad-answer',
      message: expect.stringContaining('longer than'),
    })
  })

  it('follows no redirection', async () => {
    const url = await listen((_request, response) => response.writeHead(302, { location: 'http://127.0.0.1:1/' }).end())
    expect((await failure(createClient(url).health())).code).toBe('bad-answer')
  })

  it('gives up on a node that does not answer, or answers without an end', async () => {
    const silent = await listen(silence)
    const dripping = await listen((_request, response) => response.write('{'))
    for (const url of [silent, dripping]) {
      const error = await failure(createClient(url, { timeoutMs: 100 }).health())
      expect(error).toMatchObject({ code: 'unreachable', message: expect.stringContaining('no answer within 100 ms') })
    }
  })

  it('ends with the reason of a signal', async () => {
    const url = await listen(silence)
    const reason = new Error('enough')
    const controller = new AbortController()
    const calls: Client[] = [createClient(url, { signal: controller.signal }), createClient(url)]
    const ended = calls.map((client, at) => client.health({}, at === 0 ? {} : { signal: controller.signal }))
    setTimeout(() => controller.abort(reason), 50)
    for (const end of ended) await expect(end).rejects.toBe(reason)
    await expect(calls[0]?.health()).rejects.toBe(reason)
  })

  it('takes only http and https URLs', () => {
    expect(() => createClient('ftp://a')).toThrow(TypeError)
    expect(() => createClient('nonsense')).toThrow(TypeError)
  })
})
