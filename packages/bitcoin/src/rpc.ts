import { readFileSync } from 'node:fs'
import { isRecord } from './answer.ts'
import { httpPost } from './http-post.ts'

/** Where a bitcoind answers, and how to log in to it. */
export interface Rpc {
  /** `http://host:port`. */
  readonly url: string
  readonly login: RpcLogin
  /** For a call that does not wait for anything. */
  readonly timeoutMs: number
}

/** bitcoind writes a new cookie at each start, so the file is read again for each call. */
export type RpcLogin = { readonly cookieFile: string } | { readonly user: string; readonly password: string }

export interface RpcCall {
  readonly method: string
  readonly params: readonly unknown[]
}

/** bitcoind's codes that say more than "it failed" (its `rpc/protocol.h`). */
export const RPC_CODES = {
  /** No such block or transaction. */
  notFound: -5,
  /** A height beyond the tip. */
  outOfRange: -8,
  /** A transaction whose inputs are missing or spent, or that burns too much. */
  transaction: -25,
  /** A transaction that policy or consensus refuses. */
  refused: -26,
  /** A transaction that stands in the chain already. */
  inChain: -27,
  /** Starting up. */
  warmup: -28,
} as const

/**
 * @throws RpcError when bitcoind answers with an error.
 * @throws RpcUnreachableError when there is no answer in time, or none that can be read.
 */
export async function callRpc(
  rpc: Rpc,
  method: string,
  params: readonly unknown[],
  timeoutMs = rpc.timeoutMs,
): Promise<unknown> {
  const answer = await post(rpc, request({ method, params }, 0), timeoutMs, method)
  return resultOf(answer, method)
}

/**
 * Several calls in one request, answered in their order.
 * @throws as `callRpc`, for the first call that fails.
 */
export async function batchRpc(rpc: Rpc, calls: readonly RpcCall[]): Promise<unknown[]> {
  const methods = calls.map(({ method }) => method).join(', ')
  const answers = await post(rpc, calls.map(request), rpc.timeoutMs, methods)
  if (!Array.isArray(answers)) throw new RpcUnreachableError(`${methods}: no list of answers`)
  const byId = new Map(answers.filter(isRecord).map((answer) => [answer.id, answer]))
  return calls.map(({ method }, id) => resultOf(byId.get(id), method))
}

/** The answer, or undefined where bitcoind refuses with exactly this code. */
export async function unlessCode(code: number, answer: Promise<unknown>): Promise<unknown> {
  try {
    return await answer
  } catch (error) {
    if (error instanceof RpcError && error.code === code) return undefined
    throw error
  }
}

function request({ method, params }: RpcCall, id: number): unknown {
  return { jsonrpc: '2.0', id, method, params }
}

function resultOf(answer: unknown, method: string): unknown {
  if (!isRecord(answer)) throw new RpcUnreachableError(`${method}: no answer`)
  const { error } = answer
  if (isRecord(error)) throw new RpcError(method, Number(error.code), String(error.message))
  if (!('result' in answer)) throw new RpcUnreachableError(`${method}: neither result nor error`)
  return answer.result
}

/** Errors come with any HTTP status; what matters is whether the body is an answer. */
async function post(rpc: Rpc, body: unknown, timeoutMs: number, methods: string): Promise<unknown> {
  const authorization = `Basic ${Buffer.from(credentials(rpc.login)).toString('base64')}`
  const posted = { authorization, body: JSON.stringify(body) }
  let status = 'no answer'
  try {
    const answer = await httpPost(rpc.url, posted, timeoutMs, () => {
      status = `no answer in ${timeoutMs} ms`
      return new Error(status)
    })
    status = answer.status === 401 ? 'the login is wrong' : `HTTP ${answer.status}`
    return JSON.parse(answer.text)
  } catch (cause) {
    throw new RpcUnreachableError(`${methods} at ${rpc.url}: ${status}`, { cause })
  }
}

/** The cookie is one line on this machine: to hand its reading to other threads takes longer than to read it. */
function credentials(login: RpcLogin): string {
  if ('user' in login) return `${login.user}:${login.password}`
  try {
    return readFileSync(login.cookieFile, 'utf8')
  } catch (cause) {
    throw new RpcUnreachableError(`no cookie at ${login.cookieFile}: bitcoind is not running, or runs elsewhere`, {
      cause,
    })
  }
}

/** bitcoind understood the call and refused it. */
export class RpcError extends Error {
  override readonly name = 'RpcError'
  readonly code: number
  /** As bitcoind words it. */
  readonly reason: string

  constructor(method: string, code: number, reason: string) {
    super(`${method}: ${reason} (${code})`)
    this.code = code
    this.reason = reason
  }
}

/** bitcoind could not be asked: worth trying again. */
export class RpcUnreachableError extends Error {
  override readonly name = 'RpcUnreachableError'
}
