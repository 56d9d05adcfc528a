import { MAX_PUBLICATION, printHash, RpcUnreachableError } from '@kedge/bitcoin'
import { equalBytes, readPieces, signalScript } from '@kedge/core'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { rateOf } from '../src/fees.ts'
import { answerParts } from '../src/index.ts'
import { evidenceOn, isMined, messagesIn, noise, recordOf, type TestBatch, WINDOWS, withBatch } from './publishing.ts'
import { FLAT, NO_BITCOIND, World } from './world.ts'

describe.skipIf(NO_BITCOIND).each(['default', 'core'] as const)('publications under the %s policy', (policy) => {
  let world: World
  let batch: TestBatch

  beforeAll(async () => {
    // The rest of the purse is one coin: all that is sent stands on its change.
    world = await World.open(policy, [30_000_000n], WINDOWS)
    batch = await withBatch(world, 1_750)
  })
  afterAll(() => world.close())

  test('evidence of 3 kB is mined in one block, and read back', async () => {
    const publisher = await world.publisher()
    const body = noise('evidence', 3_000)
    const request = { kind: 'evidence', headerHash: batch.anchor.headerHash, body } as const
    await publisher.publish(request)
    expect(publisher.pending).toBe(1)
    await publisher.advance(world.chain)
    expect((await world.mempool()).length).toBe(2)
    await publisher.publish(request)
    await publisher.advance(world.chain)
    expect((await world.mempool()).length).toBe(2)
    await world.mine()
    const [mined, ...more] = messagesIn(world)
    expect([mined?.kind, more.length]).toEqual(['evidence', 0])
    expect(mined && equalBytes(readPieces(mined.transaction), body)).toBe(true)
    expect(mined?.transaction.outputs[1]).toEqual({ script: signalScript(world.params), value: 330n })
    await publisher.advance(world.chain)
    expect([publisher.pending, (await world.mempool()).length]).toEqual([0, 0])
    await publisher.publish(request)
    await publisher.advance(world.chain)
    expect(await world.mempool()).toEqual([])
  })

  test('a challenge burns its payment, and an answer of 300 kB ends it two blocks later', async () => {
    const publisher = await world.publisher()
    const { headerHash: hash } = batch.anchor
    await publisher.publish({ kind: 'challenge', headerHash: hash, data: 'data' })
    await publisher.advance(world.chain)
    await world.mine()
    expect(messagesIn(world)[0]?.transaction.outputs[0]?.value).toBe(world.params.fees.challenge)
    expect(world.chain.line[0]?.challenges.data).toMatchObject({ raisedAt: world.chain.height })
    await publisher.advance(world.chain)
    const bodies = answerParts('data', batch.source)
    expect(bodies.length).toBe(2)
    expect(bodies.reduce((sum, { length }) => sum + length, 0)).toBeGreaterThan(300_000)
    for (const body of bodies) await publisher.publish({ kind: 'part', headerHash: hash, data: 'data', body })
    await publisher.advance(world.chain)
    await world.mine()
    await publisher.advance(world.chain)
    await world.mine()
    expect(world.events.map(({ kind }) => kind)).toContain('answered')
    await publisher.advance(world.chain)
    expect([publisher.pending, (await world.mempool()).length]).toEqual([0, 0])
  })
})

describe.skipIf(NO_BITCOIND)('publications', () => {
  let world: World
  let batch: TestBatch
  let seeds = 0

  beforeAll(async () => {
    world = await World.open('default', [20_000_000n, 10_000_000n, 5_000_000n], WINDOWS)
    batch = await withBatch(world, 10)
  })
  afterAll(() => world.close())

  /** Another one for each test. */
  function evidence(size?: number) {
    seeds += 1
    return evidenceOn(batch, `evidence ${seeds}`, size)
  }

  describe('a crash between any two effects', () => {
    const moments = [
      ['before anything was signed', 'before', 'estimatesmartfee', 1],
      ['when the commit is signed, and bitcoind has not heard of it', 'before', 'sendrawtransaction', 1],
      ['when bitcoind has the commit, and that was never learnt', 'after', 'sendrawtransaction', 1],
      ['when the reveal is signed, and bitcoind has not heard of it', 'before', 'sendrawtransaction', 2],
      ['when bitcoind has the reveal, and that was never learnt', 'after', 'sendrawtransaction', 2],
    ] as const

    test.each(moments)('%s', async (_, at, method, count) => {
      const request = evidence()
      await (await world.publisher(FLAT)).publish(request)
      const doomed = await world.publisher(FLAT)
      world.wire.cut(at, method, count)
      await expect(doomed.advance(world.chain)).rejects.toThrow(RpcUnreachableError)
      world.crash()
      const publisher = await world.publisher(FLAT)
      await publisher.advance(world.chain)
      expect((await world.mempool()).length).toBe(2)
      await world.mine()
      expect(isMined(world, request.body)).toBe(true)
      expect((await recordOf(world, request))?.commits.length).toBe(1)
      world.crash()
      const last = await world.publisher(FLAT)
      await last.advance(world.chain)
      expect([last.pending, (await world.mempool()).length]).toEqual([0, 0])
    })
  })

  test('what waits is raised up to the cap, and whichever version is mined ends it', async () => {
    await world.restart()
    const [request, publisher] = [evidence(), await world.publisher({ cap: 12, fallback: 2 })]
    await publisher.publish(request)
    await publisher.advance(world.chain)
    const first = (await recordOf(world, request))?.tagged
    const commit = (await recordOf(world, request))?.commits[0]
    if (first === undefined || commit === undefined) throw new Error('both were signed')
    await world.mineExactly()
    const dear = await world.publisher({ cap: 12, fallback: 9 })
    await dear.advance(world.chain)
    const record = await recordOf(world, request)
    expect([record?.commits.length, record?.replaced]).toEqual([1, [first.txid]])
    const second = record?.tagged
    if (second === undefined) throw new Error('it was raised')
    const [paid, size] = [commit.fee + second.fee, commit.vsize + second.vsize]
    expect(Number(paid) / size).toBeGreaterThan(8.9)
    expect(Number(paid) / size).toBeLessThan(12.6)
    expect(await world.mempool()).toEqual([commit, second].map(({ txid }) => printHash(txid)).sort())
    await world.mineExactly(commit.raw, first.raw)
    await dear.advance(world.chain)
    expect([dear.pending, (await world.mempool()).length]).toEqual([0, 0])
    expect(isMined(world, request.body)).toBe(true)
  })

  test('a challenge that is raised burns once', async () => {
    await world.restart()
    const request = { kind: 'challenge', headerHash: batch.anchor.headerHash, data: 'steps' } as const
    const publisher = await world.publisher(FLAT)
    await publisher.publish(request)
    await publisher.advance(world.chain)
    await world.mineExactly()
    const dear = await world.publisher({ cap: 40, fallback: 30 })
    await dear.advance(world.chain)
    expect((await world.mempool()).length).toBe(1)
    expect((await recordOf(world, request))?.replaced.length).toBe(1)
    await world.mine()
    expect(world.chain.line[0]?.challenges.steps).toBeDefined()
    expect(messagesIn(world).length).toBe(1)
    await dear.advance(world.chain)
    expect(dear.pending).toBe(0)
  })

  test('a challenge that somebody else raised already is not sent', async () => {
    const publisher = await world.publisher()
    await publisher.publish({ kind: 'challenge', headerHash: batch.anchor.headerHash, data: 'steps' })
    await publisher.publish({
      kind: 'part',
      headerHash: batch.anchor.headerHash,
      data: 'data',
      body: noise('part', 900),
    })
    await publisher.advance(world.chain)
    expect(await world.mempool()).toEqual([])
  })

  test('when bitcoind asks for more than the commit pays, both are signed anew', async () => {
    const [request, publisher] = [evidence(), await world.publisher()]
    await publisher.publish(request)
    await publisher.advance(world.chain)
    await world.restart('minrelaytxfee=0.00008')
    await world.mineExactly()
    await publisher.advance(world.chain)
    expect((await world.mempool()).length).toBe(2)
    expect((await recordOf(world, request))?.commits.length).toBe(2)
    await world.mine()
    expect(isMined(world, request.body)).toBe(true)
    await world.restart()
  })

  test('dropped before it is sent, it never was', async () => {
    const [request, publisher] = [evidence(), await world.publisher()]
    await publisher.publish(request)
    await publisher.drop(batch.anchor.headerHash)
    await publisher.advance(world.chain)
    expect([await recordOf(world, request), await world.mempool()]).toEqual([undefined, []])
  })

  test('dropped once it is sent, it gives its coins back with the block', async () => {
    const [request, publisher] = [evidence(), await world.publisher()]
    const before = world.purse.balance
    await publisher.publish(request)
    await publisher.advance(world.chain)
    expect(world.purse.balance).toBeLessThan(before - 1_000_000n)
    await publisher.drop(batch.anchor.headerHash)
    await publisher.advance(world.chain)
    await world.mine()
    await publisher.advance(world.chain)
    expect(await recordOf(world, request)).toBeUndefined()
    expect(world.purse.balance).toBeGreaterThan(before - 20_000n)
  })

  test('dropped, and out of the mempool, it is forgotten; wanted again, it is sent again', async () => {
    const [request, publisher] = [evidence(), await world.publisher()]
    await publisher.publish(request)
    await publisher.advance(world.chain)
    await publisher.drop(batch.anchor.headerHash)
    await publisher.publish(request)
    await publisher.advance(world.chain)
    expect((await recordOf(world, request))?.state).toBe('live')
    await publisher.drop(batch.anchor.headerHash)
    await world.restart()
    await publisher.advance(world.chain)
    expect([await recordOf(world, request), await world.mempool()]).toEqual([undefined, []])
  })

  test('too much or nothing at all is no publication', async () => {
    const publisher = await world.publisher()
    for (const size of [0, MAX_PUBLICATION + 1])
      await expect(publisher.publish(evidence(size))).rejects.toThrow(RangeError)
  })

  test('a hundred blocks deep only a mark stays', async () => {
    const [request, publisher] = [evidence(), await world.publisher()]
    await publisher.publish(request)
    await publisher.advance(world.chain)
    await world.mine(99)
    await publisher.advance(world.chain)
    expect((await recordOf(world, request))?.state).toBe('live')
    await world.mine()
    await publisher.advance(world.chain)
    expect(await recordOf(world, request)).toMatchObject({
      state: 'buried',
      body: new Uint8Array(0),
      commits: [],
      replaced: [],
    })
    await publisher.publish(request)
    await publisher.advance(world.chain)
    expect(await world.mempool()).toEqual([])
  })
})

describe.skipIf(NO_BITCOIND)('a challenge whose coin is too small to be spent at a higher rate', () => {
  test('is not raised by a second one, which would burn twice', async () => {
    const world = await World.open('default', [1_000_000n, 15_000n], WINDOWS)
    onTestFinished(() => world.close())
    const batch = await withBatch(world, 1)
    const publisher = await world.publisher({ cap: 2, fallback: 2 })
    await publisher.publish({ kind: 'challenge', headerHash: batch.anchor.headerHash, data: 'data' })
    await publisher.advance(world.chain)
    const sent = await world.mempool()
    expect(sent.length).toBe(1)
    await world.mineExactly()
    await (await world.publisher({ cap: 300, fallback: 300 })).advance(world.chain)
    expect(await world.mempool()).toEqual(sent)
  })
})

describe.skipIf(NO_BITCOIND)('many at once from one coin', () => {
  let world: World
  let batch: TestBatch

  beforeAll(async () => {
    world = await World.open('default', [40_000_000n], WINDOWS)
    batch = await withBatch(world, 1)
  })
  afterAll(() => world.close())

  test('twenty small ones are out in two blocks, though a chain may hold 25', async () => {
    const publisher = await world.publisher()
    const requests = Array.from({ length: 20 }, (_, at) => evidenceOn(batch, `small ${at}`, 600))
    for (const [at, request] of requests.entries()) {
      await publisher.publish(request)
      if (at < 4) await publisher.advance(world.chain)
    }
    await publisher.advance(world.chain)
    // Sent again, each goes after the one whose change it spends, whatever the order they are looked after in.
    await world.restart()
    await publisher.advance(world.chain)
    expect((await world.mempool()).length).toBeGreaterThan(20)
    for (const request of requests) expect((await recordOf(world, request))?.commits.length).toBe(1)
    const blocks: number[] = []
    while (publisher.pending > 0 && blocks.length < 5) {
      await publisher.advance(world.chain)
      expect((await world.mempool()).length).toBeLessThanOrEqual(40)
      await world.mine()
      blocks.push(messagesIn(world).length)
      await publisher.advance(world.chain)
    }
    expect(blocks.reduce((sum, count) => sum + count, 0)).toBe(20)
    expect(blocks.length).toBeLessThanOrEqual(3)
  })

  test('three large ones wait for their commits; those are raised by the last of them', async () => {
    await world.restart()
    const publisher = await world.publisher({ cap: 40, fallback: 2 })
    const requests = Array.from({ length: 3 }, (_, at) => evidenceOn(batch, `large ${at}`, MAX_PUBLICATION))
    for (const request of requests) await publisher.publish(request)
    await publisher.advance(world.chain)
    const waiting = await world.mempool()
    expect(waiting.length).toBe(3)
    await world.mineExactly()
    const dear = await world.publisher({ cap: 40, fallback: 6 })
    await dear.advance(world.chain)
    const raised = await world.mempool()
    expect(raised.length).toBe(3)
    expect(raised.filter((txid) => waiting.includes(txid)).length).toBe(2)
    const records = await Promise.all(requests.map((request) => recordOf(world, request)))
    const commits = records.flatMap((record) => record?.commits.slice(-1) ?? [])
    expect(commits.length).toBe(3)
    expect(rateOf(commits)).toBeGreaterThan(5.9)
    await world.mine()
    await dear.advance(world.chain)
    await world.mine()
    for (const request of requests) expect(isMined(world, request.body)).toBe(true)
    await dear.advance(world.chain)
    expect([dear.pending, (await world.mempool()).length]).toEqual([0, 0])
  })
})
