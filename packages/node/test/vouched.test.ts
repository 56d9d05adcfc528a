import { encodeHeaderPart, toHex } from '@kedge/core'
import { publications } from '@kedge/storage'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Answerer } from '../src/answer.ts'
import { type Built, keyOf, Rollup } from './ground.ts'
import type { TestNode } from './test-node.ts'

const [ALICE, BOB] = [20, 21]
const CAPS = { operations: 6, deposits: 4, forced: 2, ticks: 2, answerVbytesPerBlock: 1_000_000 }

/** Watchers vouch for a batch and serve it to nobody. */
describe('a batch that watchers vouch for', () => {
  let rollup: Rollup
  let node: TestNode
  let nonce = 0n

  beforeAll(async () => {
    rollup = await Rollup.start({ caps: CAPS, data: { kind: 'certified', operations: 16 } })
    node = await rollup.openNode('follower')
    await rollup.begin(node, [ALICE, BOB], 5_000n)
    await rollup.mineBatch(node, rollup.build(node, []))
  })

  afterAll(() => rollup.stop())

  /** Anchored, with the next eight payments; its data are nowhere. */
  async function anchored(): Promise<Built> {
    const payments = Array.from({ length: 8 }, () =>
      rollup.signed(ALICE, keyOf(BOB), { from: 0, toCell: 1, amount: 5n, nonce: nonce++ }),
    )
    const built = rollup.vouchedFor(rollup.build(node, payments))
    await rollup.anchor(built)
    await rollup.mine(2)
    return built
  }

  /** What a challenger in this node's place puts on Bitcoin, and what one that answers at once does. */
  async function published(answers = false): Promise<{ kind: string; data?: string; body: Uint8Array }[]> {
    const { store, follower } = node.queried
    const publisher = await node.publisher()
    if (answers) await new Answerer({ store, follower, publisher, patience: 0, mayServe: () => true }).act()
    else await node.accuse()
    const all: { kind: string; data?: string; body: Uint8Array }[] = []
    for await (const [id, { kind, data: of, body }] of store.range(publications)) {
      all.push({ kind, ...(of && { data: of }), body })
      await store.commit([publications.del(id)])
    }
    return all
  }

  it('is challenged for its header, and for nothing more once that is there', async () => {
    const built = await anchored()
    await node.advance()
    expect(node.queried.executor.pending).toMatchObject({ reason: 'nobody at hand has the header' })
    expect(await published()).toMatchObject([{ kind: 'challenge', data: 'data' }])
    rollup.peers.set(`header/${toHex(built.hash)}`, built.bytes)
    await node.advance()
    const reason = 'nobody at hand has the operations, although watchers vouch for them'
    expect(node.queried.executor.pending).toMatchObject({ reason })
    expect(await published()).toEqual([])
    rollup.share(built)
    await node.advance()
    expect(node.queried.executor.head.headerHash).toEqual(built.hash)
  })

  it('is answered for by its header, whose bytes Bitcoin shows then', async () => {
    const built = await anchored()
    await rollup.challenge(built.hash, 'data')
    await rollup.mine()
    await rollup.answerByHeader(built, 'data')
    await rollup.mine()
    await node.advance()
    const { follower, executor, data } = node.queried
    expect(follower.chain.line.at(-1)?.challenges.data?.answeredAt).toBe(follower.chain.height)
    expect((await data.header(built.hash))?.opCount).toBe(8)
    expect(executor.pending?.reason).toContain('although watchers vouch')
    rollup.share(built)
    await node.advance()
    expect(executor.head.headerHash).toEqual(built.hash)
  })

  it('takes no more of whoever holds it than to show that header', async () => {
    const built = await anchored()
    rollup.share(built)
    await rollup.challenge(built.hash, 'steps')
    await rollup.mine()
    await node.advance()
    const { bytes: headerBytes, sealed } = built
    const body = encodeHeaderPart('steps', { headerBytes, pre: sealed.pre })
    expect(await published(true)).toEqual([{ kind: 'part', data: 'steps', body }])
  })
})
