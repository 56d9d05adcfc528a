import { toHex } from '@kedge/core'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Onlooker } from './onlooker.ts'
import { keyOf, type Sequencer, Workshop } from './workshop.ts'

/** KEDGE_STEPS says how many in the long run, KEDGE_SEED repeats one. */
const STEPS = Number(process.env.KEDGE_STEPS ?? 40)
const SEED = Number(process.env.KEDGE_SEED ?? 1)

const PAYERS = [20, 21]
const DEEPEST = 8

let workshop: Workshop
let sequencer: Sequencer
let challenger: Onlooker
let state = SEED
/** No reorganisation goes below this height. */
let fork = 0

beforeEach(async () => {
  workshop = await Workshop.start()
  sequencer = await workshop.open()
  await sequencer.turn()
  for (const seed of PAYERS) {
    await workshop.deposit(keyOf(seed), 50_000n)
    await workshop.bitcoind.mine(1)
  }
  for (let block = 0; block < DEEPEST + 8; block++) await mine()
  challenger = await Onlooker.open(workshop, sequencer, 'challenger')
  fork = sequencer.node.follower.chain.height - DEEPEST
  expect(sequencer.node.executor.ledger.totals.count).toBe(PAYERS.length)
})

afterEach(async () => {
  await challenger.close()
  await sequencer.crash()
  await workshop.stop()
})

async function mine(): Promise<void> {
  await sequencer.turn()
  await workshop.bitcoind.mine(1)
  await sequencer.turn()
}

/** A whole number below `limit` (mulberry32). */
function random(limit: number): number {
  state = (state + 0x6d2b79f5) | 0
  let mixed = Math.imul(state ^ (state >>> 15), state | 1)
  mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
  return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * limit)
}

/** Payments that were acknowledged, by payer. */
const acknowledged = PAYERS.map(() => 0n)

async function pay(): Promise<void> {
  const at = random(PAYERS.length)
  const [payer, to] = [PAYERS[at] as number, PAYERS[1 - at] as number]
  const from = sequencer.node.executor.owners.find(keyOf(payer)) ?? at
  const bytes = workshop.signed(payer, { from, to: keyOf(to), amount: 1n, nonce: acknowledged[at] as bigint })
  const [result] = await sequencer.submit(bytes)
  if (result?.ok) acknowledged[at] = (acknowledged[at] as bigint) + 1n
  else expect(['syncing', 'chain-broken', 'batch-rejected', 'overloaded', 'nonce-ahead']).toContain(result?.code)
}

/** Taking transfers in does not wait for the loop. */
async function payMeanwhile(): Promise<void> {
  await Promise.all([pay(), sequencer.turn()])
}

async function challengeOne(): Promise<void> {
  const { line } = sequencer.node.follower.chain
  const batch = line[random(Math.max(1, line.length))]
  if (batch !== undefined) await workshop.challenge(batch.headerHash)
}

async function reorganise(): Promise<void> {
  const depth = Math.min(1 + random(DEEPEST), sequencer.node.follower.chain.height - fork)
  const blocks = 1 + random(DEEPEST)
  if (depth < 1) return
  // With everything that was in the blocks, or without.
  await workshop.bitcoind.reorg(depth, random(2) === 0 ? blocks : Array.from({ length: blocks }, () => []))
  await sequencer.turn()
}

async function restart(): Promise<void> {
  if (random(2) === 0) await sequencer.stop()
  else await sequencer.crash()
  sequencer = await workshop.open()
}

const STEPS_AT_RANDOM = [pay, pay, payMeanwhile, payMeanwhile, mine, mine, mine, challengeOne, reorganise, restart]

describe(`turmoil, KEDGE_SEED=${SEED}`, () => {
  it(
    'loses no acknowledged payment, and everybody agrees in the end',
    async () => {
      for (let step = 0; step < STEPS; step++) {
        await (STEPS_AT_RANDOM[random(STEPS_AT_RANDOM.length)] as () => Promise<void>)()
        if (random(3) > 0) await sequencer.turn()
        if (random(3) === 0) await challenger.turn()
      }
      const settled = () =>
        sequencer.producer.reason === undefined &&
        sequencer.node.follower.chain.mode === 'active' &&
        sequencer.producer.plan().tail.length === 0 &&
        sequencer.producer.openBatch === undefined
      for (let block = 0; block < 60 && !settled(); block++) await mine()
      expect(sequencer.producer.reason).toBeUndefined()
      const { ledger, owners, head } = sequencer.node.executor
      for (const [at, payer] of PAYERS.entries()) {
        const cell = owners.find(keyOf(payer)) ?? 0
        expect(ledger.tree.account(cell).nonce).toBe(acknowledged[at])
      }
      await challenger.close()
      challenger = await Onlooker.open(workshop, sequencer, 'challenger')
      await expectSame(head.number, toHex(ledger.root))
      await challenger.close()
      challenger = await Onlooker.open(workshop, sequencer, 'late')
      await expectSame(head.number, toHex(ledger.root))
    },
    STEPS * 4_000 + 60_000,
  )
})

async function expectSame(number: number, root: string): Promise<void> {
  const { executor } = challenger.node
  for (let turn = 0; turn < 100 && executor.head.number !== number; turn++) {
    await challenger.turn()
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  expect(executor.rejection).toBeUndefined()
  expect([executor.head.number, toHex(executor.ledger.root)]).toEqual([number, root])
}
