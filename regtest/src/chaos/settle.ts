import type { RegtestNetwork } from '../network.ts'
import type { Load } from './load.ts'

/** "Within a minute": for everybody to agree again once everything runs and nothing more is sent. */
const WITHIN_MS = 60_000

/**
 * Mines until the chain of batches stands still: every acknowledged payment is in it, nothing is on its way to Bitcoin,
 * and every node says the same and has checked it.
 */
export async function settle(network: RegtestNetwork, load: Load): Promise<void> {
  let still = 0
  let before = ''
  await network.waitFor({ until: 'all nodes agree and nothing moves', withinMs: WITHIN_MS }, async (note) => {
    await network.mine()
    const healths = await Promise.all(network.running.map((node) => node.client.health()))
    note(
      healths
        .map(
          ({ head, mode, synced }, at) =>
            `${network.running[at]?.name} ${mode} ${synced ? 'at' : 'behind'} ${head.number}`,
        )
        .join(', '),
    )
    const now = healths.map(({ head, mode, synced }) => `${head.hash} ${head.post} ${mode} ${synced}`)
    const isSame = now.every((each) => each === now[0] && each.endsWith('active true'))
    still = isSame && before === now[0] ? still + 1 : 0
    before = now[0] ?? ''
    return still >= STILL && (await missing(network, load, note)) === 0 ? true : undefined
  })
}

/** Blocks for which the head must not move. */
const STILL = 2

/** Acknowledged payments that the sequencer does not have on Bitcoin; a few are asked for, the rest is judged later. */
async function missing(network: RegtestNetwork, load: Load, note: (text: string) => void): Promise<number> {
  const newest = [...load.acknowledged.values()].slice(-20)
  const rungs = await Promise.all(newest.map(async ({ id }) => (await network.sequencer.client.payment({ id })).rung))
  const waiting = rungs.filter((rung) => rung !== 'anchored' && rung !== 'final').length
  note(`${waiting} of the ${newest.length} newest payments are not anchored`)
  return waiting
}
