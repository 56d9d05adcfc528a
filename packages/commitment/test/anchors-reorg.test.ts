import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buildPayment, coinKey, printOutpoint } from '@kedge/bitcoin'
import { equalBytes, networkId } from '@kedge/core'
import { anchorTransactions, type SignedRecord, Store } from '@kedge/storage'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { AnchorKeeper, Purse } from '../src/index.ts'
import { spentBy } from '../src/signed.ts'
import { bindAll, bindNext, minedNumbers, namesOf, newestOf, versionsOf } from './anchoring.ts'
import { anchorOf, FEES, FLAT, hashOf, NO_BITCOIND, SILENT, secretOf, World } from './world.ts'

describe.skipIf(NO_BITCOIND)('anchors', () => {
  let world: World

  beforeAll(async () => {
    world = await World.open('default', [2_000_000n, 3_000_000n])
    await bindAll(world, await world.keeper(), [1])
    await (await world.keeper()).advance(world.chain)
    await world.mine()
  })
  afterAll(() => world.close())

  test.each([1, 2, 3, 4, 5, 6])('a reorganisation of %i blocks gives them back unchanged', async (depth) => {
    const keeper = await world.keeper(FLAT)
    const numbers = await bindNext(world, keeper, depth)
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
    expect(await world.mempool()).toEqual(namesOf(signed))
    await world.mine()
    expect(minedNumbers(world)).toEqual(numbers)
    expect(await Promise.all(numbers.map((number) => versionsOf(world, number)))).toEqual(before)
  })

  test('an old version that is mined is built upon', async () => {
    await world.restart()
    const keeper = await world.keeper()
    const [first = 0] = await bindNext(world, keeper, 1)
    await keeper.advance(world.chain)
    const old = await newestOf(world, first)
    await world.mineExactly()
    const dearer = await world.keeper({ cap: 50, fallback: 10 })
    await dearer.advance(world.chain)
    const raised = await newestOf(world, first)
    expect(raised.fee).toBeGreaterThan(old.fee)
    const [second = 0] = await bindNext(world, dearer, 1)
    await dearer.advance(world.chain)
    const orphan = await newestOf(world, second)
    expect(await world.mempool()).toEqual(namesOf([raised, orphan]))
    await world.mineExactly(old.raw)
    expect(world.chain.link).toMatchObject({ number: first, outpoint: { txid: old.txid } })
    expect(await dearer.advance(world.chain)).toEqual({ kind: 'sent' })
    const rebuilt = await newestOf(world, second)
    expect(await world.mempool()).toEqual(namesOf([rebuilt]))
    expect(rebuilt.txid).not.toEqual(orphan.txid)
    // And back: bitcoind has the old version and what was built on it again, so they are taken.
    await world.reorg(1, [[], []])
    expect(await dearer.advance(world.chain)).toEqual({ kind: 'sent' })
    await world.mine()
    expect(minedNumbers(world)).toEqual([first, second])
    expect(world.newest.transactions.some(({ txid }) => equalBytes(txid, old.txid))).toBe(true)
  })
})

describe.skipIf(NO_BITCOIND)('anchors whose coin a reorganisation takes away', () => {
  test('are signed anew without it', async () => {
    const world = await World.open('default', [])
    onTestFinished(() => world.close())
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
  })
})

describe.skipIf(NO_BITCOIND)('two signers with one key', () => {
  let world: World
  let folder: string
  let otherStore: Store

  beforeAll(async () => {
    world = await World.open('default', [2_000_000n])
    folder = mkdtempSync(join(tmpdir(), 'kedge-anchors-'))
    otherStore = await Store.open(join(folder, 'other'), networkId(world.params))
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
    const heir = await Store.open(join(folder, 'heir'), networkId(world.params))
    onTestFinished(() => heir.close())
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
  })
})
