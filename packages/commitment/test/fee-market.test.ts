import { FeeMarket, MARKET_BLOCK_WEIGHT, risingRate } from '@kedge/regtest'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { rateOf } from '../src/fees.ts'
import { answerParts, type Publisher, type Waiting } from '../src/index.ts'
import { minedNumbers, newestOf } from './anchoring.ts'
import { evidenceOn, messagesIn, type TestBatch, withBatch } from './publishing.ts'
import { anchorOf, NO_BITCOIND, World } from './world.ts'

/** sat/vB: what a block asks for at first, and what is paid at most for a place in it. */
const CALM = 2
const TOP = 10 * CALM
const FEES = { cap: 60, fallback: CALM }

/** Of 15,000 vB each, and full of others' transactions: bitcoind takes those that pay most. */
describe.skipIf(NO_BITCOIND)('while the rate that blocks ask for rises tenfold', () => {
  let world: World
  let market: FeeMarket
  let batch: TestBatch

  const mineAt = async (rate: number) => {
    await market.bid(rate)
    await world.mine()
  }

  beforeAll(async () => {
    const coins = Array.from({ length: 12 }, () => 1_000_000n)
    // The windows of regtest are the shortest there are.
    world = await World.open('default', coins, {}, { blockWeight: MARKET_BLOCK_WEIGHT })
    market = new FeeMarket(world.bitcoind)
    await market.open(70)
    await world.follow()
    batch = await withBatch(world, 8)
  })
  afterAll(() => world.close())

  /** From the next block on the rate is tenfold: until these are mined, or the first of them. */
  async function mineAll(
    publisher: Publisher,
    kinds: readonly Waiting['kind'][],
    isEnough = kinds.length,
  ): Promise<void> {
    const left = new Set(kinds)
    const waits: Waiting[] = []
    while (left.size > kinds.length - isEnough) {
      await publisher.advance(world.chain)
      waits.push(...publisher.waiting)
      expect(publisher.waiting.map(({ kind }) => kind).sort()).toEqual([...left].sort())
      await mineAt(TOP)
      for (const { kind } of messagesIn(world)) if (left.delete(kind as Waiting['kind'])) expectInTime(kind, waits)
    }
  }

  function expectInTime(kind: string, all: readonly Waiting[]): void {
    const waits = all.filter((waiting) => waiting.kind === kind)
    const rates = waits.map(({ feeRate }) => feeRate ?? 0)
    expect(rates).toEqual(rates.toSorted((a, b) => a - b))
    expect(rates[0]).toBeLessThan(TOP)
    expect(rates.at(-1)).toBeGreaterThan(TOP * 0.99)
    expect(rates.at(-1)).toBeLessThan(FEES.cap * 1.05)
    expect(world.chain.height).toBeLessThanOrEqual(waits[0]?.deadline ?? 0)
  }

  test('a challenge and evidence, published in calm, and the answer are mined within their windows', async () => {
    const publisher = await world.publisher(FEES)
    await publisher.publish({ kind: 'challenge', headerHash: batch.anchor.headerHash, data: 'data' })
    await publisher.publish(evidenceOn(batch, 'a lie'))
    await mineAll(publisher, ['challenge', 'evidence'], 1)
    expect(world.chain.line[0]?.challenges.data?.raisedAt).toBe(world.chain.height)
    // Else bitcoind would know from the start what blocks ask for.
    await world.restart()
    const again = await world.publisher(FEES)
    const [body = new Uint8Array(0)] = answerParts('data', batch.source)
    await again.publish({ kind: 'part', headerHash: batch.anchor.headerHash, data: 'data', body })
    await mineAll(again, ['evidence', 'part'])
    expect(world.chain.line[0]?.challenges.data?.answeredAt).toBeDefined()
  })

  test('anchors, one for each block, while they can live', async () => {
    const keeper = await world.keeper(FEES)
    const origins = new Map<number, number>()
    const waited: number[] = []
    for (let block = 0; block < 24; block++) {
      const { height, hash } = world.chain
      const number = world.chain.link.number + keeper.backlog(world.chain) + 1
      if (block < 12) {
        const anchor = anchorOf(number, { height, hash })
        await world.store.commit(keeper.intent(number, anchor, height))
        keeper.noted(number, anchor)
        origins.set(number, height)
      }
      await keeper.advance(world.chain)
      expect(keeper.status.waiting?.isCapped ?? false).toBe(false)
      await mineAt(risingRate(CALM, block, 10))
      const mined = minedNumbers(world)
      for (const one of mined) waited.push(world.chain.height - (origins.get(one) ?? 0))
      const paid = rateOf(await Promise.all(mined.map((one) => newestOf(world, one))))
      expect(mined.length === 0 || paid <= FEES.cap).toBe(true)
    }
    expect([waited.length, keeper.backlog(world.chain)]).toEqual([12, 0])
    expect(Math.max(...waited)).toBeLessThanOrEqual(world.params.windows.staleness)
  })

  test('what the cap keeps out says so, and is mined when it is raised', async () => {
    const [thrifty, number] = [await world.keeper({ cap: 5, fallback: CALM }), world.chain.link.number + 1]
    const { height, hash } = world.chain
    await world.store.commit(thrifty.intent(number, anchorOf(number, { height, hash }), height))
    thrifty.noted(number, anchorOf(number, { height, hash }))
    for (let block = 0; block < 3; block++) {
      await thrifty.advance(world.chain)
      await mineAt(TOP)
    }
    await thrifty.advance(world.chain)
    const { staleness } = world.params.windows
    expect(thrifty.status.waiting).toMatchObject({
      name: `anchor ${number}`,
      deadline: height + staleness,
      isCapped: true,
    })
    const keeper = await world.keeper(FEES)
    while (keeper.backlog(world.chain) > 0) {
      await keeper.advance(world.chain)
      await mineAt(TOP)
    }
    expect(world.chain.height).toBeLessThanOrEqual(height + staleness)
    await keeper.advance(world.chain)
    expect(keeper.status.waiting).toBeUndefined()
  })
})
