import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buildPayment, coinKey, printHash, printOutpoint, RpcUnreachableError } from '@kedge/bitcoin'
import { encodeMessage, equalBytes, networkId } from '@kedge/core'
import { anchorTransactions, intents, type SignedRecord, Store } from '@kedge/storage'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { AnchorKeeper, MAX_UNCONFIRMED, Purse } from '../src/index.ts'
import { spentBy } from '../src/signed.ts'
import { anchorOf, bind, describeOnBitcoind, FEES, hashOf, SILENT, secretOf, World } from './world.ts'

/** Everything that a number was ever signed as. */
async function versionsOf(world: World, number: number): Promise<readonly SignedRecord[]> {
  return (await world.store.get(anchorTransactions, number)) ?? []
}

async function newestOf(world: World, number: number): Promise<SignedRecord> {
  const newest = (await versionsOf(world, number)).at(-1)
  if (newest === undefined) throw new Error(`nothing was signed for ${number}`)
  return newest
}

async function bindAll(world: World, keeper: AnchorKeeper, numbers: readonly number[]): Promise<void> {
  for (const number of numbers) await bind(world, keeper, anchorOf(number))
}

/** No reason ever to raise anything. */
const FLAT = { cap: 2, fallback: 2 }

const range = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, at) => from + at)

/** The numbers of the anchors in the newest block, in its order. */
function minedNumbers(world: World): number[] {
  return world.events.flatMap((event) => (event.kind === 'link' ? [event.number] : []))
}

describeOnBitcoind.each(['default', 'core'] as const)('anchors under the %s policy', (policy) => {
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

describeOnBitcoind('anchors', () => {
  let world: World
  let next = 1

  beforeAll(async () => {
    world = await World.open('default', [2_000_000n, 3_000_000n])
  })
  afterAll(() => world.close())

  /** The next `count` numbers, bound and not sent. */
  async function bindNext(keeper: AnchorKeeper, count: number): Promise<number[]> {
    const numbers = range(next, next + count - 1)
    next += count
    await bindAll(world, keeper, numbers)
    return numbers
  }

  describe('a crash between any two effects', () => {
    const moments = [
      ['before anything was signed', 'before', 'estimatesmartfee'],
      ['when it is signed and on disk, and bitcoind has not heard of it', 'before', 'sendrawtransaction'],
      ['when bitcoind has it, and that was never learnt', 'after', 'sendrawtransaction'],
    ] as const

    test.each(moments)('%s', async (_, at, method) => {
      const numbers = await bindNext(await world.keeper(), 3)
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
      const anchor = anchorOf(next++)
      await world.store.commit(doomed.intent(anchor.number, anchor))
      const keeper = await world.keeper()
      expect(() => keeper.intent(anchor.number, { ...anchor, word: new Uint8Array(32).fill(99) })).toThrow(
        'bound to another anchor',
      )
      await keeper.advance(world.chain)
      await world.mine()
      expect(minedNumbers(world)).toEqual([anchor.number])
    })

    test('no transaction goes out whose bytes are not on disk', async () => {
      const { rpc, params, purse } = world
      const folder = mkdtempSync(join(tmpdir(), 'kedge-anchors-'))
      const store = await Store.open(folder, networkId(params))
      const number = next
      await store.commit([intents.put(number, { payload: encodeMessage(anchorOf(number)), headerHash: hashOf(1) })])
      const keeper = new AnchorKeeper({ store, rpc, params, secret: secretOf(1), purse, fees: FEES, log: SILENT })
      await keeper.load()
      await store.close()
      await expect(keeper.advance(world.chain)).rejects.toThrow(/not open/i)
      expect(await world.mempool()).toEqual([])
      rmSync(folder, { recursive: true })
      world.crash()
    })
  })

  test('what waits too long is raised by replacing the newest alone, once a block', async () => {
    const keeper = await world.keeper()
    const numbers = await bindNext(keeper, 3)
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

  test('the fee never passes the cap, however late it is', async () => {
    const keeper = await world.keeper({ cap: 6, fallback: 2 })
    const numbers = await bindNext(keeper, 2)
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

  test.each([1, 2, 3, 4, 5, 6])('a reorganisation of %i blocks gives them back unchanged', async (depth) => {
    const keeper = await world.keeper(FLAT)
    const numbers = await bindNext(keeper, depth)
    const signed: SignedRecord[] = []
    for (let block = 0; block < depth; block++) {
      await keeper.advance(world.chain)
      const anchor = await newestOf(world, numbers[block] ?? 0)
      signed.push(anchor)
      await world.mineExactly(anchor.raw)
    }
    expect(world.chain.link.number).toBe(numbers.at(-1))
    const before = await Promise.all(numbers.map((number) => versionsOf(world, number)))
    const empty = Array.from({ length: depth + 1 }, () => [])
    await world.reorg(depth, empty)
    expect(world.chain.link.number).toBe((numbers[0] ?? 0) - 1)
    expect(await keeper.advance(world.chain)).toEqual({ kind: 'sent' })
    expect([...(await world.mempool())].sort()).toEqual(signed.map(({ txid }) => printHash(txid)).sort())
    await world.mine()
    expect(minedNumbers(world)).toEqual(numbers)
    expect(await Promise.all(numbers.map((number) => versionsOf(world, number)))).toEqual(before)
  })

  test('an old version that is mined is built upon', async () => {
    const keeper = await world.keeper()
    const [first = 0] = await bindNext(keeper, 1)
    await keeper.advance(world.chain)
    const old = await newestOf(world, first)
    await world.mineExactly()
    const dearer = await world.keeper({ cap: 50, fallback: 10 })
    await dearer.advance(world.chain)
    const raised = await newestOf(world, first)
    expect(raised.fee).toBeGreaterThan(old.fee)
    const [second = 0] = await bindNext(dearer, 1)
    await dearer.advance(world.chain)
    const orphan = await newestOf(world, second)
    expect((await world.mempool()).sort()).toEqual([raised, orphan].map(({ txid }) => printHash(txid)).sort())
    await world.mineExactly(old.raw)
    expect(world.chain.link).toMatchObject({ number: first, outpoint: { txid: old.txid } })
    expect(await dearer.advance(world.chain)).toEqual({ kind: 'sent' })
    const rebuilt = await newestOf(world, second)
    expect(await world.mempool()).toEqual([printHash(rebuilt.txid)])
    expect(rebuilt.txid).not.toEqual(orphan.txid)
    // And back: bitcoind has the old version and what was built on it again, so they are taken.
    await world.reorg(1, [[], []])
    expect(await dearer.advance(world.chain)).toEqual({ kind: 'sent' })
    await world.mine()
    expect(minedNumbers(world)).toEqual([first, second])
    expect(world.newest.transactions.some(({ txid }) => equalBytes(txid, old.txid))).toBe(true)
  })

  test('a mempool that was lost is filled again, between blocks too', async () => {
    const keeper = await world.keeper()
    const numbers = await bindNext(keeper, 3)
    await keeper.advance(world.chain)
    const waiting = await world.mempool()
    await world.restart()
    expect(await world.mempool()).toEqual([])
    expect(await keeper.advance(world.chain)).toEqual({ kind: 'sent' })
    expect((await world.mempool()).sort()).toEqual(waiting.sort())
    await world.mine()
    expect(minedNumbers(world)).toEqual(numbers)
  })

  test('while bitcoind is away nothing is lost', async () => {
    const keeper = await world.keeper()
    const numbers = await bindNext(keeper, 1)
    await world.bitcoind.stop()
    await expect(keeper.advance(world.chain)).rejects.toThrow(RpcUnreachableError)
    await world.bitcoind.start()
    expect(await keeper.advance(world.chain)).toEqual({ kind: 'sent' })
    await world.mine()
    expect(minedNumbers(world)).toEqual(numbers)
  })

  test('when bitcoind asks for more than was paid, they are signed anew from the bottom', async () => {
    const keeper = await world.keeper()
    const numbers = await bindNext(keeper, 3)
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
    const numbers = await bindNext(keeper, 1)
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

describeOnBitcoind('anchors whose coin a reorganisation takes away', () => {
  test('are signed anew without it', async () => {
    const world = await World.open('default', [])
    // The purse is paid by somebody who then pays himself instead.
    const payer = coinKey(secretOf(77))
    const outpoint = await world.bitcoind.fund(payer.script, 600_000n)
    await world.mine()
    const funding = { key: payer, coins: [{ outpoint, value: 600_000n, height: 1, coinbase: false }], feeRate: 3 }
    const paid = buildPayment([{ script: world.purse.key.script, value: 500_000n }], funding)
    const taken = buildPayment([{ script: payer.script, value: 500_000n }], { ...funding, feeRate: 9 })
    await world.mineExactly(paid.raw)
    const keeper = await world.keeper({ cap: 100, fallback: 100 })
    await bindAll(world, keeper, [1, 2, 3])
    expect(await keeper.advance(world.chain)).toEqual({ kind: 'sent' })
    const spendsPaid = async (number: number): Promise<boolean> =>
      spentBy(await newestOf(world, number)).has(printOutpoint({ txid: paid.txid, vout: 0 }))
    expect(await Promise.all([1, 2, 3].map(spendsPaid))).toEqual([false, true, false])
    await world.reorg(1, [[taken.raw], []])
    expect(world.purse.balance).toBe(0n)
    expect(await keeper.advance(world.chain)).toEqual({ kind: 'sent' })
    expect(await Promise.all([1, 2, 3].map(spendsPaid))).toEqual([false, false, false])
    expect((await versionsOf(world, 1)).length).toBe(1)
    await world.mine()
    expect(minedNumbers(world)).toEqual([1, 2, 3])
    await world.close()
  })
})

describeOnBitcoind('anchors without a purse', () => {
  test('pay what the link can, then wait and say why, then go on', async () => {
    const world = await World.open('default', [2_000_000n])
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
    await world.close()
  })
})

describeOnBitcoind('two signers with one key', () => {
  let world: World
  let folder: string
  let otherStore: Store

  beforeAll(async () => {
    world = await World.open('default', [2_000_000n])
    folder = mkdtempSync(join(tmpdir(), 'kedge-anchors-'))
    otherStore = await Store.open(folder, networkId(world.params))
  })
  afterAll(async () => {
    await otherStore.close()
    rmSync(folder, { recursive: true })
    await world.close()
  })

  /** Another node with the same anchor key, a purse of its own and nothing in it. */
  async function otherKeeper(): Promise<AnchorKeeper> {
    const { rpc, params } = world
    const purse = new Purse(secretOf(6))
    const keeper = new AnchorKeeper({
      store: otherStore,
      rpc,
      params,
      secret: secretOf(1),
      purse,
      fees: FEES,
      log: SILENT,
    })
    await keeper.load()
    return keeper
  }

  async function bindOther(keeper: AnchorKeeper, number: number): Promise<void> {
    const anchor = { ...anchorOf(number), headerHash: hashOf(0xee), word: hashOf(0xee) }
    await otherStore.commit(keeper.intent(number, anchor))
    keeper.noted(number, anchor)
  }

  test('the one whose number the other used sends nothing more, until a reorganisation gives it back', async () => {
    const [mine, other] = [await world.keeper(), await otherKeeper()]
    await bindAll(world, mine, [1])
    await mine.advance(world.chain)
    await world.mine()
    await bindAll(world, mine, [2, 3])
    await bindOther(other, 2)
    expect(await other.advance(world.chain)).toEqual({ kind: 'sent' })
    // Theirs is in the mempool and pays as much: ours has to wait for a better fee.
    expect(await mine.advance(world.chain)).toMatchObject({
      kind: 'waiting',
      reason: expect.stringContaining('anchor 2 was refused'),
    })
    await world.mine()
    const conflict = { kind: 'conflict', number: 2, txid: world.chain.link.outpoint.txid }
    expect(await mine.advance(world.chain)).toEqual(conflict)
    world.crash()
    expect(await (await world.keeper()).advance(world.chain)).toEqual(conflict)
    expect(await world.mempool()).toEqual([])
    await bindOther(other, 3)
    await other.advance(world.chain)
    await world.mine()
    await bindOther(other, 4)
    await other.advance(world.chain)
    await world.mine()
    // Bitcoin is past all our numbers: what it holds under our last one counts.
    expect(await mine.advance(world.chain)).toMatchObject({ kind: 'conflict', number: 3 })
    const own = (await world.store.get(anchorTransactions, 2))?.at(-1)
    if (own === undefined) throw new Error('ours was signed')
    await world.reorg(3, [[own.raw], [], [], []])
    expect(await mine.advance(world.chain)).toEqual({ kind: 'sent' })
    await world.mine()
    expect(world.chain.link.number).toBe(3)
    expect(await mine.advance(world.chain)).toEqual({ kind: 'sent' })
    expect(await other.advance(world.chain)).toMatchObject({ kind: 'conflict', number: 3 })
  })

  test('numbers that the other used above ours are left to it', async () => {
    const mine = await world.keeper()
    const heir = await Store.open(`${folder}-heir`, networkId(world.params))
    const { rpc, params } = world
    const purse = new Purse(secretOf(6))
    const other = new AnchorKeeper({ store: heir, rpc, params, secret: secretOf(1), purse, fees: FEES, log: SILENT })
    await other.load()
    await heir.commit(other.intent(4, anchorOf(4)))
    other.noted(4, anchorOf(4))
    expect(await other.advance(world.chain)).toEqual({ kind: 'sent' })
    await world.mine()
    expect(await mine.advance(world.chain)).toEqual({ kind: 'sent' })
    await bindAll(world, mine, [5])
    await mine.advance(world.chain)
    await world.mine()
    expect(world.chain.link.number).toBe(5)
    expect(await mine.advance(world.chain)).toEqual({ kind: 'sent' })
    await heir.close()
    rmSync(`${folder}-heir`, { recursive: true })
  })
})
