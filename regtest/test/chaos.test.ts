import { expect, it } from 'vitest'
import { gather } from '../src/chaos/crowd.ts'
import { freshDice } from '../src/chaos/dice.ts'
import { Killing } from '../src/chaos/killing.ts'
import { Load } from '../src/chaos/load.ts'
import { settle } from '../src/chaos/settle.ts'
import { openStand } from '../src/chaos/stand.ts'
import { judge } from '../src/chaos/verdict.ts'
import type { RegtestNetwork } from '../src/network.ts'
import { describeOnBitcoind } from './ground.ts'

const KILLS = Number(process.env.KEDGE_CHAOS ?? 20)
const PAYERS = 24
const DEPOSIT = 100_000n

/** Of a kill with everything around it, generously. */
const MS_PER_KILL = 15_000

const dice = freshDice()

describeOnBitcoind(`kill -9 under load, KEDGE_CHAOS_SEED=${dice.seed}`, () => {
  it(`${KILLS} times, of sequencer, challengers and bitcoind: nothing is lost`, {
    timeout: 120_000 + KILLS * MS_PER_KILL,
  }, async () => {
    const { network, play, close } = await openStand({ challengers: 2, sealAfterMs: 300 })
    try {
      await play(() => killAll(network))
    } finally {
      await close()
    }
  })
})

async function killAll(network: RegtestNetwork): Promise<void> {
  const payers = await gather(network, PAYERS, DEPOSIT)
  const load = new Load({
    params: network.params,
    payers,
    nodes: () => network.running,
    dice: dice.fork(),
    senders: 6,
    pauseMs: 20,
  })
  const killing = new Killing(network, dice.fork())
  load.start()
  await killing.run(KILLS)
  await load.stop()
  await settle(network, load)
  await network.stop()
  await network.bitcoind.start()
  const { faults, broken, truth } = await judge(network, load)
  console.log(
    `${killing.killed.join(' ')}; ${load.acknowledged.size} acknowledged, ${truth.live.length} live batches, ${truth.voids.length} void; ${[...load.codes].join(' ')}`,
  )
  expect([...faults, ...broken]).toEqual([])
  expect(load.acknowledged.size).toBeGreaterThan(KILLS)
}
