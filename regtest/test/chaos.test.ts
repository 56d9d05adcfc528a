import { it } from 'vitest'
import { freshDice } from '../src/chaos/dice.ts'
import { describeOnBitcoind } from './ground.ts'
import { killAll, withinMs } from './kill-all.ts'

const KILLS = Number(process.env.KEDGE_CHAOS ?? 20)

const dice = freshDice()

describeOnBitcoind(`kill -9 under load, KEDGE_CHAOS_SEED=${dice.seed}`, () => {
  it(`${KILLS} times, of sequencer, challengers and bitcoind: nothing is lost`, {
    timeout: withinMs(KILLS),
  }, async () => {
    await killAll(KILLS, dice, { challengers: 2, sealAfterMs: 300 })
  })
})
