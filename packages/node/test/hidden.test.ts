import { concatBytes, merkleRoot, operationId, type SealedBatch, stepLeaves } from '@kedge/core'
import { publications } from '@kedge/storage'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Built, keyOf, Rollup } from './ground.ts'
import type { TestNode } from './test-node.ts'

const ALICE = 20
const BOB = 21

let rollup: Rollup
let node: TestNode

beforeAll(async () => {
  rollup = await Rollup.start()
  node = await rollup.openNode('follower')
  await rollup.begin(node, [ALICE, BOB], 5_000n)
  await rollup.mineBatch(node, rollup.build(node, []))
  expect(node.queried.executor.head.number).toBe(2)
})

afterAll(() => rollup.stop())

const numbers = () => node.queried.executor.missing.map(({ number }) => number)

describe('a batch that is hidden behind another', () => {
  const hidden: Built[] = []

  it('is missed too, before its time to be challenged is over', async () => {
    for (let batch = 0; batch < 3; batch++) hidden.push(rollup.build(node, []))
    for (const built of hidden) await rollup.anchor(built)
    rollup.share(hidden[1] as Built)
    await rollup.mine()
    await node.advance()
    expect(numbers()).toEqual([3, 5])
    await rollup.mine()
    await node.advance()
    await node.accuse()
    const challenged: Uint8Array[] = []
    for await (const [, { kind, headerHash, data }] of node.queried.store.range(publications)) {
      expect([kind, data]).toEqual(['challenge', 'data'])
      challenged.push(headerHash)
    }
    expect(challenged).toHaveLength(2)
    expect(challenged).toEqual(expect.arrayContaining([hidden[0]?.hash, hidden[2]?.hash]))
  })

  it('is not missed any more once it is shown', async () => {
    for (const built of hidden) rollup.share(built)
    await node.advance()
    expect(numbers()).toEqual([])
    expect(node.queried.executor.head.number).toBe(5)
  })
})

/** Its third operation is not signed, and its step roots end there. */
function endAtTheFault(honest: SealedBatch): SealedBatch {
  const forged = (honest.operations[2] as Uint8Array).slice()
  forged[173] = (forged[173] as number) ^ 1
  const operations = [...honest.operations.slice(0, 2), forged, ...honest.operations.slice(3)]
  return {
    ...honest,
    operations,
    opsRoot: merkleRoot(concatBytes(...operations.map(operationId))),
    stepsRoot: merkleRoot(stepLeaves(honest.pre, honest.stepRoots.slice(0, 64))),
  }
}

describe('a list of step roots that ends before the batch does', () => {
  it('counts as hidden', async () => {
    const payments = [0n, 1n, 2n, 3n].map((nonce) =>
      rollup.signed(ALICE, keyOf(BOB), { from: 0, toCell: 1, amount: 5n, nonce }),
    )
    const built = rollup.build(node, payments, endAtTheFault)
    await rollup.anchor(built)
    rollup.share(built)
    await rollup.mine()
    await node.advance()
    expect(node.queried.executor.rejection).toMatchObject({ number: 6, fault: 'bad-signature', evidence: undefined })
  })
})
