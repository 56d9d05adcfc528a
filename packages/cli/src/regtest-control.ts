import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { ConfigError } from './config-error.ts'
import { readSecretText } from './text-file.ts'

/** How commands reach a regtest network that runs: over HTTP on this machine, at an address that its state file names. */

/** What one call may ask for, from and to: blocks, and satoshis. */
export const REGTEST_LIMITS = { mine: [1, 1000], reorg: [1, 100], fund: [330, 1_000_000_000] } as const

function within([min, max]: readonly [number, number]) {
  return z.int().min(min).max(max)
}

const hash = z.string().regex(/^[0-9a-f]{64}$/)
const blocks = z.object({ hashes: z.array(hash) })

/** By path: what is asked for, and what is answered. Hashes as Bitcoin shows them. */
export const regtestCalls = {
  status: { request: z.strictObject({}), response: z.object({ pid: z.int(), apis: z.array(z.string()) }) },
  mine: { request: z.strictObject({ blocks: within(REGTEST_LIMITS.mine) }), response: blocks },
  /** Replaces the newest `depth` blocks by `blocks` others, which hold the same transactions where they fit. */
  reorg: {
    request: z.strictObject({ depth: within(REGTEST_LIMITS.reorg), blocks: z.int().min(1).max(200) }),
    response: blocks,
  },
  /** Pays `sats` to a Bitcoin address; the output is in the mempool. */
  fund: {
    request: z.strictObject({ to: z.string().max(100), sats: within(REGTEST_LIMITS.fund) }),
    response: z.object({ txid: hash, vout: z.int() }),
  },
} as const

type Calls = typeof regtestCalls
export type RegtestCall = keyof Calls
export type RegtestRequest<C extends RegtestCall> = z.output<Calls[C]['request']>
export type RegtestResponse<C extends RegtestCall> = z.output<Calls[C]['response']>

/** What a running network leaves in its data folder. */
const regtestState = z.strictObject({
  /** Where it takes calls, and what shows that a caller may. */
  url: z.url(),
  token: z.string(),
  /** Its bitcoind's RPC, for whoever has to clear up after it. */
  bitcoind: z.url(),
})
export type RegtestState = z.output<typeof regtestState>

const refusal = z.object({ error: z.string() })

export function stateFileOf(dataFolder: string): string {
  return join(dataFolder, 'regtest.json')
}

/** @throws ConfigError when no network runs in this folder; RegtestError when it refuses or does not answer. */
export async function callRegtest<C extends RegtestCall>(
  dataFolder: string,
  name: C,
  request: RegtestRequest<C>,
): Promise<RegtestResponse<C>> {
  const { url, token } = readState(dataFolder)
  const { status, body } = await post(`${url}/${name}`, token, request)
  const refused = refusal.safeParse(body)
  if (refused.success) throw new RegtestError(refused.data.error)
  const answered = regtestCalls[name].response.safeParse(body)
  if (!answered.success)
    throw new RegtestError(`the network answered ${name} with HTTP status ${status} and nothing that can be read`)
  return answered.data as RegtestResponse<C>
}

/** Undefined when no network runs in this folder, and none has ended there without clearing up. @throws ConfigError */
export function readRegtestState(dataFolder: string): RegtestState | undefined {
  const file = stateFileOf(dataFolder)
  if (!existsSync(file)) return undefined
  try {
    return regtestState.parse(JSON.parse(readSecretText(file)))
  } catch (cause) {
    throw new ConfigError(`${file}: this is no state of a regtest network; delete it if none runs there`, { cause })
  }
}

function readState(dataFolder: string): RegtestState {
  const state = readRegtestState(dataFolder)
  if (state !== undefined) return state
  throw new ConfigError(
    `no regtest network runs in ${dataFolder}: start one with npm start, or name its folder with --data`,
  )
}

async function post(url: string, token: string, request: unknown): Promise<{ status: number; body: unknown }> {
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
  try {
    const response = await fetch(url, {
      method: 'POST',
      headers,
      body: JSON.stringify(request),
      signal: AbortSignal.timeout(60_000),
    })
    return { status: response.status, body: await response.json() }
  } catch (cause) {
    throw new RegtestError('the regtest network does not answer: it may have ended without leaving word', { cause })
  }
}

/** The running network refused, or could not be asked. */
export class RegtestError extends Error {
  override readonly name = 'RegtestError'
}
