import { afterAll, beforeAll, expect, it } from 'vitest'
import { expectAgreement, joinLate } from '../src/chaos/agreement.ts'
import { mineSlowly } from '../src/chaos/branches.ts'
import { gather, type Payer } from '../src/chaos/crowd.ts'
import { freshDice } from '../src/chaos/dice.ts'
import { Load } from '../src/chaos/load.ts'
import { settle } from '../src/chaos/settle.ts'
import { openStand, type Stand } from '../src/chaos/stand.ts'
import { judge } from '../src/chaos/verdict.ts'
import type { LieName } from '../src/lies.ts'
import { readLinks } from '../src/told.ts'
import { describeOnBitcoind } from './ground.ts'

/** One that evidence shows, one that nobody answers for, one whose data nobody gets. */
const TOLD: readonly LieName[] = ['credit-itself', 'garbage-steps', 'withhold-data']
const PAYERS = 8
const DEPOSIT = 100_000n
const BLOCKS_MAX = 30

const dice = freshDice()

/** On one network, with the relay policy that the others don't have: each test leaves it settled. */
describeOnBitcoind(
  `who was there from the start, who was away and who comes late, KEDGE_CHAOS_SEED=${dice.seed}`,
  () => {
    let stand: Stand
    let payers: readonly Payer[]
    let load: Load
    beforeAll(async () => {
      stand = await openStand({ challengers: 2, sealAfterMs: 200, mayLie: true, policy: 'core' })
      const { network } = stand
      payers = await gather(network, PAYERS, DEPOSIT)
      load = new Load({
        params: network.params,
        payers,
        nodes: () => network.running,
        dice: dice.fork(),
        senders: 2,
        pauseMs: 50,
      })
      await network.challengers[1]?.stop()
    }, 90_000)
    afterAll(() => stand.close(), 60_000)

    async function voids(): Promise<number> {
      const links = await readLinks(stand.network.sequencer.client)
      return links.filter((link) => link.outcome === 'batch' && link.status === 'void').length
    }

    it.each(TOLD)(
      '%s: nothing honest is lost with the lie, also when its void is mined anew',
      { timeout: 120_000 },
      (lie) =>
        stand.play(async () => {
          const { network } = stand
          const before = await voids()
          await network.sequencer.send({ lie })
          load.start()
          for (let blocks = 0; (await voids()) === before && blocks < BLOCKS_MAX; blocks++) await mineSlowly(network, 1)
          await load.stop()
          expect(await voids()).toBeGreaterThan(before)
          await network.reorg(1)
          await settle(network, load)
        }),
    )

    it('all come to the same state', { timeout: 120_000 }, () =>
      stand.play(async () => {
        const { network } = stand
        await network.challengers[1]?.start()
        await network.agreed()
        await expectAgreement(network, payers)
        await joinLate(network, payers, 'late')
        await network.stop()
        await network.bitcoind.start()
        const { faults, broken } = await judge(network, load)
        expect(faults).toEqual([])
        // Whoever lies about a batch has promised something in it.
        expect(broken.length).toBeGreaterThan(0)
      }),
    )
  },
)
