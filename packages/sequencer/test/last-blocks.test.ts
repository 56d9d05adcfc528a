import { setTimeout as sleep } from 'node:timers/promises'
import { type Bond, headOf, regtestBond } from '@kedge/core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { keyOf, type Sequencer, secretOf, Workshop } from './workshop.ts'

/** Nothing more is promised when the bond's epoch, or the chain, is about to end; what is promised is kept all the same. */

const [ALICE, BOB] = [20, 21]
/** Batches stay open for longer than a test takes to mine a block. */
const SEAL_MS = 1_000
const EPOCH = 50

let workshop: Workshop
let sequencer: Sequencer

beforeAll(async () => {
  workshop = await Workshop.start(5, { bond: { ...regtestBond, sequencer: keyOf(6), return: keyOf(7), epoch: EPOCH } })
  await begin()
  await workshop.deposit(keyOf(ALICE), 5_000n)
  await mine(6)
}, 30_000)

afterAll(async () => {
  await sequencer.crash()
  await workshop.stop()
})

/** The bond is as Bitcoin would show it: funded, and signed for, in that block. */
async function begin(sealAfterMs = 0, fundedAt = workshop.params.scanHeight): Promise<void> {
  sequencer = await workshop.open(sealAfterMs)
  await sequencer.follow()
  const { follower } = sequencer.node
  const outpoint = { txid: secretOf(0x40), vout: 0 }
  const bond: Bond = {
    bond: { outpoint, value: 1_000_000n },
    detectors: [{ outpoint: { ...outpoint, vout: 1 }, value: 1_000n }],
    fundedAt,
    slash: { signature: new Uint8Array(64), height: fundedAt },
  }
  follower.chain = { ...follower.chain, bonds: [bond] }
  await sequencer.turn()
}

async function mine(blocks = 1): Promise<void> {
  for (let block = 0; block < blocks; block++) {
    await sequencer.turn()
    await workshop.bitcoind.mine(1)
    await sequencer.turn()
  }
}

const height = () => sequencer.node.follower.chain.height
const pay = (nonce: bigint) =>
  sequencer.submit(workshop.signed(ALICE, { from: 0, to: keyOf(BOB), amount: 5n, nonce, toCell: 1 }))

test('a batch that takes promises when its bond covers no new one for long is sealed, also after a restart', async () => {
  const { windows, scanHeight } = workshop.params
  await sequencer.stop()
  await begin(SEAL_MS)
  await mine(scanHeight + EPOCH - windows.staleness - height())
  expect(await pay(0n)).toMatchObject([{ ok: true }])
  const number = sequencer.producer.openBatch?.batch.place.number
  await workshop.bitcoind.mine(1)
  await sequencer.turn()
  expect(await pay(1n)).toMatchObject([{ ok: false, code: 'chain-broken' }])
  expect(sequencer.producer.openBatch?.batch.place.number).toBe(number)
  await sequencer.stop()
  await begin(SEAL_MS)
  expect(sequencer.producer.openBatch?.batch).toMatchObject({ count: 1, place: { number } })
  await sleep(SEAL_MS)
  await mine()
  expect(headOf(sequencer.node.follower.chain).number).toBe(number)
  expect(await pay(1n)).toMatchObject([{ ok: false, code: 'chain-broken' }])
})

test('nothing is promised while the chain may end before it is anchored; an empty batch keeps the chain alive', async () => {
  const { windows } = workshop.params
  await sequencer.stop()
  await workshop.bitcoind.mine(windows.exit - windows.staleness + 1)
  await begin(0, height() + windows.exit - windows.staleness)
  expect(await pay(1n)).toMatchObject([{ ok: false, code: 'chain-broken' }])
  await mine()
  expect(await pay(1n)).toMatchObject([{ ok: true }])
})
