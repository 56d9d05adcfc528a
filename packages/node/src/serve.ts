import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import { type AddressInfo, isIPv6 } from 'node:net'
import { getRequestListener, type HttpBindings, RequestError } from '@hono/node-server'
import {
  type Answer,
  answer,
  detailsOf,
  errorBodyOf,
  type Fault,
  findRowsFault,
  isBinary,
  overloaded,
  type Route,
  type RouteName,
  type RouteRequest,
  type RouteResponse,
  refuse,
  routes,
  statusOf,
} from '@kedge/api'
import { type Context, Hono } from 'hono'
import { cors } from 'hono/cors'
import { jsonHeaders, refuseByHand } from './http-refusals.ts'
import type { Submitter } from './intake.ts'
import { clientOf, openPlaces, type PlaceLimits, type Places } from './places.ts'

/** What answers each route. A refusal is a value; whatever is thrown becomes `internal` and goes to the log. */
export type Responders = {
  readonly [N in RouteName]: (
    request: RouteRequest<N>,
    from?: Submitter,
  ) => Answer<RouteResponse<N>> | Promise<Answer<RouteResponse<N>>>
}

/** Where serving reports what clients are not told. */
export interface ServeLog {
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}

export interface ServeLimits extends PlaceLimits {
  readonly jsonBytes: number
  readonly binaryBytes: number
  readonly headerBytes: number
  /** For all of a request's bytes to arrive, counted from the first; headers get half of it. */
  readonly requestMs: number
  /** For a responder to answer; after it the client is told to come again. */
  readonly answerMs: number
  /** A connection without a request is closed after this. */
  readonly idleMs: number
  /** At a stop: for requests in flight to be finished. */
  readonly graceMs: number
}

/**
 * What is submitted as JSON is some 370 bytes. A full binary request is 174,000 bytes. A thousand connections of 256 KiB
 * bodies stay below 256 MiB.
 */
export const defaultServeLimits: ServeLimits = {
  jsonBytes: 2 * 1024,
  binaryBytes: 256 * 1024,
  headerBytes: 8 * 1024,
  connections: 1000,
  addressConnections: 100,
  requestMs: 10_000,
  answerMs: 20_000,
  takeMs: 30_000,
  idleMs: 5_000,
  graceMs: 5_000,
}

export interface ApiOptions {
  readonly handlers: Responders
  readonly log: ServeLog
  /** Web pages of these origins may call the API from a browser. None, unless given. */
  readonly origins?: readonly string[]
  readonly limits?: ServeLimits
}

export interface ServeOptions extends ApiOptions {
  readonly host: string
  /** 0 takes a free one. */
  readonly port: number
}

export interface ServedApi {
  readonly url: string
  readonly port: number
  /** Takes no more requests, lets those in flight finish, closes every connection. */
  stop(): Promise<void>
}

/** @throws ListenError when the address can't be listened on. */
export async function serveApi(options: ServeOptions): Promise<ServedApi> {
  const { host, log } = options
  const limits = options.limits ?? defaultServeLimits
  const server = openServer(buildApi(options), limits, log)
  refuseByHand(server)
  server.listen(options.port, host)
  try {
    await once(server, 'listening')
  } catch (error) {
    throw new ListenError(`${host}:${options.port}`, { cause: error })
  }
  server.on('error', (error) => log.error({ err: error }, 'the HTTP server failed'))
  const { port } = server.address() as AddressInfo
  let stopped: Promise<void> | undefined
  const stop = () => {
    stopped ??= stopServer(server, limits.graceMs)
    return stopped
  }
  return { url: `http://${isIPv6(host) ? `[${host}]` : host}:${port}`, port, stop }
}

/** Between two complaints about too many connections. */
const TELL_MS = 60_000

function openServer(api: Hono<Api>, limits: ServeLimits, log: ServeLog): Server {
  const serverOptions = {
    // The adapter misses it too, and its complaint is answered in the API's own form.
    requireHostHeader: false,
    maxHeaderSize: limits.headerBytes,
    headersTimeout: limits.requestMs / 2,
    requestTimeout: limits.requestMs,
    keepAliveTimeout: limits.idleMs,
    connectionsCheckingInterval: Math.max(100, limits.requestMs / 10),
  }
  const errorHandler = (error: unknown) => {
    // No request could be made of what was sent: its host or its target is none.
    if (error instanceof RequestError) return faultResponse({ code: 'bad-request', details: { url: error.message } })
    log.error({ err: error }, 'a request failed')
    return faultResponse({ code: 'internal' })
  }
  let told = Number.NEGATIVE_INFINITY
  const tellLeft = (left: number) => {
    // Not once a connection: an attack makes thousands a second.
    if (performance.now() - told < TELL_MS) return
    told = performance.now()
    log.warn({ left, limit: limits.connections }, 'too many connections, closing idle ones')
  }
  const places = openPlaces(limits, tellLeft, (error) => log.error({ err: error }, 'a request was not answered'))
  const { credit } = places
  // The global Request and Response stay the platform's: other parts of the process use them.
  const listener = getRequestListener((request, { incoming }) => api.fetch(request, { incoming, credit }), {
    overrideGlobalObjects: false,
    errorHandler,
  })
  const server = createServer(serverOptions, (incoming, outgoing) =>
    places.serve(incoming, outgoing, async () => listener(incoming, outgoing)),
  )
  server.on('connection', (socket) => places.enter(socket))
  // A client that does not read its answer keeps a socket silent for this long at most.
  server.timeout = limits.requestMs + limits.answerMs
  return server
}

interface Bindings extends Pick<HttpBindings, 'incoming'> {
  readonly credit: Places['credit']
}

/** Nothing where a request comes without a connection. */
interface Api {
  readonly Bindings: Partial<Bindings>
}

/** The API without its server: `fetch` takes a Request and gives a Response. */
export function buildApi({ handlers, log, origins = [], limits = defaultServeLimits }: ApiOptions): Hono<Api> {
  const api = new Hono<Api>()
  if (origins.length > 0) {
    api.use(cors({ origin: [...origins], allowMethods: ['GET', 'POST'], allowHeaders: ['content-type'], maxAge: 600 }))
  }
  for (const [name, route] of Object.entries<Route>(routes)) {
    const respond = handlers[name as RouteName] as (
      request: unknown,
      from: Submitter | undefined,
    ) => Answer<unknown> | Promise<Answer<unknown>>
    api.on(route.method, route.path, async (context) => {
      const request = await readRequest(context, route, limits)
      if (!request.ok) return faultResponse(request.fault)
      const answered = await answerInTime(
        name,
        () => respond(request.value, submitterOf(context)),
        limits.answerMs,
        log,
      )
      if (!answered.ok) return faultResponse(answered.fault)
      const body = route.response.encode(answered.value)
      return route.text === undefined ? jsonResponse(200, body) : textResponse(route.text, body as string)
    })
  }
  api.notFound(() => faultResponse({ code: 'not-found' }))
  api.onError((error, context) => {
    log.error({ err: error, method: context.req.method, path: context.req.path }, 'a request failed')
    return faultResponse({ code: 'internal' })
  })
  return api
}

function submitterOf({ env }: Context<Api>): Submitter | undefined {
  const { incoming, credit } = env
  if (incoming === undefined || credit === undefined) return undefined
  const { socket } = incoming
  const address = clientOf(socket.remoteAddress) ?? 'local'
  return { connection: socket, address, credit: (rows) => credit(socket, rows) }
}

async function readRequest(context: Context<Api>, route: Route, limits: ServeLimits): Promise<Answer<unknown>> {
  const params = route.params?.safeDecode(context.req.param())
  if (params?.success === false) return refuse('bad-request', detailsOf(params.error))
  const query = readQuery(context, route)
  if (!query.ok) return query
  const body = await readBody(context, route, limits)
  return body.ok ? answer({ ...params?.data, ...query.value, ...body.value }) : body
}

function readQuery(context: Context<Api>, route: Route): Answer<Record<string, unknown>> {
  const all = Object.entries(context.req.queries())
  const twice = all.find(([, values]) => values.length > 1)
  if (twice !== undefined) return refuse('bad-request', { [twice[0].slice(0, 100)]: 'is given twice' })
  if (route.query === undefined) {
    const [unknown] = all
    return unknown === undefined
      ? answer({})
      : refuse('bad-request', { [unknown[0].slice(0, 100)]: 'is not known here' })
  }
  const query = route.query.safeDecode(Object.fromEntries(all.map(([name, [value = '']]) => [name, value])))
  return query.success ? answer(query.data) : refuse('bad-request', detailsOf(query.error))
}

async function readBody(
  context: Context<Api>,
  route: Route,
  limits: ServeLimits,
): Promise<Answer<Record<string, unknown>>> {
  if (route.body === undefined) return answer({})
  const binary = isBinary(route.body)
  const expected = binary ? 'application/octet-stream' : 'application/json'
  const [type = ''] = (context.req.header('content-type') ?? '').split(';')
  if (type.trim().toLowerCase() !== expected) return refuse('bad-request', { 'content-type': `must be ${expected}` })
  const bytes = await readBytes(context, binary ? limits.binaryBytes : limits.jsonBytes)
  if (!bytes.ok) return bytes
  if (isBinary(route.body)) {
    const fault = findRowsFault(route.body, bytes.value.length)
    return fault === undefined ? answer({ bytes: bytes.value }) : refuse('bad-request', { bytes: fault })
  }
  const json = parseJson(bytes.value)
  if (!json.ok) return json
  const body = route.body.safeDecode(json.value as Record<string, unknown>)
  return body.success ? answer(body.data) : refuse('bad-request', detailsOf(body.error))
}

/** A body that says its length is refused or read whole; one that doesn't is read until it is too long. */
async function readBytes(context: Context<Api>, limit: number): Promise<Answer<Uint8Array>> {
  const tooLarge = refuse('too-large', { maxBytes: limit })
  const length = context.req.header('content-length')
  if (length !== undefined && !(Number(length) <= limit)) return tooLarge
  try {
    if (length !== undefined) return answer(new Uint8Array(await context.req.arrayBuffer()))
    // Not chunk by chunk: those of one byte would take a hundred times their room.
    let body = new Uint8Array(1024)
    let size = 0
    let chunks = 0
    for await (const chunk of context.req.raw.body ?? []) {
      if (++chunks > MOST_CHUNKS) return refuse('bad-request', { body: 'comes in too many pieces: say its length' })
      if (size + chunk.length > limit) return tooLarge
      if (size + chunk.length > body.length) body = enlarged(body, Math.min(limit, 2 * (size + chunk.length)))
      body.set(chunk, size)
      size += chunk.length
    }
    return answer(body.subarray(0, size))
  } catch (error) {
    return refuse('bad-request', { body: `broke off: ${error instanceof Error ? error.message : String(error)}` })
  }
}

/** Each costs some 3 µs, however short it is: a body of a megabyte in chunks of one byte took most of a second. */
const MOST_CHUNKS = 1024

function enlarged(bytes: Uint8Array, size: number): Uint8Array<ArrayBuffer> {
  const larger = new Uint8Array(size)
  larger.set(bytes)
  return larger
}

function parseJson(bytes: Uint8Array): Answer<unknown> {
  try {
    return answer(JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)))
  } catch (error) {
    return refuse('bad-request', { body: error instanceof SyntaxError ? 'is not JSON' : 'is not UTF-8' })
  }
}

/** An answer that takes too long is left to end by itself: what it does may already be durable. */
async function answerInTime(
  route: string,
  respond: () => Answer<unknown> | Promise<Answer<unknown>>,
  answerMs: number,
  log: ServeLog,
): Promise<Answer<unknown>> {
  const answered = respond()
  if (!(answered instanceof Promise)) return answered
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<Answer<never>>((resolve) => {
    timer = setTimeout(() => {
      log.warn({ route, answerMs }, 'a request was not answered in time')
      answered.catch((error: unknown) => log.error({ err: error, route }, 'a late request failed'))
      resolve(overloaded(1000))
    }, answerMs)
  })
  try {
    return await Promise.race([answered, late])
  } finally {
    clearTimeout(timer)
  }
}

function jsonResponse(status: number, body: unknown, headers?: Record<string, string>): Response {
  return new Response(JSON.stringify(body), { status, headers: { ...jsonHeaders, ...headers } })
}

function textResponse(type: string, text: string): Response {
  return new Response(text, { headers: { ...jsonHeaders, 'content-type': type } })
}

function faultResponse(fault: Fault): Response {
  const retryAfterMs = fault.details?.retryAfterMs
  const headers = typeof retryAfterMs === 'number' ? { 'retry-after': String(Math.ceil(retryAfterMs / 1000)) } : {}
  return jsonResponse(statusOf(fault.code), errorBodyOf(fault), headers)
}

/** A connection that was busy when the server closed becomes idle with its answer, and has to be closed by hand. */
async function stopServer(server: Server, graceMs: number): Promise<void> {
  const closed = once(server, 'close')
  server.close()
  const poll = setInterval(() => server.closeIdleConnections(), 25)
  const force = setTimeout(() => server.closeAllConnections(), graceMs)
  await closed
  clearInterval(poll)
  clearTimeout(force)
}

export class ListenError extends Error {
  override readonly name = 'ListenError'

  constructor(address: string, { cause }: { cause: unknown }) {
    super(`cannot listen on ${address}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause })
  }
}
