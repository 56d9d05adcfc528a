import { buildPayment, coinKey } from '@kedge/bitcoin'
import { batchAnchor, encodeEvidence, GENESIS_ROOT, headerHash } from '@kedge/core'
import { anchorTransactions } from '@kedge/storage'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { evidenceOn, isMined, noise, recordOf, type TestBatch, WINDOWS, withBatch } from './publishing.ts'
import { anchorOf, bind, FLAT, NO_BITCOIND, secretOf, World } from './world.ts'

describe.skipIf(NO_BITCOIND)('publications', () => {
  let world: World
  let batch: TestBatch

  beforeAll(async () => {
    world = await World.open('default', [20_000_000n, 10_000_000n, 5_000_000n], WINDOWS)
    batch = await withBatch(world, 10)
  })
  afterAll(() => world.close())

  test.each([1, 2, 6])('taken out by a reorganisation of %i blocks, it is sent again unchanged', async (depth) => {
    const [request, publisher] = [evidenceOn(batch, `evidence ${depth}`), await world.publisher(FLAT)]
    await publisher.publish(request)
    await publisher.advance(world.chain)
    const sent = await world.mempool()
    await world.mine(depth)
    await publisher.advance(world.chain)
    await world.reorg(
      depth,
      Array.from({ length: depth + 1 }, () => []),
    )
    await world.restart()
    expect(await world.mempool()).toEqual([])
    await publisher.advance(world.chain)
    expect(await world.mempool()).toEqual(sent)
    await world.mine()
    expect(isMined(world, request.body)).toBe(true)
    await publisher.advance(world.chain)
    expect(publisher.pending).toBe(0)
  })

  test('a commit that was replaced and is mined all the same gets its reveal', async () => {
    const [request, publisher] = [evidenceOn(batch, 'old commit'), await world.publisher()]
    await publisher.advance(world.chain)
    const others = publisher.pending
    await publisher.publish(request)
    await publisher.advance(world.chain)
    const old = (await recordOf(world, request))?.commits[0]
    if (old === undefined) throw new Error('it was signed')
    await world.restart('minrelaytxfee=0.00008')
    await world.mineExactly()
    await publisher.advance(world.chain)
    await world.restart()
    await world.mineExactly(old.raw)
    await publisher.advance(world.chain)
    const record = await recordOf(world, request)
    expect([record?.commits.length, record?.commits[1]?.txid]).toEqual([2, old.txid])
    await world.mine()
    expect(isMined(world, request.body)).toBe(true)
    await publisher.advance(world.chain)
    expect([publisher.pending, (await world.mempool()).length]).toEqual([others, 0])
  })
})

describe.skipIf(NO_BITCOIND)('evidence that a reorganisation puts before its batch', () => {
  test('has no effect there, so it is published again', async () => {
    const world = await World.open('default', [5_000_000n, 3_000_000n], WINDOWS)
    onTestFinished(() => world.close())
    const keeper = await world.keeper()
    await bind(world, keeper, 1, anchorOf(1))
    await keeper.advance(world.chain)
    await world.mine()
    const header = noise('no header', 100)
    const { height, hash } = world.chain
    const anchor = batchAnchor(
      { parent: new Uint8Array(32), origin: { height, hash }, post: GENESIS_ROOT },
      headerHash(header),
    )
    await bind(world, keeper, 2, anchor)
    await keeper.advance(world.chain)
    await world.mine()
    const publisher = await world.publisher()
    const none = new Uint8Array(0)
    const body = encodeEvidence({ claim: 'header', header, parent: none, grandparent: none })
    await publisher.publish({ kind: 'evidence', headerHash: anchor.headerHash, body })
    await publisher.advance(world.chain)
    const record = await recordOf(world, { kind: 'evidence', headerHash: anchor.headerHash, body })
    await world.mine()
    expect(world.chain).toMatchObject({ mode: 'broken', line: [] })
    await publisher.advance(world.chain)
    const [commit, reveal, link] = [
      record?.commits[0],
      record?.tagged,
      (await world.store.get(anchorTransactions, 2))?.at(-1),
    ]
    if (commit === undefined || reveal === undefined || link === undefined) throw new Error('all were signed')
    await world.reorg(2, [[commit.raw, reveal.raw, link.raw], []])
    expect(world.chain).toMatchObject({ mode: 'active', line: [{ number: 2 }] })
    await publisher.advance(world.chain)
    expect((await world.mempool()).length).toBe(2)
    await world.mine()
    expect(world.chain).toMatchObject({ mode: 'broken', line: [] })
    await publisher.advance(world.chain)
    expect([publisher.pending, (await world.mempool()).length]).toEqual([0, 0])
  })
})

describe.skipIf(NO_BITCOIND)('a publication whose coins a reorganisation takes away', () => {
  test('is signed anew from others', async () => {
    const world = await World.open('default', [900_000n], WINDOWS)
    onTestFinished(() => world.close())
    const batch = await withBatch(world, 1)
    const payer = coinKey(secretOf(77))
    const outpoint = await world.bitcoind.fund(payer.script, 600_000n)
    await world.mine()
    const funding = { key: payer, coins: [{ outpoint, value: 600_000n, height: 1, coinbase: false }], feeRate: 3 }
    const paid = buildPayment([{ script: world.purse.key.script, value: 500_000n }], funding)
    const taken = buildPayment([{ script: payer.script, value: 500_000n }], { ...funding, feeRate: 9 })
    await world.mineExactly(paid.raw)
    const publisher = await world.publisher()
    const request = { kind: 'evidence', headerHash: batch.anchor.headerHash, body: noise('evidence', 2_000) } as const
    await publisher.publish(request)
    await publisher.advance(world.chain)
    const first = await recordOf(world, request)
    await world.reorg(1, [[taken.raw], []])
    expect(await world.mempool()).toEqual([])
    await publisher.advance(world.chain)
    expect((await world.mempool()).length).toBe(2)
    const second = await recordOf(world, request)
    expect([first?.commits.length, second?.commits.length]).toEqual([1, 2])
    await world.mine()
    expect(isMined(world, request.body)).toBe(true)
  })
})
