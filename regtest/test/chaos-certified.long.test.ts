import { decodeHeader, regtestRules, toHex } from '@kedge/core'
import { expect, it } from 'vitest'
import { freshDice } from '../src/chaos/dice.ts'
import { describeOnBitcoind } from './ground.ts'
import { killAll, withinMs } from './kill-all.ts'

const KILLS = Number(process.env.KEDGE_CHAOS ?? 20)
/** Operations that a batch holds without a certificate, and with one. */
const [CAP, CERTIFIED] = [16, 256]

const dice = freshDice()

/** Batches are so small and so many that anchors queue up, and those behind grow, while watchers come and go. */
describeOnBitcoind(`kill -9 where watchers vouch for batches, KEDGE_CHAOS_SEED=${dice.seed}`, () => {
  it(`${KILLS} times: nothing is lost, above the cap neither`, { timeout: withinMs(KILLS) }, async () => {
    const caps = { ...regtestRules.caps, operations: CAP, deposits: 8, forced: 2 }
    const rules = { caps, data: { kind: 'certified', operations: CERTIFIED } } as const
    const { truth, archives } = await killAll(KILLS, dice, { challengers: 3, sealAfterMs: 20, rules })
    const live = new Set(truth.live.map(({ headerHash }) => toHex(headerHash)))
    const held = archives.flatMap(({ headers }) => [...headers])
    const counts = held.flatMap(([hash, bytes]) => (live.has(hash) ? [decodeHeader(bytes)?.opCount ?? 0] : []))
    expect(Math.max(...counts)).toBeGreaterThan(CAP)
  })
})
