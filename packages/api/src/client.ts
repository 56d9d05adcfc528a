import { z } from 'zod'
import { type Details, type ErrorCode, errorBody, messageOf } from './errors.ts'
import { findRowsFault, isBinary, type Route } from './route.ts'
import { type RouteName, type RouteRequest, type RouteResponse, type Routes, routes } from './routes.ts'

export interface ClientOptions {
  /** What sends the requests; the platform's own where it is not given. */
  readonly fetch?: typeof fetch
  /** Ends all of this client's requests. */
  readonly signal?: AbortSignal
  /** From sending a request to the last byte of its answer. */
  readonly timeoutMs?: number
}

export interface CallOptions {
  readonly signal?: AbortSignal
}

type Call<N extends RouteName> = keyof RouteRequest<N> extends never
  ? (request?: Record<never, never>, options?: CallOptions) => Promise<RouteResponse<N>>
  : (request: RouteRequest<N>, options?: CallOptions) => Promise<RouteResponse<N>>

/** One function a route. Each throws ApiError, or the reason of the signal that ended it. */
export type Client = { readonly [N in RouteName]: Call<N> } & { readonly baseUrl: string }

const TIMEOUT_MS = 30_000

/** No answer of the API is longer: the largest is a proof with a 1 MB transaction in hex. */
const ANSWER_BYTES_MAX = 8 * 2 ** 20

/**
 * A client for the node at `baseUrl`. What it sends and what it receives are both checked against the routes, so a
 * node that answers with anything else is an error and never a value.
 *
 * @throws TypeError when `baseUrl` is not an http(s) URL.
 */
export function createClient(baseUrl: string, options: ClientOptions = {}): Client {
  const base = new URL(baseUrl)
  if (!/^https?:$/.test(base.protocol)) throw new TypeError(`${baseUrl} is not an http or https URL`)
  const prefix = `${base.origin}${base.pathname.replace(/\/+$/, '')}`
  const calls = Object.entries(routes).map(([name, route]) => [
    name,
    (request: Request = {}, call: CallOptions = {}) => ask(prefix, route, request, options, call),
  ])
  return { ...Object.fromEntries(calls), baseUrl: prefix } as Client
}

type Request = Readonly<Record<string, unknown>>

async function ask(
  prefix: string,
  route: Routes[RouteName],
  request: Request,
  options: ClientOptions,
  call: CallOptions,
): Promise<unknown> {
  const url = prefix + targetOf(route, request)
  const content = contentOf(route, request)
  const signals = [options.signal, call.signal].filter((signal) => signal !== undefined)
  const timeoutMs = options.timeoutMs ?? TIMEOUT_MS
  const deadline = startDeadline(timeoutMs, signals)
  try {
    const init = { ...content, method: route.method, redirect: 'manual', signal: deadline.signal } as const
    const response = await (options.fetch ?? fetch)(url, init)
    const text = await readText(response, url)
    return response.ok ? readAnswer(route, text, url) : throwError(response.status, text, url)
  } catch (error) {
    if (error instanceof ApiError) throw error
    for (const { aborted, reason } of signals) if (aborted) throw reason
    const why = deadline.signal.aborted ? `no answer within ${timeoutMs} ms` : causeOf(error)
    throw new ApiError(`Cannot reach the node at ${url}: ${why}.`, { cause: error, code: 'unreachable', url })
  } finally {
    deadline.end()
  }
}

/** A signal that follows others and the clock. `end` frees what it holds: thousands of calls may share one signal. */
function startDeadline(timeoutMs: number, signals: readonly AbortSignal[]) {
  const controller = new AbortController()
  const abort = () => controller.abort()
  const timer = setTimeout(abort, timeoutMs)
  for (const signal of signals) {
    if (signal.aborted) abort()
    signal.addEventListener('abort', abort)
  }
  const end = () => {
    clearTimeout(timer)
    for (const signal of signals) signal.removeEventListener('abort', abort)
  }
  return { signal: controller.signal, end }
}

/** Path and query; a value that the route does not allow is refused before anything is sent. */
function targetOf(route: Route, request: Request): string {
  const params = encodePart(route.params, request, route.path)
  const path = route.path.replace(/:(\w+)/g, (_, name: string) => encodeURIComponent(String(params[name])))
  const query = new URLSearchParams()
  for (const [name, value] of Object.entries(encodePart(route.query, request, route.path))) {
    if (value !== undefined) query.set(name, String(value))
  }
  return query.size === 0 ? path : `${path}?${query}`
}

function contentOf(
  route: Route,
  request: Request,
): { body?: string | Uint8Array<ArrayBuffer>; headers?: Record<string, string> } {
  if (route.body === undefined) return {}
  if (!isBinary(route.body)) {
    const body = JSON.stringify(encodePart(route.body, request, route.path))
    return { body, headers: { 'content-type': 'application/json' } }
  }
  const { bytes } = request
  const fault = bytes instanceof Uint8Array ? findRowsFault(route.body, bytes.length) : 'must be a Uint8Array'
  if (fault !== undefined) throw badRequest(route.path, { bytes: fault })
  return { body: bytes as Uint8Array<ArrayBuffer>, headers: { 'content-type': 'application/octet-stream' } }
}

function encodePart(schema: z.ZodObject | undefined, request: Request, path: string): Record<string, unknown> {
  if (schema === undefined) return {}
  const fields = Object.fromEntries(Object.keys(schema.shape).map((name) => [name, request[name]]))
  const encoded = z.safeEncode(schema, fields)
  if (!encoded.success) throw badRequest(path, detailsOf(encoded.error))
  return encoded.data
}

/** What is wrong with a request, field by field. */
export function detailsOf(error: z.core.$ZodError): Details {
  const entries = error.issues.slice(0, 10).map((issue) => [issue.path.join('.') || 'request', issue.message])
  return Object.fromEntries(entries.map(([field = '', message = '']) => [field.slice(0, 100), message.slice(0, 200)]))
}

async function readText(response: Response, url: string): Promise<string> {
  const decoder = new TextDecoder()
  let text = ''
  let size = 0
  for (const reader = response.body?.getReader(); reader !== undefined; ) {
    const { done, value } = await reader.read()
    if (done) break
    size += value.length
    if (size > ANSWER_BYTES_MAX) {
      await reader.cancel()
      throw badAnswer(url, `its answer is longer than ${ANSWER_BYTES_MAX} bytes`)
    }
    text += decoder.decode(value, { stream: true })
  }
  return text + decoder.decode()
}

function readAnswer(route: Route, text: string, url: string): unknown {
  const decoded = z.safeDecode(route.response, route.text === undefined ? parseJson(text, url) : text)
  if (decoded.success) return decoded.data
  const [[field, message] = []] = Object.entries(detailsOf(decoded.error))
  throw badAnswer(url, `in its answer ${field} ${message}`)
}

function throwError(status: number, text: string, url: string): never {
  const decoded = errorBody.safeParse(parseJson(text, url))
  if (!decoded.success) throw badAnswer(url, `it answered with HTTP status ${status} and no error of this API`)
  const { code, message, details } = decoded.data.error
  throw new ApiError(message, { code, url, details })
}

function parseJson(text: string, url: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw badAnswer(url, 'its answer is not JSON', error)
  }
}

function badAnswer(url: string, why: string, cause?: unknown): ApiError {
  return new ApiError(`What answers at ${url} is not a Kedge node of this version: ${why}.`, {
    cause,
    code: 'bad-answer',
    url,
  })
}

function badRequest(url: string, details: Details): ApiError {
  const wrong = Object.entries(details).map(([field, message]) => `${field} ${message}`)
  return new ApiError(`${messageOf('bad-request')} ${wrong.join('; ')}.`, { code: 'bad-request', url, details })
}

/** fetch wraps what went wrong ("fetch failed") around the error that says it (ECONNREFUSED 127.0.0.1:1). */
function causeOf(error: unknown): string {
  const inner = error instanceof Error && error.cause instanceof Error ? error.cause : error
  return inner instanceof Error ? inner.message || ('code' in inner ? String(inner.code) : inner.name) : String(inner)
}

/** `unreachable`: nobody answered. `bad-answer`: somebody did who does not speak this API. Others come from the node. */
export type ApiErrorCode = ErrorCode | 'unreachable' | 'bad-answer'

export class ApiError extends Error {
  override readonly name = 'ApiError'
  readonly code: ApiErrorCode
  readonly url: string
  readonly details: Details

  constructor(message: string, about: ErrorFacts) {
    super(message, about.cause === undefined ? undefined : { cause: about.cause })
    this.code = about.code
    this.url = about.url
    this.details = about.details ?? {}
  }
}

interface ErrorFacts {
  readonly code: ApiErrorCode
  readonly url: string
  readonly details?: Details | undefined
  readonly cause?: unknown
}
