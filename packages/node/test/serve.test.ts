import { EventEmitter, once } from 'node:events'
import { request as httpRequest } from 'node:http'
import { answer, overloaded, type RouteName, refuse, routes } from '@kedge/api'
import { describe, expect, it } from 'vitest'
import type { ServedApi } from '../src/serve.ts'
import { id, key, requests, responses } from './answers.ts'
import { dial, quick, readAll, serve } from './served.ts'

interface Reply {
  status: number
  body: { error?: { code: string; message: string; details?: Record<string, unknown> } }
}

async function post(url: string, body: string | Uint8Array<ArrayBuffer>, type = 'application/json'): Promise<Reply> {
  const response = await fetch(url, { method: 'POST', body, headers: { 'content-type': type } })
  return { status: response.status, body: (await response.json()) as Reply['body'] }
}

describe('a served API', () => {
  it('hands every route its request and gives back the answer', async () => {
    const { asked, client } = await serve()
    for (const name of Object.keys(routes) as RouteName[]) {
      const call = client[name] as (request: unknown) => Promise<unknown>
      expect(await call(requests[name])).toEqual(responses[name])
      expect(asked.at(-1)).toEqual([name, requests[name]])
    }
  })

  it('turns refusals into typed errors with their HTTP status', async () => {
    const { api, client } = await serve({
      payment: () => refuse('not-found'),
      submitTransfer: () => Promise.resolve(overloaded(2500)),
    })
    await expect(client.payment({ id })).rejects.toMatchObject({ code: 'not-found' })
    await expect(client.submitTransfer(requests.submitTransfer)).rejects.toMatchObject({
      details: { retryAfterMs: 2500 },
    })
    const response = await fetch(`${api.url}/payments/${id}`)
    expect(response.status).toBe(404)
    const busy = await fetch(`${api.url}/transfers`, {
      method: 'POST',
      body: JSON.stringify(requests.submitTransfer),
      headers: { 'content-type': 'application/json; charset=utf-8' },
    })
    expect([busy.status, busy.headers.get('retry-after')]).toEqual([429, '3'])
  })

  it('tells the log, not the client, what went wrong inside', async () => {
    const { api, logged } = await serve({
      health: () => {
        throw new Error('the secret of the database')
      },
      batch: () => Promise.reject(new Error('secret too')),
      account: () => answer({ ...responses.account, balance: -1n }),
    })
    for (const path of ['/health', '/batches/1', `/accounts/${key}`]) {
      const response = await fetch(api.url + path)
      const text = await response.text()
      expect(response.status).toBe(500)
      expect(JSON.parse(text)).toEqual({ error: { code: 'internal', message: expect.any(String) } })
      expect(text).not.toMatch(/secret|serve\.ts| at /)
    }
    expect(logged.map(({ fields }) => fields.path)).toEqual(['/health', '/batches/1', `/accounts/${key}`])
  })

  it('answers later when a responder takes too long, and logs how it ended', async () => {
    const { client, logged } = await serve(
      { health: () => new Promise((_, reject) => setTimeout(() => reject(new Error('late')), 250)) },
      { limits: quick },
    )
    await expect(client.health()).rejects.toMatchObject({ code: 'overloaded' })
    await expect.poll(() => logged.map(({ message }) => message)).toContain('a late request failed')
  })

  it('speaks to web pages of the given origins only', async () => {
    const ask = async (api: ServedApi, origin: string) =>
      (await fetch(`${api.url}/health`, { headers: { origin } })).headers.get('access-control-allow-origin')
    const closed = await serve()
    expect(await ask(closed.api, 'https://a.example')).toBeNull()
    const open = await serve({}, { origins: ['https://a.example'] })
    expect(await ask(open.api, 'https://a.example')).toBe('https://a.example')
    expect(await ask(open.api, 'https://b.example')).toBeNull()
    const preflight = await fetch(`${open.api.url}/transfers`, {
      method: 'OPTIONS',
      headers: { origin: 'https://a.example', 'access-control-request-method': 'POST' },
    })
    expect(preflight.headers.get('access-control-allow-methods')).toContain('POST')
  })

  it('says where it cannot listen', async () => {
    const { api } = await serve()
    await expect(serve({}, { port: api.port })).rejects.toThrow(`cannot listen on 127.0.0.1:${api.port}: `)
  })
})

describe('bad requests', () => {
  it.each([
    ['GET', '/nowhere', 404, 'not-found'],
    ['DELETE', '/health', 404, 'not-found'],
    ['GET', '/transfers', 404, 'not-found'],
    ['GET', '/accounts/AB', 400, 'bad-request'],
    ['GET', '/accounts/%', 400, 'bad-request'],
    ['GET', '/batches/one', 400, 'bad-request'],
    ['GET', '/batches?limit=1&limit=2', 400, 'bad-request'],
    ['GET', '/batches?limits=1', 400, 'bad-request'],
    ['GET', '/batches?__proto__=1', 400, 'bad-request'],
    ['GET', '/health?verbose=1', 400, 'bad-request'],
  ])('%s %s is refused', async (method, path, status, code) => {
    const { api, asked } = await serve()
    const response = await fetch(api.url + path, { method })
    expect([response.status, ((await response.json()) as Reply['body']).error?.code]).toEqual([status, code])
    expect(response.headers.get('content-type')).toContain('application/json')
    expect(asked).toEqual([])
  })

  it('are refused for their body, with the field that is wrong', async () => {
    const { api, asked } = await serve()
    const transfers = `${api.url}/transfers`
    const { transfer } = requests.submitTransfer
    expect((await post(transfers, '{')).body.error?.details).toEqual({ body: 'is not JSON' })
    expect((await post(transfers, new Uint8Array([0x22, 0xff, 0x22]))).body.error?.details).toEqual({
      body: 'is not UTF-8',
    })
    expect((await post(transfers, '"text"')).body.error?.details?.request).toContain('expected object')
    expect((await post(transfers, '{}')).body.error?.details).toHaveProperty('transfer')
    expect((await post(transfers, JSON.stringify({ transfer, more: 1 }))).body.error?.details?.request).toContain(
      'more',
    )
    expect((await post(transfers, JSON.stringify({ transfer }), 'text/plain')).body.error?.details).toEqual({
      'content-type': 'must be application/json',
    })
    const bulk = `${api.url}/transfers/bulk`
    for (const size of [0, 173, 175, 1001 * 174]) {
      const reply = await post(bulk, new Uint8Array(size), 'application/octet-stream')
      expect([reply.status, reply.body.error?.details?.bytes]).toEqual([400, 'must be 1 to 1000 rows of 174 bytes'])
    }
    expect(asked).toEqual([])
  })

  it('are refused when their body is too large, said or not', async () => {
    const { api, asked } = await serve()
    const large = new Uint8Array(300 * 1024)
    const said = await post(`${api.url}/transfers/bulk`, large, 'application/octet-stream')
    expect([said.status, said.body.error?.code]).toEqual([413, 'too-large'])
    const json = await post(`${api.url}/transfers`, JSON.stringify({ transfer: 'a'.repeat(17_000) }))
    expect(json.status).toBe(413)
    const chunked = httpRequest(`${api.url}/transfers/bulk`, {
      method: 'POST',
      headers: { 'content-type': 'application/octet-stream', 'transfer-encoding': 'chunked' },
    })
    chunked.on('error', (error) => expect(error.message).toMatch(/EPIPE|ECONNRESET|hang up/))
    chunked.end(large)
    const [response] = await once(chunked, 'response')
    expect(response.statusCode).toBe(413)
    response.resume()
    expect(asked).toEqual([])
  })

  it('take a chunked body as well as one that says its length', async () => {
    const { api, asked } = await serve()
    const chunked = httpRequest(`${api.url}/transfers/bulk`, {
      method: 'POST',
      headers: { 'content-type': 'application/octet-stream', 'transfer-encoding': 'chunked' },
    })
    chunked.write(requests.submitTransfers.bytes.subarray(0, 100))
    chunked.end(requests.submitTransfers.bytes.subarray(100))
    const [response] = await once(chunked, 'response')
    response.resume()
    expect(response.statusCode).toBe(200)
    const [, { bytes }] = asked[0] as [string, { bytes: Uint8Array }]
    expect(Buffer.from(bytes).equals(requests.submitTransfers.bytes)).toBe(true)
  })

  it('refuse a body in chunks of one byte long before its end', async () => {
    const { api, asked } = await serve()
    const start = 'POST /transfers/bulk HTTP/1.1\r\nhost: a\r\ncontent-type: application/octet-stream\r\n'
    const socket = await dial(api, `${start}transfer-encoding: chunked\r\n\r\n`)
    socket.on('error', () => undefined)
    const answered = readAll(socket)
    for (let each = 0; each < 200 && socket.writable; each++) {
      if (!socket.write('1\r\na\r\n'.repeat(1000))) await Promise.race([once(socket, 'drain'), answered])
    }
    expect(await answered).toContain('too many pieces')
    expect(asked).toEqual([])
  })

  it('with too many header bytes, or that are no HTTP, get an answer and a closed connection', async () => {
    const { api } = await serve()
    const large = await dial(api, `GET /health HTTP/1.1\r\nhost: a\r\nx: ${'x'.repeat(9000)}\r\n\r\n`)
    expect(await readAll(large)).toMatch(/^HTTP\/1\.1 413 .*connection: close.*"too-large"/s)
    const garbage = await dial(api, 'hello\r\n\r\n')
    expect(await readAll(garbage)).toMatch(/^HTTP\/1\.1 400 .*"bad-request"/s)
  })

  it.each([
    ['no host', 'GET /health HTTP/1.1', ''],
    ['an empty host', 'GET /health HTTP/1.1', 'host: \r\n'],
    ['a host that is none', 'GET /health HTTP/1.1', 'host: a b c/@#\r\n'],
    ['a target that is no path', 'OPTIONS * HTTP/1.1', 'host: a\r\n'],
    ['a URL that is none', 'GET http://[::1/health HTTP/1.1', 'host: a\r\n'],
    ['an expectation that is unknown', 'POST /transfers HTTP/1.1', 'host: a\r\nexpect: foo\r\ncontent-length: 0\r\n'],
    ['a tunnel', 'CONNECT a:1 HTTP/1.1', 'host: a\r\n'],
  ])('with %s get the typed error too', async (_, line, headers) => {
    const { api, asked, logged } = await serve()
    const text = await readAll(await dial(api, `${line}\r\n${headers}connection: close\r\n\r\n`))
    expect(text).toMatch(/^HTTP\/1\.1 400 .*content-type: application\/json/s)
    const body: unknown = JSON.parse(text.slice(text.indexOf('{'), text.lastIndexOf('}') + 1))
    expect(body).toMatchObject({ error: { code: 'bad-request', message: expect.any(String) } })
    expect([asked, logged]).toEqual([[], []])
  })
})

describe('a connection', () => {
  it('is closed when it sends on without waiting for answers, and few of its requests are worked on', async () => {
    const { api, asked, client } = await serve({ health: () => new Promise(() => undefined) })
    const many = await dial(api, 'GET /health HTTP/1.1\r\nhost: a\r\n\r\n'.repeat(1_900))
    expect(await readAll(many)).not.toContain('200 OK')
    expect(asked.length).toBeLessThanOrEqual(2)
    expect(await client.params({})).toEqual(responses.params)
  })

  it('takes one request after another', async () => {
    const { api } = await serve()
    const socket = await dial(api, 'GET /params HTTP/1.1\r\nhost: a\r\n\r\n')
    for (let times = 0; times < 20; times++) {
      const [answered] = (await once(socket, 'data')) as [Buffer]
      expect(answered.toString()).toContain('200 OK')
      socket.write('GET /params HTTP/1.1\r\nhost: a\r\n\r\n')
    }
    socket.destroy()
  })
})

describe('slow clients', () => {
  it('are cut off in the middle of headers, and of a body', async () => {
    const { api, asked } = await serve({}, { limits: quick })
    const headers = await dial(api, 'GET /health HTTP/1.1\r\nhost: a\r\nx-slow: ')
    const drip = setInterval(() => headers.write('x'), 50)
    expect(await readAll(headers)).toMatch(/^HTTP\/1\.1 408 .*"too-slow"/s)
    clearInterval(drip)
    const body = await dial(
      api,
      'POST /transfers HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 400\r\n\r\n{',
    )
    expect(await readAll(body)).toMatch(/^HTTP\/1\.1 408 .*"too-slow"/s)
    expect(asked).toEqual([])
  })

  it('do not hold connections that carry no request', async () => {
    const { api } = await serve({}, { limits: quick })
    const silent = await dial(api, '')
    await readAll(silent)
    const idle = await dial(api, 'GET /health HTTP/1.1\r\nhost: a\r\n\r\n')
    expect(await readAll(idle)).toContain('HTTP/1.1 200')
  })
})

describe('stopping', () => {
  it('finishes what is in flight, closes idle connections and frees the port', async () => {
    const gate = new EventEmitter()
    const { api, client } = await serve({
      health: async () => {
        await once(gate, 'open')
        return answer(responses.health)
      },
    })
    const idle = await dial(api, `GET /batches/7 HTTP/1.1\r\nhost: a\r\n\r\n`)
    await once(idle, 'data')
    const inFlight = client.health()
    await new Promise((resolve) => setTimeout(resolve, 50))
    const stopped = api.stop()
    expect(api.stop()).toBe(stopped)
    await readAll(idle)
    gate.emit('open')
    expect(await inFlight).toEqual(responses.health)
    await stopped
    await expect(client.health()).rejects.toMatchObject({ code: 'unreachable' })
  })

  it('does not wait for ever', async () => {
    const { api } = await serve(
      { health: () => once(new EventEmitter(), 'never').then(() => refuse('internal')) },
      { limits: { ...quick, answerMs: 60_000 } },
    )
    const stuck = await dial(api, 'GET /health HTTP/1.1\r\nhost: a\r\n\r\n')
    const started = performance.now()
    await Promise.all([api.stop(), readAll(stuck)])
    expect(performance.now() - started).toBeLessThan(2000)
  })
})
