import { setTimeout as sleep } from 'node:timers/promises'
import { ApiError, type Client, createClient, MAX_TRANSFERS } from '@kedge/api'
import { networkId, type Params, paramsFromJson, TRANSFER_BYTES } from '@kedge/core'
import { PACED_ROWS } from './load.ts'
import { fillCreations, fillTransfers } from './payers.ts'
import { plainFetch } from './plain-fetch.ts'
import { makeKeys, signRows } from './signing.ts'

/** What the process that makes load is told, one thing after another. It answers each with a LoadAnswer. */
export type LoadRequest =
  /** Makes keys. `params` as in JSON. */
  | { readonly kind: 'prepare'; readonly params: unknown; readonly payers: number; readonly isSigned: boolean }
  /** Makes the payers' cells at this node, out of payer 0's. */
  | { readonly kind: 'create'; readonly url: string }
  /** Makes transfers in lanes of equal length, each with payers of its own, and signs them. */
  | { readonly kind: 'sign'; readonly transfers: number; readonly lanes: number }
  /** Sends them, for so long or until there are no more; at a pace in transfers a second, or as fast as they are taken. */
  | { readonly kind: 'send'; readonly url: string; readonly seconds: number; readonly pace?: number }

export type LoadAnswer =
  | { readonly kind: 'done' }
  | { readonly kind: 'sent'; readonly sent: SentLoad }
  | { readonly kind: 'failed'; readonly reason: string }

export interface SentLoad {
  readonly transfers: number
  /** Milliseconds since 1970, of the first request and of the last answer. */
  readonly from: number
  readonly to: number
  /** Transfers acknowledged a second, in each fifth of the time. */
  readonly fifths: readonly number[]
  /** Milliseconds to a request's receipts, from when it was sent or, at a pace, when it should have been. */
  readonly latency: { readonly median: number; readonly p99: number; readonly most: number }
}

const ROWS_BYTES = MAX_TRANSFERS * TRANSFER_BYTES

interface Load {
  readonly params: Params
  readonly isSigned: boolean
  readonly keys: Uint8Array
}

let load: Load | undefined
let lanes: readonly Uint8Array[] = []

process.on('message', (request: LoadRequest) => {
  answer(request).then(
    (answered) => process.send?.(answered),
    (error: unknown) =>
      process.send?.({ kind: 'failed', reason: error instanceof Error ? String(error.stack) : String(error) }),
  )
})
process.once('disconnect', () => process.exit())

async function answer(request: LoadRequest): Promise<LoadAnswer> {
  if (request.kind === 'prepare') {
    const { payers, isSigned } = request
    load = { params: paramsFromJson(request.params), isSigned, keys: await makeKeys(payers, isSigned) }
    return { kind: 'done' }
  }
  if (load === undefined) throw new Error('there are no payers yet')
  if (request.kind === 'send') return { kind: 'sent', sent: await sendAll(clientOf(request.url), request) }
  if (request.kind === 'sign') lanes = await makeLanes(load, request)
  else await create(load, clientOf(request.url))
  return { kind: 'done' }
}

function clientOf(url: string): Client {
  return createClient(url, { fetch: plainFetch })
}

async function create(payers: Load, client: Client): Promise<void> {
  const count = payers.keys.length / 32 - 1
  const rows = await makeRows(payers, count, (into, { keys, params }) => fillCreations(into, keys, params))
  for (let at = 0; at < rows.length; at += ROWS_BYTES) await submit(client, rows.slice(at, at + ROWS_BYTES))
}

async function makeRows(
  payers: Load,
  count: number,
  fill: (rows: Uint8Array, payers: Load) => void,
): Promise<Uint8Array> {
  const memory = new SharedArrayBuffer(count * TRANSFER_BYTES)
  fill(new Uint8Array(memory), payers)
  if (payers.isSigned) await signRows(memory, networkId(payers.params))
  return new Uint8Array(memory)
}

async function makeLanes(
  payers: Load,
  { transfers, lanes: count }: Extract<LoadRequest, { kind: 'sign' }>,
): Promise<readonly Uint8Array[]> {
  const all = await makeRows(payers, transfers, (rows, { keys, params }) => fillTransfers(rows, count, keys, params))
  const perLane = all.length / count
  return Array.from({ length: count }, (_, lane) => all.subarray(lane * perLane, (lane + 1) * perLane))
}

/** Milliseconds since 1970, and parts of them. */
const now = () => performance.timeOrigin + performance.now()

async function sendAll(client: Client, { seconds, pace }: Extract<LoadRequest, { kind: 'send' }>): Promise<SentLoad> {
  const acknowledged: Acknowledged[] = []
  const from = now()
  const until = from + 1000 * seconds
  if (pace === undefined) await Promise.all(lanes.map((lane) => sendLane(client, lane, until, acknowledged)))
  else await sendPaced(client, { from, until, pace }, acknowledged)
  return summarize(from, now(), acknowledged)
}

/**
 * One request after another at its time, lane by lane, whether or not those before are answered: what a slow answer holds
 * up counts too.
 */
async function sendPaced(
  client: Client,
  { from, until, pace }: { readonly from: number; readonly until: number; readonly pace: number },
  acknowledged: Acknowledged[],
): Promise<void> {
  const bytes = PACED_ROWS * TRANSFER_BYTES
  const underWay = lanes.map(() => Promise.resolve())
  const perLane = (lanes[0] as Uint8Array).length / bytes
  for (let at = 0; at < perLane * lanes.length; at++) {
    const due = from + (1000 * PACED_ROWS * at) / pace
    if (due > until) break
    if (due > now()) await sleep(due - now())
    const lane = at % lanes.length
    const start = bytes * Math.floor(at / lanes.length)
    underWay[lane] = (underWay[lane] as Promise<void>).then(async () => {
      await submit(client, (lanes[lane] as Uint8Array).slice(start, start + bytes))
      acknowledged.push({ at: now(), transfers: PACED_ROWS, latency: now() - due })
    })
  }
  await Promise.all(underWay)
}

/** One request that was answered with receipts. */
interface Acknowledged {
  readonly at: number
  readonly transfers: number
  readonly latency: number
}

async function sendLane(client: Client, lane: Uint8Array, until: number, acknowledged: Acknowledged[]): Promise<void> {
  for (let at = 0; at < lane.length && now() < until; at += ROWS_BYTES) {
    // What fetch sends must not lie on shared memory.
    const rows = lane.slice(at, at + ROWS_BYTES)
    const start = now()
    await submit(client, rows)
    acknowledged.push({ at: now(), transfers: rows.length / TRANSFER_BYTES, latency: now() - start })
  }
}

/** Until all rows are durable at the node: what it has no room for now is sent again, in its order. */
async function submit(client: Client, all: Uint8Array<ArrayBuffer>): Promise<void> {
  for (let rows = all; rows.length > 0; ) {
    const refused = await submitOnce(client, rows)
    const fault = refused.find(({ code }) => !AGAIN.has(code))
    // Behind a row that had no room, those of the same payer are ahead of their nonces.
    if (fault !== undefined) throw new Error(`row ${fault.row} is refused: ${fault.code}`)
    if (refused.length > 0) await sleep(PAUSE_MS)
    rows = pick(
      rows,
      refused.map(({ row }) => row),
    )
  }
}

const AGAIN: ReadonlySet<string> = new Set(['overloaded', 'syncing', 'nonce-ahead'])
const PAUSE_MS = 20

type Refused = readonly { readonly row: number; readonly code: string }[]

async function submitOnce(client: Client, rows: Uint8Array<ArrayBuffer>): Promise<Refused> {
  try {
    return (await client.submitTransfers({ bytes: rows })).refused
  } catch (error) {
    if (!(error instanceof ApiError && AGAIN.has(error.code))) throw error
    return Array.from({ length: rows.length / TRANSFER_BYTES }, (_, row) => ({ row, code: error.code }))
  }
}

function pick(rows: Uint8Array, which: readonly number[]): Uint8Array<ArrayBuffer> {
  const picked = new Uint8Array(which.length * TRANSFER_BYTES)
  for (const [at, row] of which.entries()) {
    picked.set(rows.subarray(row * TRANSFER_BYTES, (row + 1) * TRANSFER_BYTES), at * TRANSFER_BYTES)
  }
  return picked
}

function summarize(from: number, to: number, acknowledged: readonly Acknowledged[]): SentLoad {
  const fifth = (to - from) / 5
  const sums = [0, 0, 0, 0, 0]
  for (const { at, transfers: count } of acknowledged) {
    const which = Math.min(4, Math.floor((at - from) / fifth))
    sums[which] = (sums[which] as number) + count
  }
  const latencies = acknowledged.map(({ latency }) => latency).sort((a, b) => a - b)
  const quantile = (share: number) => latencies[Math.floor(share * (latencies.length - 1))] as number
  return {
    transfers: sums.reduce((sum, each) => sum + each, 0),
    ...{ from, to },
    fifths: sums.map((sum) => (sum * 1000) / fifth),
    latency: { median: quantile(0.5), p99: quantile(0.99), most: quantile(1) },
  }
}
