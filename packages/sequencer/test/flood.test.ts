import { Agent, request } from 'node:http'
import { createClient, type SubmittedRows } from '@kedge/api'
import { encodeTransfer, toHex, ZERO_HASH } from '@kedge/core'
import { respondersOf, type ServedApi, serveApi } from '@kedge/node'
import { pino } from 'pino'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { keyOf, type Sequencer, Workshop } from './workshop.ts'

const [ALICE, BOB, EVE] = [20, 21, 22]
const ROWS = 1000
/** More requests of that size than there is room for. */
const CONNECTIONS = 40

let workshop: Workshop
let sequencer: Sequencer
let api: ServedApi
let nonce = 0n

beforeAll(async () => {
  workshop = await Workshop.start(200)
  sequencer = await workshop.open(1e9)
  await sequencer.turn()
  for (const seed of [ALICE, EVE]) await workshop.deposit(keyOf(seed), 100_000n)
  for (let block = 0; block < 6; block++) {
    await workshop.bitcoind.mine(1)
    await sequencer.turn()
  }
  expect(sequencer.node.executor.ledger.totals.count).toBe(2)
  const { node, intake } = sequencer
  const upkeep = () => ({ purse: 0n, cap: 100, waiting: [] })
  const handlers = respondersOf({ node, intake, role: 'sequencer', upkeep })
  api = await serveApi({ handlers, log: pino({ level: 'silent' }), host: '127.0.0.1', port: 0 })
}, 60_000)

afterAll(async () => {
  await api.stop()
  await sequencer.crash()
  await workshop.stop()
})

const aliceToBob = () => workshop.signed(ALICE, { from: 0, to: keyOf(BOB), amount: 5n, nonce: nonce++ })

/** Rows of Eve's that say each something else, and carry a signature of something else yet. */
function unsigned(rows: number, nonceOf: (row: number) => bigint = () => 0n): Uint8Array {
  const signature = workshop.signed(EVE, { from: 1, to: keyOf(BOB), amount: 1n, nonce: 0n }).slice(-64)
  const plain = { kind: 'transfer', from: 1, to: keyOf(BOB), toCell: 0, mayCreate: true } as const
  const terms = { fee: 1_000_000n, expiry: 0xffffffff, memo: ZERO_HASH, signature }
  return Buffer.concat(
    Array.from({ length: rows }, (_, row) =>
      encodeTransfer({ ...plain, ...terms, nonce: nonceOf(row), amount: BigInt(2 + row) }),
    ),
  )
}

function post(agent: Agent, path: string, type: string, body: Uint8Array | string): Promise<string> {
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': type, 'content-length': Buffer.byteLength(body) }
    const sent = request({ host: '127.0.0.1', port: api.port, path, method: 'POST', agent, headers }, (response) => {
      let text = ''
      response.on('data', (chunk) => {
        text += chunk
      })
      response.on('end', () => resolve(text))
    })
    sent.on('error', reject)
    sent.end(body)
  })
}

const postRows = (agent: Agent, rows: Uint8Array) => post(agent, '/transfers/bulk', 'application/octet-stream', rows)
const postOne = (agent: Agent, row: Uint8Array) =>
  post(agent, '/transfers', 'application/json', JSON.stringify({ transfer: toHex(row) }))

async function timed(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now()
  await work()
  return performance.now() - started
}

/** As many as can be sent one behind the other on some connections, while `work` is done. */
async function during<T>(connections: number, send: (agent: Agent) => Promise<unknown>, work: () => Promise<T>) {
  const agent = new Agent({ keepAlive: true, maxSockets: connections })
  let isOver = false
  const attackers = Array.from({ length: connections }, async () => {
    while (!isOver) await send(agent)
  })
  await new Promise((resolve) => setTimeout(resolve, 500))
  try {
    return await work()
  } finally {
    isOver = true
    agent.destroy()
    await Promise.allSettled(attackers)
  }
}

/** Rows whose signatures were checked so far, once those are that others sent before. */
async function judgedRows(): Promise<number> {
  const { verifier } = sequencer.node
  await expect.poll(() => verifier.stats().claimedRows, { timeout: 10_000 }).toBe(0)
  return verifier.stats().judgedRows
}

/** How long each of some payments of one took, in ms, least first. */
async function payOften(agent: Agent): Promise<number[]> {
  const times: number[] = []
  for (let each = 0; each < 20; each++) {
    const row = aliceToBob()
    times.push(await timed(async () => expect(await postOne(agent, row)).toContain('"receipt"')))
  }
  return times.sort((a, b) => a - b)
}

it('payments of one are taken at once while others send thousands of rows that nobody signed', async () => {
  const body = unsigned(ROWS)
  const times = await during(
    CONNECTIONS,
    (agent) => postRows(agent, body),
    () => payOften(new Agent({ keepAlive: false })),
  )
  expect(times[15]).toBeLessThan(500)
}, 60_000)

it('so are they while others send many of one', async () => {
  const body = unsigned(1)
  const times = await during(
    CONNECTIONS,
    (agent) => postOne(agent, body),
    () => payOften(new Agent({ keepAlive: false })),
  )
  expect(times[15]).toBeLessThan(500)
}, 60_000)

it('so are they while others send one on each of many connections', async () => {
  const body = unsigned(1)
  const times = await during(
    10,
    () => postOne(new Agent({ keepAlive: false }), body),
    () => payOften(new Agent({ keepAlive: false })),
  )
  expect(times[15]).toBeLessThan(500)
}, 60_000)

it('who sends many that hold comes before those whose do not', async () => {
  const mine = new Agent({ keepAlive: true, maxSockets: 1 })
  const many = () => Buffer.concat(Array.from({ length: 50 }, aliceToBob))
  expect(JSON.parse(await postRows(mine, many())).accepted).toBe(50)
  const body = unsigned(ROWS)
  const took = await during(
    CONNECTIONS,
    (agent) => postRows(agent, body),
    () => timed(async () => expect(JSON.parse(await postRows(mine, many())).accepted).toBe(50)),
  )
  expect(took).toBeLessThan(4000)
}, 60_000)

it('what was taken before costs no signature, and is told as taken', async () => {
  const rows = Array.from({ length: 20 }, aliceToBob)
  const body = Buffer.concat(rows)
  const agent = new Agent({ keepAlive: true })
  expect(JSON.parse(await postRows(agent, body)).accepted).toBe(20)
  const before = await judgedRows()
  expect(JSON.parse(await postRows(agent, body)).accepted).toBe(20)
  // Another operation under a nonce that is used.
  const used = workshop.signed(ALICE, { from: 0, to: keyOf(BOB), amount: 6n, nonce: 0n })
  await expect(createClient(api.url).submitTransfer({ transfer: toHex(used) })).rejects.toMatchObject({
    code: 'nonce-used',
  })
  expect(sequencer.node.verifier.stats().judgedRows).toBe(before)
})

it('payments of one are taken at once while others send thousands of rows whose nonces are used', async () => {
  const body = unsigned(ROWS)
  const first = workshop.signed(EVE, { from: 1, to: keyOf(BOB), amount: 1n, nonce: 0n })
  expect(await postOne(new Agent(), first)).toContain('"receipt"')
  const before = await judgedRows()
  const times = await during(
    CONNECTIONS,
    (agent) => postRows(agent, body),
    () => payOften(new Agent({ keepAlive: false })),
  )
  expect(times[15]).toBeLessThan(500)
  expect(sequencer.node.verifier.stats().judgedRows).toBe(before + times.length)
}, 60_000)

it('so are they while others send nonces that are ahead among some that are used, and who finds no room has to wait', async () => {
  await postOne(new Agent(), workshop.signed(EVE, { from: 1, to: keyOf(BOB), amount: 1n, nonce: 0n }))
  const body = unsigned(ROWS, (row) => (row < 4 ? 0n : BigInt(1000 + row)))
  const turnedAway: number[] = []
  const times = await during(
    CONNECTIONS,
    async (agent) => {
      const began = performance.now()
      const { accepted, refused } = JSON.parse(await postRows(agent, body)) as SubmittedRows
      const took = performance.now() - began
      expect(accepted).toBe(0)
      if (refused.filter(({ code }) => code === 'overloaded').length > ROWS / 2) turnedAway.push(took)
    },
    async () => {
      const paid = await payOften(new Agent({ keepAlive: false }))
      await expect.poll(() => turnedAway.length, { timeout: 10_000 }).toBeGreaterThan(5)
      return paid
    },
  )
  expect(times[15]).toBeLessThan(500)
  expect(Math.min(...turnedAway)).toBeGreaterThan(900)
}, 60_000)
