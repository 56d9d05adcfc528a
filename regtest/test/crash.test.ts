import { readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { ApiError, type HistoryEntry } from '@kedge/api'
import { RpcUnreachableError } from '@kedge/bitcoin'
import { resumeSends, send, WalletError } from '@kedge/wallet'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { RegtestNetwork } from '../src/network.ts'
import type { NodeProcess } from '../src/node-process.ts'
import { type Person, Stage } from '../src/stage.ts'
import { describeOnBitcoind } from './ground.ts'

/** 20 in the normal run; KEDGE_CRASHES says how many in the long one, KEDGE_SEED repeats one. */
const CRASHES = Number(process.env.KEDGE_CRASHES ?? 20)
const SEED = Number(process.env.KEDGE_SEED ?? Date.now() % 1_000_000)

const PAYERS = 4
const AMOUNT = 1_000n
const FAR = 1_000_000
const BLOCK_MS = 400

describeOnBitcoind(`kill -9 at random moments under load, KEDGE_SEED=${SEED}`, () => {
  let folder: string
  let network: RegtestNetwork
  let stage: Stage
  let people: readonly Person[]
  let passed = false
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'kedge-crash-'))
    network = await RegtestNetwork.start({ folder, challengers: 2, sealAfterMs: 250 })
    stage = new Stage(network, (_, work) => work(() => undefined))
    people = await stage.people(PAYERS)
  }, 120_000)
  afterAll(async () => {
    await network.kill()
    if (passed) await rm(folder, { recursive: true })
    else console.error(`data and logs: ${folder}`)
  })

  test(
    'what was acknowledged is executed once, and everybody agrees again within a minute',
    async () => {
      const before = await balances()
      const stopping = new AbortController()
      const crashes = new Crashes(network)
      const load = Promise.all(people.map((person) => pay(person, people, stopping.signal)))
      const mining = mine(network, crashes, stopping.signal)
      for (let crash = 0; crash < CRASHES; crash++) await crashes.next()
      stopping.abort()
      await Promise.all([load, mining])
      const settled = performance.now()
      await resumeAll(people)
      await network.connected()
      const sends = people.flatMap(sendsOf)
      await expectEverywhere(sends.filter(({ state }) => state === 'sequenced').map(({ id }) => id))
      await expectNowhere(sends.filter(({ state }) => state === 'refused').map(({ id }) => id))
      expect(sends.filter(({ state }) => state === 'recorded')).toEqual([])
      await network.agreed()
      expect(performance.now() - settled).toBeLessThan(60_000)
      await expectMoney(before)
      await expectOneHeaderANumber()
      passed = true
    },
    120_000 + CRASHES * 10_000,
  )

  const balances = () =>
    Promise.all(people.map(async (person) => (await stage.account(network.sequencer, person)).balance))

  const expectEverywhere = async (ids: readonly string[]) => {
    expect(ids.length).toBeGreaterThan(0)
    for (const node of network.running) {
      await stage.mineUntil(
        `all payments are anchored for ${node.name}`,
        async (note) => {
          const anchored = (await outgoing(node)).filter(({ rung }) => rung !== 'sequenced').map(({ id }) => id)
          expect(new Set(anchored).size, `${node.name} executed a payment twice`).toBe(anchored.length)
          note(`${anchored.length} of ${ids.length}`)
          return ids.every((id) => anchored.includes(id)) ? true : undefined
        },
        () => undefined,
      )
    }
  }

  const expectNowhere = async (ids: readonly string[]) => {
    for (const node of network.running)
      expect(
        (await outgoing(node)).filter(({ id }) => ids.includes(id)),
        `${node.name} executed what was refused`,
      ).toEqual([])
  }

  const outgoing = async (node: NodeProcess) => {
    const histories = await Promise.all(people.map((person) => historyOf(node, person)))
    return histories.flat().filter(({ direction }) => direction === 'out')
  }

  /** Each payment moved what it says, from its payer to its recipient, and nothing else did. */
  const expectMoney = async (before: readonly bigint[]) => {
    const expected = new Map(people.map(({ key }, at) => [key, before[at] ?? 0n]))
    for (const person of people) {
      for (const { direction, amount, fee, counterparty } of await historyOf(network.sequencer, person)) {
        if (direction !== 'out' || counterparty === undefined) continue
        expected.set(person.key, (expected.get(person.key) ?? 0n) - amount - fee)
        expected.set(counterparty, (expected.get(counterparty) ?? 0n) + amount)
      }
    }
    for (const node of network.running) {
      for (const person of people) expect((await stage.account(node, person)).balance).toBe(expected.get(person.key))
    }
  }

  /** Batches may go void: blocks come so fast that a challenge expires while a node starts. */
  const expectOneHeaderANumber = async () => {
    const { number: last } = await network.agreed()
    for (let number = 1; number <= last; number++) {
      const links = await Promise.all(network.running.map((node) => node.client.batch({ number })))
      const told = links.map(
        (link) => `${link.outcome} ${'headerHash' in link ? link.headerHash : ''} ${link.anchor.txid}`,
      )
      expect(new Set(told).size, `link ${number} is not the same everywhere`).toBe(1)
    }
  }
})

/** Ends one process after another, at random, and starts it again. */
class Crashes {
  private readonly network: RegtestNetwork
  private state = SEED
  bitcoindIsUp = true

  constructor(network: RegtestNetwork) {
    this.network = network
  }

  async next(): Promise<void> {
    await sleep(this.random(1500))
    const victims = [this.network.bitcoind, ...this.network.nodes]
    const victim = victims[this.random(victims.length)] as (typeof victims)[number]
    if (victim === this.network.bitcoind) this.bitcoindIsUp = false
    await victim.kill()
    await sleep(this.random(500))
    await victim.start()
    this.bitcoindIsUp = true
  }

  /** A whole number below `limit` (mulberry32). */
  private random(limit: number): number {
    this.state = (this.state + 0x6d2b79f5) | 0
    let mixed = Math.imul(this.state ^ (this.state >>> 15), this.state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * limit)
  }
}

async function pay({ wallet, key }: Person, people: readonly Person[], signal: AbortSignal): Promise<void> {
  const others = people.filter((other) => other.key !== key)
  for (let at = 0; !signal.aborted; at++) {
    try {
      const to = (others[at % others.length] as Person).key
      // Blocks come so fast here that an ordinary expiry passes while a node starts.
      await send(wallet, { to, amount: AMOUNT, expiry: FAR })
    } catch (error) {
      if (!isExpected(error)) throw error
      await sleep(100)
    }
  }
}

/** What the wallet's file says: `sequenced` is written when an acknowledgement has come, and never before. */
function sendsOf({ wallet }: Person): readonly { id: string; state: string }[] {
  return (JSON.parse(readFileSync(wallet.path, 'utf8')) as { sends: { id: string; state: string }[] }).sends
}

/**
 * A killed bitcoind wakes up some blocks behind, and a node that follows it takes the ledger back that far for a moment:
 * a wallet may then be told of too little money, or sign with a nonce of the past. Being refused for that is an
 * answer too.
 */
function isExpected(error: unknown): boolean {
  if (error instanceof ApiError) return ['unreachable', 'syncing', 'chain-broken', 'overloaded'].includes(error.code)
  if (!(error instanceof WalletError)) return false
  const isPast = error.code === 'refused' && error.details.reason === 'nonce-used'
  return isPast || ['not-answered', 'no-account', 'insufficient-funds'].includes(error.code)
}

/** Sends again what nobody has acknowledged. */
async function resumeAll(people: readonly Person[]): Promise<void> {
  for (const { wallet } of people) {
    for (const deadline = performance.now() + 60_000; ; await sleep(200)) {
      try {
        await resumeSends(wallet)
        break
      } catch (error) {
        if (!isExpected(error) || performance.now() > deadline) throw error
      }
    }
  }
}

async function mine({ bitcoind }: RegtestNetwork, crashes: Crashes, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await sleep(BLOCK_MS)
    try {
      if (crashes.bitcoindIsUp) await bitcoind.mine(1)
    } catch (error) {
      if (!(error instanceof RpcUnreachableError)) throw error
    }
  }
}

async function historyOf({ client }: NodeProcess, { key }: Person): Promise<HistoryEntry[]> {
  const entries: HistoryEntry[] = []
  for (let before: { batch: number; index: number } | undefined; ; ) {
    const page = await client.accountHistory(before === undefined ? { key, limit: 100 } : { key, limit: 100, before })
    entries.push(...page.entries)
    if (page.next === undefined) return entries
    before = page.next
  }
}
