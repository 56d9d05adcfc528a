import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { batchRpc, callRpc, type Rpc, RpcError, type RpcLogin, RpcUnreachableError } from '../src/rpc.ts'

/** How a bitcoind behaves is tested with a real one; here are the answers that a healthy one never gives. */

let server: Server | undefined
afterEach(() => server?.close())

/** A server that answers every request alike, and notes its authorization. */
async function serve(
  status: number,
  body: string,
  login: RpcLogin = { user: 'u', password: 'p' },
): Promise<{ rpc: Rpc; seen: string[] }> {
  const seen: string[] = []
  server = createServer((request, response) => {
    seen.push(request.headers.authorization ?? '')
    response.writeHead(status).end(body)
  }).listen(0, '127.0.0.1')
  await new Promise((resolve) => server?.once('listening', resolve))
  const { port } = server.address() as AddressInfo
  return { rpc: { url: `http://127.0.0.1:${port}`, login, timeoutMs: 1_000 }, seen }
}

const basic = (text: string): string => `Basic ${Buffer.from(text).toString('base64')}`

describe('a call', () => {
  test("gives the result, with the user's login", async () => {
    const { rpc, seen } = await serve(200, '{"id":0,"result":[1]}')
    expect(await callRpc(rpc, 'm', [])).toEqual([1])
    expect(seen).toEqual([basic('u:p')])
  })

  test('reads the cookie again each time', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'kedge-'))
    const cookieFile = join(folder, '.cookie')
    const { rpc, seen } = await serve(200, '{"id":0,"result":null}', { cookieFile })
    await expect(callRpc(rpc, 'm', [])).rejects.toThrow(/no cookie at .* not running/)
    for (const cookie of ['one', 'two']) {
      await writeFile(cookieFile, cookie)
      expect(await callRpc(rpc, 'm', [])).toBeNull()
    }
    expect(seen).toEqual([basic('one'), basic('two')])
    await rm(folder, { recursive: true })
  })

  test.each([200, 500])("with an error inside HTTP %i is bitcoind's refusal", async (status) => {
    const { rpc } = await serve(status, '{"id":0,"result":null,"error":{"code":-26,"message":"min relay fee not met"}}')
    const error = await callRpc(rpc, 'send', []).catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(RpcError)
    expect(error).toMatchObject({
      code: -26,
      reason: 'min relay fee not met',
      message: 'send: min relay fee not met (-26)',
    })
  })

  test.each([
    [401, '', /the login is wrong/],
    [503, 'Work queue depth exceeded', /HTTP 503/],
    [200, '', /HTTP 200/],
    [200, '[]', /no answer/],
    [200, '{"id":0}', /neither result nor error/],
  ])('that gets HTTP %i and %j is worth trying again', async (status, body, message) => {
    const { rpc } = await serve(status, body)
    const error = await callRpc(rpc, 'm', []).catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(RpcUnreachableError)
    expect(String(error)).toMatch(message)
  })

  test('to nobody, and one that nobody answers, end in time', async () => {
    const { rpc } = await serve(200, '')
    server?.removeAllListeners('request')
    await expect(callRpc({ ...rpc, timeoutMs: 50 }, 'm', [])).rejects.toThrow(/no answer in 50 ms/)
    await expect(callRpc({ ...rpc, url: 'http://127.0.0.1:1' }, 'm', [])).rejects.toBeInstanceOf(RpcUnreachableError)
  })

  test('whose answer stops in the middle ends too: when time is over, and at once where the connection does', async () => {
    const { rpc } = await serve(200, '')
    const begin = (end: (response: ServerResponse) => void) =>
      server?.removeAllListeners('request').once('request', (_, response: ServerResponse) => {
        response.writeHead(200).write('{"id":0,')
        end(response)
      })
    begin(() => undefined)
    await expect(callRpc({ ...rpc, timeoutMs: 50 }, 'm', [])).rejects.toThrow(/no answer in 50 ms/)
    begin((response) => setImmediate(() => response.destroy()))
    await expect(callRpc({ ...rpc, timeoutMs: 60_000 }, 'm', [])).rejects.toBeInstanceOf(RpcUnreachableError)
  })

  test('uses the connection of the one before', async () => {
    const { rpc } = await serve(200, '{"id":0,"result":1}')
    let connections = 0
    server?.on('connection', () => {
      connections += 1
    })
    for (let times = 0; times < 5; times++) await callRpc(rpc, 'm', [])
    expect(connections).toBe(1)
  })
})

describe('a batch', () => {
  const calls = ['a', 'b'].map((method) => ({ method, params: [] }))

  test('is answered in its own order', async () => {
    const { rpc } = await serve(200, '[{"id":1,"result":"second"},{"id":0,"result":"first"}]')
    expect(await batchRpc(rpc, calls)).toEqual(['first', 'second'])
  })

  test('fails with the call that failed', async () => {
    const { rpc } = await serve(200, '[{"id":0,"result":1},{"id":1,"error":{"code":-5,"message":"none"}}]')
    await expect(batchRpc(rpc, calls)).rejects.toThrow('b: none (-5)')
  })

  test.each(['{"id":0,"result":1}', '[{"id":0,"result":1}]', '[null,1]'])(
    'answered %s is not answered',
    async (body) => {
      const { rpc } = await serve(200, body)
      await expect(batchRpc(rpc, calls)).rejects.toBeInstanceOf(RpcUnreachableError)
    },
  )
})
