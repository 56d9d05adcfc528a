import { cp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { backUp, restoreMachine } from '../src/chaos/copies.ts'
import { gather, type Payer, signNext } from '../src/chaos/crowd.ts'
import { SlotCollector } from '../src/chaos/slot-collector.ts'
import { openStand, type Stand } from '../src/chaos/stand.ts'
import type { NodeProcess } from '../src/node-process.ts'
import { waitFor } from '../src/waiting.ts'
import { describeOnBitcoind } from './ground.ts'

const TIMEOUT = { timeout: 90_000 }
const STALE = /is not the newest of the slot key: a peer has tick/
const SEAL_MS = 300

interface Ground {
  readonly stand: Stand
  readonly payers: readonly Payer[]
  readonly collector: SlotCollector
}

async function openGround(sealAfterMs: number): Promise<Ground> {
  const stand = await openStand({ challengers: 1, sealAfterMs })
  const payers = await gather(stand.network, 2, 100_000n)
  return { stand, payers, collector: new SlotCollector(stand.network.params) }
}

/** One payment, until it is promised. @returns the batch that it is promised in */
async function pay({ stand, payers, collector }: Ground, node: NodeProcess): Promise<number> {
  const { params } = stand.network
  const [from, to] = payers as [Payer, Payer]
  const { bytes } = signNext(params, from, to, 7n)
  const check = () => stand.network.sequencer.check()
  await waitFor({ until: `${node.name} has a promise for a payment`, check }, async (note) => {
    const { receipts, refused } = await node.client.submitTransfers({ bytes })
    note(JSON.stringify(refused))
    for (const receipt of receipts) collector.addReceipt(receipt)
    return receipts.length > 0 ? true : undefined
  })
  from.nonce++
  return collector.promises.at(-1)?.number ?? 0
}

/** Starts the machine's old copy, and offers it a payment. @returns what it ended with */
async function startCopy(ground: Ground): Promise<string> {
  const { network } = ground.stand
  await restoreMachine(network, 'copy', 'newest')
  const ended = await network.sequencer.start().then(() => pay(ground, network.sequencer).then(String, String), String)
  expect(network.sequencer.isRunning).toBe(false)
  return ended
}

/** Goes on with the newest data. */
async function goOn({ stand }: Ground): Promise<void> {
  const { network } = stand
  await restoreMachine(network, 'newest', 'refused')
  for (const name of ['copy', 'newest', 'refused']) await rm(join(network.folder, name), { recursive: true })
  await network.sequencer.start()
}

async function copyStopped({ stand }: Ground): Promise<void> {
  const { network } = stand
  await network.sequencer.stop()
  await backUp(network, 'copy')
}

/** The data folder and the record beside the keys, both from an old copy; only a peer can know. */
describeOnBitcoind('a machine whose disk was restored, killed while its batch was open', () => {
  let ground: Ground
  beforeAll(async () => {
    ground = await openGround(1e6)
  }, 90_000)
  afterAll(() => ground.stand.close(), 60_000)

  const expectRefused = async (hasTick: boolean, via: (ground: Ground) => NodeProcess | undefined) => {
    const { stand, collector, payers } = ground
    const { sequencer } = stand.network
    if (hasTick) await pay(ground, sequencer)
    await copyStopped(ground)
    const { nonce } = payers[0] as Payer
    await sequencer.start()
    await stand.network.connected()
    await pay(ground, via(ground) ?? sequencer)
    const newest = (payers[0] as Payer).nonce
    await sequencer.kill()
    ;(payers[0] as Payer).nonce = nonce
    expect(await startCopy(ground)).toMatch(STALE)
    expect(collector.faults).toEqual([])
    ;(payers[0] as Payer).nonce = newest
    await goOn(ground)
    await pay(ground, sequencer)
    expect(collector.faults).toEqual([])
  }

  it('with no promise so far, and then one by the challenger', TIMEOUT, () =>
    ground.stand.play(() => expectRefused(false, ({ stand }) => stand.network.challengers[0])),
  )

  it('with promises, and one more by its own API', TIMEOUT, () =>
    ground.stand.play(() => expectRefused(true, () => undefined)),
  )

  it('beside nobody: it signs nothing until a challenger is there', TIMEOUT, () =>
    ground.stand.play(async () => {
      const { network } = ground.stand
      const [challenger] = network.challengers as [NodeProcess]
      await challenger.stop()
      await network.sequencer.kill()
      await network.sequencer.start()
      const { bytes } = signNext(network.params, ...(ground.payers as [Payer, Payer]), 3n)
      const until = performance.now() + 5_000
      while (performance.now() < until) {
        const { receipts, refused } = await network.sequencer.client.submitTransfers({ bytes })
        expect([receipts, refused.map(({ code }) => code)]).toEqual([[], ['syncing']])
        await new Promise((resolve) => setTimeout(resolve, 200))
      }
      expect((await network.sequencer.client.health()).synced).toBe(false)
      await challenger.start()
      await pay(ground, network.sequencer)
    }),
  )
})

describeOnBitcoind('a machine that was restored with its bitcoind, whose mempool is lost', () => {
  let ground: Ground
  beforeAll(async () => {
    ground = await openGround(SEAL_MS)
  }, 90_000)
  afterAll(() => ground.stand.close(), 60_000)

  it('after batches that no block holds: nothing is promised or sealed again', TIMEOUT, () =>
    ground.stand.play(async () => {
      const { stand, collector } = ground
      const { network } = stand
      const { sequencer, bitcoind, folder } = network
      await copyStopped(ground)
      await cp(join(folder, 'bitcoind'), join(folder, 'bitcoind-copy'), { recursive: true })
      await sequencer.start()
      await network.connected()
      const first = await pay(ground, sequencer)
      await waitFor({ until: 'three batches are promised in' }, async () =>
        (await pay(ground, sequencer)) >= first + 2 ? true : undefined,
      )
      await sequencer.kill()
      await bitcoind.kill()
      await rm(join(folder, 'bitcoind'), { recursive: true })
      await cp(join(folder, 'bitcoind-copy'), join(folder, 'bitcoind'), { recursive: true })
      await bitcoind.start()
      expect(await startCopy(ground)).toMatch(STALE)
      expect(collector.faults).toEqual([])
    }),
  )
})
