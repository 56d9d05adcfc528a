import { once } from 'node:events'
import { connect } from 'node:net'
import { answer, type RouteName, routes } from '@kedge/api'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { buildApi, type Responders, serveApi } from '../src/serve.ts'
import { requests, responses } from './answers.ts'

const runs = Number(process.env.KEDGE_FUZZ ?? 10_000)

const failures: unknown[] = []
const log = {
  warn: (fields: object) => void failures.push(fields),
  error: (fields: object) => void failures.push(fields),
}
const samples = (Object.keys(routes) as RouteName[]).map((name) => [name, () => answer(responses[name])])
const handlers = Object.fromEntries(samples) as Responders

const word = fc.oneof(
  fc.string({ maxLength: 70 }),
  fc.string({ unit: 'binary', maxLength: 20 }),
  fc.constantFrom(...Object.values(routes).flatMap(({ path }) => path.split('/').filter((part) => part !== ''))),
  fc.constantFrom(
    '0',
    '4294967296',
    '-1',
    '%',
    '%00',
    '%ff',
    '..',
    '.',
    '__proto__',
    'constructor',
    'ab'.repeat(32),
    'AB'.repeat(32),
  ),
  fc.nat().map(String),
)
const path = fc.array(word, { maxLength: 5 }).map((words) => `/${words.join('/')}`)
const query = fc.array(fc.tuple(fc.oneof(word, fc.constantFrom('before', 'limit')), word), { maxLength: 4 })
const json = fc.oneof(
  fc.json({ maxDepth: 4 }),
  fc.record({ transfer: word }).map((body) => JSON.stringify(body)),
  fc.string({ maxLength: 300 }),
)
const body = fc.oneof(
  json,
  fc.uint8Array({ maxLength: 600 }),
  fc.nat({ max: 5 }).map((rows) => new Uint8Array(rows * 174)),
  fc.constant(JSON.stringify(requests.submitTransfer)),
)
const headers = fc.record(
  {
    'content-type': fc.constantFrom(
      'application/json',
      'application/octet-stream',
      'APPLICATION/JSON ; x',
      'text/plain',
      ';;;',
    ),
    'content-length': fc.constantFrom('0', '-1', '1e9', '999999999', 'nan', '17'),
    origin: fc.webUrl(),
  },
  { requiredKeys: [] },
)
const request = fc.record({
  method: fc.constantFrom('GET', 'POST', 'PUT', 'HEAD', 'OPTIONS'),
  target: fc
    .tuple(path, query)
    .map(([at, pairs]) => `${at}${pairs.length > 0 ? '?' : ''}${pairs.map((pair) => pair.join('=')).join('&')}`),
  headers,
  body,
})

describe('any HTTP request', () => {
  it(
    `gets an answer of this API (${runs} requests)`,
    async () => {
      const api = buildApi({ handlers, log })
      let good = 0
      await fc.assert(
        fc.asyncProperty(request, async ({ method, target, headers: given, body: content }) => {
          const url = `http://node${target}`
          if (!URL.canParse(url)) return
          const init = { method, headers: given, ...(method === 'GET' || method === 'HEAD' ? {} : { body: content }) }
          const response = await api.fetch(new Request(url, init as RequestInit), {})
          const text = await response.text()
          if (response.ok) {
            good += 1
            return
          }
          expect([400, 404, 413]).toContain(response.status)
          if (method !== 'HEAD')
            expect(JSON.parse(text)).toMatchObject({ error: { code: expect.any(String), message: expect.any(String) } })
        }),
        { numRuns: runs },
      )
      expect(good).toBeGreaterThan(0)
      expect(failures).toEqual([])
    },
    60_000 + runs,
  )

  it(
    'also when its bytes are no HTTP',
    async () => {
      const api = await serveApi({ handlers, log, host: '127.0.0.1', port: 0 })
      const lines = fc.array(
        fc.oneof(
          fc.constantFrom(
            'GET /health HTTP/1.1',
            'POST /transfers HTTP/1.1',
            'host: a',
            'content-length: 3',
            'content-length: -3',
          ),
          fc.constantFrom(
            'transfer-encoding: chunked',
            'connection: upgrade',
            'upgrade: websocket',
            'expect: 100-continue',
            'zz',
            '',
          ),
          fc.string({ unit: 'binary', maxLength: 50 }),
        ),
        { maxLength: 8 },
      )
      await fc.assert(
        fc.asyncProperty(lines, async (sent) => {
          const socket = connect(api.port, '127.0.0.1').on('error', () => socket.destroy())
          socket.resume().end(`${sent.join('\r\n')}\r\n\r\n`)
          await once(socket, 'close')
        }),
        { numRuns: Math.ceil(runs / 50) },
      )
      expect((await fetch(`${api.url}/health`)).status).toBe(200)
      await api.stop()
      expect(failures).toEqual([])
    },
    60_000 + runs,
  )
})
