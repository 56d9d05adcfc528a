import { answerBlocks } from '@kedge/core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { clientOfNode, failures } from './client.ts'
import { Rollup } from './ground.ts'
import type { TestNode } from './test-node.ts'

let rollup: Rollup
let node: TestNode

beforeAll(async () => {
  rollup = await Rollup.start()
  node = await rollup.openNode('challenged')
})

afterAll(async () => {
  await rollup.stop()
  expect(failures).toEqual([])
})

test('false challenges, raised and answered as late as can be, delay finality by what the specification says', async () => {
  const { params } = rollup
  const { challenge, answer, proof, dispute } = params.windows
  const client = clientOfNode(node)
  const height = () => node.queried.follower.chain.height
  await rollup.begin(node, [20], 50_000n)
  const batch = rollup.build(node, [])
  await rollup.mineBatch(node, batch)
  const anchored = height()
  for (const kind of ['data', 'steps'] as const) {
    await rollup.mine(challenge - 1)
    await rollup.challenge(batch.hash, kind)
    await rollup.mine()
    await node.advance()
    // Another one for the same burns its payment for nothing.
    await rollup.challenge(batch.hash, kind)
    await rollup.mine(answerBlocks(params, kind) + answer - 1)
    await rollup.answer(batch, kind)
    await rollup.mine()
    await node.advance()
    const view = await client.batch({ number: batch.number })
    const asked = view.outcome === 'batch' ? view.challenges.find((one) => one.kind === kind) : undefined
    expect(asked).toMatchObject({ answeredAt: height(), deadline: height() })
  }
  await rollup.mine(proof - 1)
  await node.advance()
  expect(await client.batch({ number: batch.number })).toMatchObject({ status: 'anchored' })
  await rollup.mine()
  await node.advance()
  expect(await client.batch({ number: batch.number })).toMatchObject({ status: 'final', verdict: 'checked' })
  const queue = answerBlocks(params, 'data') + answerBlocks(params, 'steps')
  expect(height() - (anchored + dispute)).toBe(2 * (challenge + answer) + queue + proof - dispute)
})
