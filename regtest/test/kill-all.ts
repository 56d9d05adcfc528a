import { expect } from 'vitest'
import { gather } from '../src/chaos/crowd.ts'
import type { Dice } from '../src/chaos/dice.ts'
import { Killing } from '../src/chaos/killing.ts'
import { Load } from '../src/chaos/load.ts'
import { settle } from '../src/chaos/settle.ts'
import { openStand } from '../src/chaos/stand.ts'
import { judge, type Verdict } from '../src/chaos/verdict.ts'
import type { NetworkOptions, RegtestNetwork } from '../src/network.ts'

const PAYERS = 24
const DEPOSIT = 100_000n

/** Of a kill with everything around it, generously. */
const MS_PER_KILL = 15_000

export const withinMs = (kills: number): number => 120_000 + kills * MS_PER_KILL

/** Kills sequencer, challengers and bitcoind under load, and holds what is left against what Bitcoin says. */
export async function killAll(kills: number, dice: Dice, options: Omit<NetworkOptions, 'folder'>): Promise<Verdict> {
  const { network, play, close } = await openStand(options)
  try {
    let verdict: Verdict | undefined
    await play(async () => {
      verdict = await killAndJudge(network, kills, dice)
    })
    if (verdict === undefined) throw new Error('nothing was played')
    return verdict
  } finally {
    await close()
  }
}

async function killAndJudge(network: RegtestNetwork, kills: number, dice: Dice): Promise<Verdict> {
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
  await killing.run(kills)
  await load.stop()
  await settle(network, load)
  await network.stop()
  await network.bitcoind.start()
  const verdict = await judge(network, load)
  const { faults, broken, truth } = verdict
  console.log(
    `${killing.killed.join(' ')}; ${load.acknowledged.size} acknowledged, ${truth.live.length} live batches, ${truth.voids.length} void; ${[...load.codes].join(' ')}`,
  )
  expect([...faults, ...broken]).toEqual([])
  expect(load.acknowledged.size).toBeGreaterThan(kills)
  return verdict
}
