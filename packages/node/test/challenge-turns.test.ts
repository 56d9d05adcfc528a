import { setTimeout as sleep } from 'node:timers/promises'
import { encodeMessage, regtestRules, sha256 } from '@kedge/core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ChallengeTurns } from '../src/challenge-turns.ts'
import { type Built, Rollup } from './ground.ts'
import type { TestNode } from './test-node.ts'

let rollup: Rollup
let node: TestNode
let hidden: Built

const WINDOWS = { ...regtestRules.windows, challenge: 8, proof: 9, dispute: 20 }

beforeAll(async () => {
  rollup = await Rollup.start({ windows: WINDOWS })
  node = await rollup.openNode('follower')
  await rollup.begin(node, [20], 5_000n)
  hidden = rollup.build(node, [])
  await rollup.anchor(hidden)
  await rollup.mine()
  await node.advance()
})

afterAll(() => rollup.stop())

/** Of many challengers: in what order they take turns is decided by what only looks random. */
function scripts(): Uint8Array[] {
  const payload = encodeMessage({ kind: 'challenge', headerHash: hidden.hash, data: 'data' })
  const placeOf = (script: Uint8Array) => new DataView(sha256(Buffer.concat([script, payload])).buffer).getUint32(0)
  const all = Array.from({ length: 20_000 }, (_, at) => sha256(Uint8Array.of(at & 255, at >> 8)))
  return all.filter((script) => placeOf(script) % 5_000 > 0 && placeOf(script) % 5_000 < 40)
}

test('challengers take turns; who sees another’s challenge wait keeps his money, until time runs out', async () => {
  const { chain } = node.queried.follower
  const limit = chain.height + 8
  const time = { from: limit - 4, limit }
  const due = (turns: ChallengeTurns, height: number) => turns.isDue(hidden.hash, 'data', time, height)
  const { rpc } = rollup.bitcoind
  const make = () => scripts().map((script) => new ChallengeTurns(rpc, rollup.params, script))
  const challengers = make()
  // One that pays too little is none.
  await rollup.challenge(hidden.hash, 'data', rollup.params.fees.challenge - 1n)
  const firstLooks = await Promise.all(challengers.map((turns) => due(turns, time.from)))
  expect(firstLooks.filter(Boolean)).toEqual([])
  await sleep(50)
  const atOnce = await Promise.all(challengers.map((turns) => due(turns, time.from)))
  const early = atOnce.filter(Boolean).length
  expect(early).toBeGreaterThan(0)
  expect(early).toBeLessThan(challengers.length)

  await rollup.challenge(hidden.hash, 'data')
  const later = make()
  await Promise.all(later.map((turns) => due(turns, time.from + 1)))
  await sleep(50)
  expect(await Promise.all(later.map((turns) => due(turns, time.from + 1)))).toEqual(later.map(() => false))
  expect(await Promise.all(later.map((turns) => due(turns, time.from + 2)))).toEqual(later.map(() => true))
})
