import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { rmSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { printHash } from '@kedge/bitcoin'
import {
  type RegtestCall,
  type RegtestRequest,
  type RegtestResponse,
  type RegtestState,
  regtestCalls,
  stateFileOf,
} from '@kedge/cli'
import { blocksToAnchor } from '@kedge/sequencer'
import type { RegtestNetwork } from './network.ts'

/** Lets `kedge regtest` reach a running network: on this machine alone, for whoever can read its state file. */
export interface Control {
  close(): Promise<void>
}

type Act = { readonly [C in RegtestCall]: (request: RegtestRequest<C>) => Promise<RegtestResponse<C>> }

const REQUEST_BYTES_MAX = 4096

export async function openControl(network: RegtestNetwork): Promise<Control> {
  const token = randomBytes(16).toString('hex')
  const act = actionsOn(network)
  let last = Promise.resolve()
  // One after another: two payments at once would spend the same coins.
  const server = createServer((request, response) => {
    last = last.then(() => respond(request, response, token, act))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const file = stateFileOf(network.folder)
  const state: RegtestState = { url: urlOf(server), token, bitcoind: network.bitcoind.rpc.url }
  rmSync(file, { force: true })
  writeFileSync(file, `${JSON.stringify(state)}\n`, { mode: 0o600 })
  return {
    close: async () => {
      rmSync(file)
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

function actionsOn(network: RegtestNetwork): Act {
  const { bitcoind, running } = network
  return {
    status: async () => ({ pid: process.pid, apis: running.map(({ ready }) => ready.api) }),
    mine: async ({ blocks }) => ({ hashes: (await mineInSteps(network, blocks)).map(printHash) }),
    reorg: async ({ depth, blocks }) => ({ hashes: (await bitcoind.reorg(depth, blocks)).map(printHash) }),
    fund: async ({ to, sats }) => {
      const { txid, vout } = await bitcoind.fund(to, BigInt(sats))
      return { txid: printHash(txid), vout }
    },
  }
}

/** Blocks that come at once, and the time that the sequencer then has to anchor: E blocks without a batch end the chain. */
const STEP_BLOCKS = 100
const STEP_MS = 1500

/** Blocks that come slowly first, where a bond answers for promises: time for what was promised before to be anchored. */
const SLOW_BLOCKS = 10

async function mineInSteps(network: RegtestNetwork, blocks: number): Promise<Uint8Array[]> {
  const { params, bitcoind } = network
  const slow = params.bond === undefined ? 0 : SLOW_BLOCKS
  const most = (mined: number) => (mined < slow ? blocksToAnchor(params) : STEP_BLOCKS)
  const hashes = await bitcoind.mine(Math.min(blocks, most(0)))
  while (hashes.length < blocks) {
    await network.synced()
    await sleep(STEP_MS)
    hashes.push(...(await bitcoind.mine(Math.min(blocks - hashes.length, most(hashes.length)))))
  }
  return hashes
}

async function respond(request: IncomingMessage, response: ServerResponse, token: string, act: Act): Promise<void> {
  const { status, body } = await answer(request, token, act)
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}

async function answer(request: IncomingMessage, token: string, act: Act): Promise<{ status: number; body: unknown }> {
  if (request.headers.authorization !== `Bearer ${token}`) return { status: 401, body: { error: 'wrong token' } }
  const name = (Object.keys(regtestCalls) as RegtestCall[]).find((call) => request.url === `/${call}`)
  if (name === undefined) return { status: 404, body: { error: `${request.url} is nothing that a network does` } }
  try {
    return { status: 200, body: await perform(act, name, await readJson(request)) }
  } catch (error) {
    return { status: 400, body: { error: error instanceof Error ? error.message : String(error) } }
  }
}

function perform<C extends RegtestCall>(act: Act, name: C, asked: unknown): Promise<RegtestResponse<C>> {
  const request = regtestCalls[name].request.safeParse(asked)
  if (request.success) return act[name](request.data as RegtestRequest<C>)
  const [issue] = request.error.issues
  throw new RangeError(`${name} can't be asked for that: ${issue?.path.join('.')}: ${issue?.message}`)
}

async function readJson(request: IncomingMessage): Promise<unknown> {
  let text = ''
  for await (const chunk of request.setEncoding('utf8')) {
    text += chunk
    if (text.length > REQUEST_BYTES_MAX) throw new RangeError('the request is too long')
  }
  return JSON.parse(text)
}

function urlOf(server: Server): string {
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the control server has no port')
  return `http://127.0.0.1:${address.port}`
}
