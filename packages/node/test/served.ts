import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { answer, createClient, type RouteName, routes } from '@kedge/api'
import { afterEach } from 'vitest'
import { openPlaces, type PlaceLimits } from '../src/places.ts'
import { defaultServeLimits, type Responders, type ServedApi, type ServeOptions, serveApi } from '../src/serve.ts'
import { responses } from './answers.ts'

const served: ServedApi[] = []
const servers: Server[] = []

afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.close()
    server.closeAllConnections()
  }
  await Promise.all(served.splice(0).map((api) => api.stop()))
})

/** Has requests answered that have a place, without the API. @param failed why requests were not answered */
export async function listen(limits: PlaceLimits, respond: Respond, failed: unknown[] = []) {
  const places = openPlaces(
    limits,
    () => undefined,
    (error) => failed.push(error),
  )
  const server = createServer((incoming, outgoing) =>
    places.serve(incoming, outgoing, () => respond(incoming, outgoing)),
  )
  servers.push(server)
  server.on('connection', (socket) => places.enter(socket))
  await once(server.listen(0, '127.0.0.1'), 'listening')
  return { server, port: (server.address() as AddressInfo).port }
}

type Respond = (incoming: IncomingMessage, outgoing: ServerResponse) => Promise<unknown>

interface Entry {
  level: 'warn' | 'error'
  fields: Record<string, unknown>
  message: string
}

/** Answers each route with its sample, unless told otherwise; keeps what it was asked and what was logged. */
export async function serve(changes: Partial<Responders> = {}, options: Partial<ServeOptions> = {}) {
  const asked: [string, unknown][] = []
  const logged: Entry[] = []
  const names = Object.keys(routes) as RouteName[]
  const samples = names.map((name) => [
    name,
    (request: unknown) => {
      asked.push([name, request])
      return answer(responses[name])
    },
  ])
  const write = (level: Entry['level']) => (fields: object, message: string) =>
    void logged.push({ level, fields: { ...fields }, message })
  const handlers = { ...(Object.fromEntries(samples) as Responders), ...changes }
  const log = { warn: write('warn'), error: write('error') }
  const api = await serveApi({ handlers, log, host: '127.0.0.1', port: 0, ...options })
  served.push(api)
  return { api, asked, logged, client: createClient(api.url) }
}

export const quick = { ...defaultServeLimits, requestMs: 400, idleMs: 200, answerMs: 150, takeMs: 400, graceMs: 300 }

/** Everything the server sends on a connection until it closes it. */
export async function readAll(socket: Socket): Promise<string> {
  let text = ''
  socket.on('data', (chunk) => {
    text += chunk
  })
  socket.on('error', (error) => {
    text += `\n${error.message}`
  })
  if (!socket.closed) await once(socket, 'close')
  return text
}

export async function dial(api: ServedApi, first: string, host = '127.0.0.1'): Promise<Socket> {
  const socket = connect(api.port, host)
  await once(socket, 'connect')
  socket.write(first)
  return socket
}
