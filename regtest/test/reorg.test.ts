import { readTip } from '@kedge/bitcoin'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { expectAgreement, joinLate } from '../src/chaos/agreement.ts'
import { branchAt, goBack, goElsewhere, mineSlowly } from '../src/chaos/branches.ts'
import { depositTo, gather, makePayer, makeRivals, mineUntilCredited, type Payer, send } from '../src/chaos/crowd.ts'
import { freshDice } from '../src/chaos/dice.ts'
import { Load } from '../src/chaos/load.ts'
import { settle } from '../src/chaos/settle.ts'
import { openStand, type Stand } from '../src/chaos/stand.ts'
import { judge } from '../src/chaos/verdict.ts'
import { describeOnBitcoind } from './ground.ts'

/** Beyond the depth from which deposits are credited (1), and beyond the dispute window (6). */
const DEPTHS = process.env.KEDGE_REORGS === 'all' ? [1, 2, 3, 4, 5, 6, 7, 8] : [1, 2, 3, 8]
const PAYERS = 12
const DEPOSIT = 100_000n

const dice = freshDice()

/** On one network: each test leaves it settled, and the last one judges all that happened. */
describeOnBitcoind(`reorganisations, KEDGE_CHAOS_SEED=${dice.seed}`, () => {
  let stand: Stand
  let payers: readonly Payer[]
  let load: Load
  beforeAll(async () => {
    stand = await openStand({ challengers: 2, sealAfterMs: 150 })
    payers = await gather(stand.network, PAYERS, DEPOSIT)
    load = newLoad(payers)
  }, 90_000)
  afterAll(() => stand.close(), 60_000)

  function newLoad(by: readonly Payer[]): Load {
    const { network } = stand
    return new Load({
      params: network.params,
      payers: by,
      nodes: () => network.running,
      dice: dice.fork(),
      senders: 3,
      pauseMs: 30,
    })
  }

  /** Transfers, and a deposit in each of some blocks. */
  async function happen(blocks: number): Promise<void> {
    load.start()
    for (let block = 0; block < blocks; block++) {
      await depositTo(stand.network.bitcoind, stand.network.params, dice.pick(payers).key, 2_000n)
      await stand.network.mine()
    }
  }

  const play = (work: () => Promise<void>) => () => stand.play(work)

  it.each(DEPTHS)('of depth %i, across anchors and deposits', { timeout: 120_000 }, (depth) =>
    stand.play(async () => {
      const { network } = stand
      await happen(depth)
      // Of every other depth transfers keep coming meanwhile.
      if (depth % 2 === 0) await load.stop()
      await network.reorg(depth)
      await load.stop()
      await settle(network, load)
      await expectAgreement(network, payers)
    }),
  )

  it(
    'there, back and elsewhere: what was carried out of a batch that lived again and died again is carried again',
    { timeout: 120_000 },
    play(async () => {
      const { network } = stand
      await happen(3)
      await load.stop()
      await mineSlowly(network, 1)
      const height = (await readTip(network.bitcoind.rpc)).height - 3
      const first = await branchAt(network, height)
      await network.reorg(4)
      await settle(network, load)
      await goBack(network, await branchAt(network, height), first)
      await settle(network, load)
      await goElsewhere(network, height, 4)
      await settle(network, load)
      await expectAgreement(network, payers)
    }),
  )

  it(
    'a deposit that is spent otherwise takes with it what was paid with it, and nothing else',
    { timeout: 120_000 },
    play(async () => {
      const { network } = stand
      const { bitcoind, params, sequencer } = network
      const dora = makePayer('dora', params)
      const { deposit, rival } = await makeRivals(bitcoind, params, dora.key, DEPOSIT)
      await network.mine()
      const height = (await readTip(bitcoind.rpc)).height + 1
      await send(bitcoind, deposit)
      await mineUntilCredited(network, [dora])
      const hers = newLoad([dora, ...payers])
      await hers.sendOnce([dora], dice, sequencer)
      await happen(1)
      await load.stop()
      const tip = (await readTip(bitcoind.rpc)).height
      await bitcoind.reorg(tip - height + 1, [[rival]])
      await mineSlowly(network, 4)
      await settle(network, load)
      await expectAgreement(network, [...payers, dora])
      const [id] = hers.acknowledged.keys()
      expect(await sequencer.client.payment({ id: id ?? '' })).toMatchObject({
        rung: 'dropped',
        reason: 'unknown-cell',
      })
    }),
  )

  it(
    'nothing is lost, nothing is done twice, and a late joiner comes to the same state',
    { timeout: 120_000 },
    play(async () => {
      const { network } = stand
      await joinLate(network, payers, 'late')
      await network.stop()
      await network.bitcoind.start()
      const { faults, broken, truth } = await judge(network, load)
      expect([...faults, ...broken]).toEqual([])
      expect(truth.moved.length).toBeGreaterThan(0)
    }),
  )
})
