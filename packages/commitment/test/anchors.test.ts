import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { RpcUnreachableError } from '@kedge/bitcoin'
import { encodeMessage, networkId } from '@kedge/core'
import { intents, Store } from '@kedge/storage'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { rateOf } from '../src/fees.ts'
import { AnchorKeeper, MAX_UNCONFIRMED, Purse } from '../src/index.ts'
import { bindAll, bindNext, minedNumbers, newestOf, range, versionsOf } from './anchoring.ts'
import { anchorOf, FEES, hashOf, NO_BITCOIND, SILENT, secretOf, World } from './world.ts'

describe.skipIf(NO_BITCOIND).each(['default', 'core'] as const)('anchors under the %s policy', (policy) => {
  let world: World

  beforeAll(async () => {
    world = await World.open(policy, [2_000_000n, 3_000_000n])
  })
  afterAll(() => world.close())

  test('go out in order, become links, and twenty at most wait at a time', async () => {
    const keeper = await world.keeper()
    await bindAll(world, keeper, range(1, 25))
    expect(keeper.backlog(world.chain)).toBe(25)
    expect(await keeper.advance(world.chain)).toEqual({ kind: 'sent' })
    expect((await world.mempool()).length).toBe(MAX_UNCONFIRMED)
    expect(keeper.status).toMatchObject({ unconfirmed: 20, oldestAge: 0 })
    expect(keeper.status.feeRate).toBeGreaterThan(2 * 0.99)
    await world.mine()
    expect(minedNumbers(world)).toEqual(range(1, 20))
    expect(world.events.every((event) => event.kind === 'link' && event.outcome !== 'null')).toBe(true)
    expect(await keeper.advance(world.chain)).toEqual({ kind: 'sent' })
    await world.mine()
    expect(world.chain).toMatchObject({ mode: 'active', link: { number: 25 } })
    expect(await keeper.advance(world.chain)).toEqual({ kind: 'sent' })
    expect([keeper.backlog(world.chain), keeper.status.unconfirmed]).toEqual([0, 0])
  })

  test('a link that runs low is filled up from the purse', async () => {
    const keeper = await world.keeper({ cap: 50, fallback: 20 })
    const before = world.purse.balance
    await bindAll(world, keeper, range(26, 40))
    await keeper.advance(world.chain)
    expect(keeper.status.linkValue).toBeGreaterThan(1_000n)
    expect(keeper.status.feeRate).toBeGreaterThan(19.9)
    await world.mine()
    expect(world.chain.link.number).toBe(40)
    expect(world.purse.balance).toBeLessThan(before)
  })
})

describe.skipIf(NO_BITCOIND)('anchors', () => {
  let world: World

  beforeAll(async () => {
    world = await World.open('default', [2_000_000n, 3_000_000n])
  })
  afterAll(() => world.close())

  describe('a crash between any two effects', () => {
    const moments = [
      ['before anything was signed', 'before', 'estimatesmartfee'],
      ['when it is signed and on disk, and bitcoind has not heard of it', 'before', 'sendrawtransaction'],
      ['when bitcoind has it, and that was never learnt', 'after', 'sendrawtransaction'],
    ] as const

    test.each(moments)('%s', async (_, at, method) => {
      const numbers = await bindNext(world, await world.keeper(), 3)
      // Again and again: the first, second and third anchor each meet it.
      for (const count of [1, 2, 3]) {
        const doomed = await world.keeper()
        if (method === 'sendrawtransaction') world.wire.cut(at, method, count)
        else world.wire.cut(at, method)
        await expect(doomed.advance(world.chain)).rejects.toThrow(RpcUnreachableError)
        world.crash()
      }
      const keeper = await world.keeper()
      expect(await keeper.advance(world.chain)).toEqual({ kind: 'sent' })
      await world.mine()
      expect(minedNumbers(world)).toEqual(numbers)
      for (const number of numbers) expect((await versionsOf(world, number)).length).toBe(1)
    })

    test('when the intent is on disk, and nobody noted it', async () => {
      const doomed = await world.keeper()
      const number = world.chain.link.number + 1
      const anchor = anchorOf(number)
      await world.store.commit(doomed.intent(number, anchor))
      const keeper = await world.keeper()
      expect(() => keeper.intent(number, { ...anchor, word: new Uint8Array(32).fill(99) })).toThrow(
        'bound to another anchor',
      )
      await keeper.advance(world.chain)
      await world.mine()
      expect(minedNumbers(world)).toEqual([number])
    })

    test('no transaction goes out whose bytes are not on disk', async () => {
      const { rpc, params, purse } = world
      const folder = mkdtempSync(join(tmpdir(), 'kedge-anchors-'))
      onTestFinished(() => rmSync(folder, { recursive: true }))
      const store = await Store.open(folder, networkId(params))
      const number = world.chain.link.number + 1
      await store.commit([intents.put(number, { payload: encodeMessage(anchorOf(number)), headerHash: hashOf(1) })])
      const keeper = new AnchorKeeper({ store, rpc, params, secret: secretOf(1), purse, fees: FEES, log: SILENT })
      await keeper.load()
      await store.close()
      await expect(keeper.advance(world.chain)).rejects.toThrow(/not open/i)
      expect(await world.mempool()).toEqual([])
      world.crash()
    })
  })

  test('what waits too long is raised by replacing the newest alone, once a block', async () => {
    const keeper = await world.keeper()
    const numbers = await bindNext(world, keeper, 3)
    await keeper.advance(world.chain)
    const [first = 0, second = 0, third = 0] = numbers
    const low = await newestOf(world, third)
    const before = keeper.status.feeRate
    // No miner takes them for what they pay now.
    for (const number of numbers) await world.prioritise((await newestOf(world, number)).txid, -390n)
    let blocks = 0
    while (world.chain.link.number < third && blocks < 19) {
      blocks += 1
      await world.mine()
      await keeper.advance(world.chain)
      await keeper.advance(world.chain)
      expect((await versionsOf(world, third)).length).toBeLessThanOrEqual(1 + blocks)
    }
    expect(blocks).toBeGreaterThan(1)
    expect(blocks).toBeLessThan(10)
    expect([(await versionsOf(world, first)).length, (await versionsOf(world, second)).length]).toEqual([1, 1])
    const versions = await versionsOf(world, third)
    expect(versions.length).toBeGreaterThan(1)
    expect(versions.at(-1)?.fee).toBeGreaterThan(low.fee)
    expect(before).toBeLessThan(3)
    expect(await world.mempool()).toEqual([])
  })

  test("a batch's time runs from its origin; one that has lapsed is in no hurry", async () => {
    await world.restart()
    const rates: number[] = []
    for (const age of [2, 10, 18, 19, 30]) {
      const keeper = await world.keeper()
      const number = world.chain.link.number + 1
      const anchor = anchorOf(number)
      const origin = world.chain.height + 1 - age - world.params.windows.originDepth
      await world.store.commit(keeper.intent(number, anchor, origin))
      keeper.noted(number, anchor)
      await (await world.keeper()).advance(world.chain)
      rates.push(rateOf([await newestOf(world, number)]))
      await world.mine()
    }
    // 20 − 1 blocks from 2 sat/vB to 50.
    const due = [2, 10, 18].map((age) => 2 * 25 ** (age / 19))
    for (const [at, rate] of [...due, 50, 2].entries()) expect(rates[at]).toBeCloseTo(rate, 0)
  })

  test('the fee never passes the cap, however late it is', async () => {
    const keeper = await world.keeper({ cap: 6, fallback: 2 })
    const numbers = await bindNext(world, keeper, 2)
    for (let block = 0; block < 24; block++) {
      await keeper.advance(world.chain)
      for (const number of numbers) await world.prioritise((await newestOf(world, number)).txid, -100_000n)
      await world.mine()
    }
    await keeper.advance(world.chain)
    expect(keeper.status).toMatchObject({ unconfirmed: 2, oldestAge: 24 })
    expect(keeper.status.feeRate).toBeGreaterThan(5)
    expect(keeper.status.feeRate).toBeLessThan(6.5)
    for (const version of await versionsOf(world, numbers[1] ?? 0)) expect(version.fee).toBeLessThan(2n * 195n * 7n)
    await world.mineExactly((await newestOf(world, numbers[0] ?? 0)).raw, (await newestOf(world, numbers[1] ?? 0)).raw)
    expect(minedNumbers(world)).toEqual(numbers)
  })

  test('a mempool that was lost is filled again, between blocks too', async () => {
    const keeper = await world.keeper()
    const numbers = await bindNext(world, keeper, 3)
    await keeper.advance(world.chain)
    const waiting = await world.mempool()
    await world.restart()
    expect(await world.mempool()).toEqual([])
    expect(await keeper.advance(world.chain)).toEqual({ kind: 'sent' })
    expect(await world.mempool()).toEqual(waiting)
    await world.mine()
    expect(minedNumbers(world)).toEqual(numbers)
  })

  test('while bitcoind is away nothing is lost', async () => {
    const keeper = await world.keeper()
    const numbers = await bindNext(world, keeper, 1)
    await world.bitcoind.stop()
    await expect(keeper.advance(world.chain)).rejects.toThrow(RpcUnreachableError)
    await world.bitcoind.start()
    expect(await keeper.advance(world.chain)).toEqual({ kind: 'sent' })
    await world.mine()
    expect(minedNumbers(world)).toEqual(numbers)
  })

  test('when bitcoind asks for more than was paid, they are signed anew from the bottom', async () => {
    const keeper = await world.keeper()
    const numbers = await bindNext(world, keeper, 3)
    await keeper.advance(world.chain)
    await world.restart('minrelaytxfee=0.00008')
    expect(await keeper.advance(world.chain)).toEqual({ kind: 'sent' })
    expect((await world.mempool()).length).toBe(3)
    expect(keeper.status.feeRate).toBeGreaterThan(7.9)
    await world.mine()
    expect(minedNumbers(world)).toEqual(numbers)
    await world.restart()
  })

  test('with bitcoind asking for more than the cap they wait, and say so', async () => {
    const keeper = await world.keeper()
    const numbers = await bindNext(world, keeper, 1)
    await keeper.advance(world.chain)
    await world.restart('minrelaytxfee=0.00080')
    expect(await keeper.advance(world.chain)).toMatchObject({
      kind: 'waiting',
      reason: expect.stringContaining('fee not met'),
    })
    await world.restart()
    expect(await (await world.keeper()).advance(world.chain)).toEqual({ kind: 'sent' })
    await world.mine()
    expect(minedNumbers(world)).toEqual(numbers)
  })
})

describe.skipIf(NO_BITCOIND)('anchors with a purse of one coin', () => {
  test('are raised by what their link holds, as a replacement may bring in no change that no block holds', async () => {
    const world = await World.open('default', [200_000n])
    onTestFinished(() => world.close())
    const keeper = await world.keeper({ cap: 20, fallback: 20 })
    await bindAll(world, keeper, range(1, 10))
    expect(await keeper.advance(world.chain)).toEqual({ kind: 'sent' })
    expect([world.purse.balance, keeper.status.unconfirmed]).toEqual([0n, 10])
    const dear = { cap: 100, fallback: 100 }
    const before = await world.mempool()
    await (await world.keeper(dear)).advance(world.chain)
    // Once a block is enough.
    expect(await world.mempool()).toEqual(before)
    await world.mineExactly()
    const last = await world.keeper(dear)
    expect(await last.advance(world.chain)).toEqual({ kind: 'sent' })
    expect(last.status).toMatchObject({ unconfirmed: 10 })
    expect(last.status.feeRate).toBeGreaterThan(40)
    await world.mine()
    expect(minedNumbers(world)).toEqual(range(1, 10))
  })
})

describe.skipIf(NO_BITCOIND)('anchors without a purse', () => {
  test('pay what the link can, then wait and say why, then go on', async () => {
    const world = await World.open('default', [2_000_000n])
    onTestFinished(() => world.close())
    const { store, rpc, params } = world
    const purse = new Purse(secretOf(6))
    const fees = { cap: 2_000, fallback: 1_500 }
    const keeper = new AnchorKeeper({ store, rpc, params, secret: secretOf(1), purse, fees, log: SILENT })
    await keeper.load()
    await bindAll(world, keeper, [1])
    expect(await keeper.advance(world.chain)).toEqual({ kind: 'sent' })
    // The link held 30,000 sat, and hands on 1,000.
    expect(keeper.status.feeRate).toBeLessThan(29_000 / 195)
    expect(keeper.status.feeRate).toBeGreaterThan(29_000 / 195 / 1.51)
    await world.mine()
    await bindAll(world, keeper, range(2, 20))
    let outcome = await keeper.advance(world.chain)
    for (let block = 0; block < 10 && outcome.kind === 'sent'; block++) {
      await world.mine()
      outcome = await keeper.advance(world.chain)
    }
    expect(outcome).toEqual({ kind: 'waiting', reason: expect.stringContaining("the purse can't pay for anchor") })
    expect((await world.mempool()).length).toBe(keeper.status.unconfirmed)
    const rich = await world.keeper()
    expect(await rich.advance(world.chain)).toEqual({ kind: 'sent' })
    await world.mine()
    expect(world.chain.link.number).toBe(20)
  })
})
