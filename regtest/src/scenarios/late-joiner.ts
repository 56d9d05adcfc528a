import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { expect, type Scenario } from '../scenario.ts'
import { findDifference, toldBy } from '../told.ts'

/** A challenger that begins late, with an empty disk and only peers and bitcoind, comes to the same state. */
export const lateJoiner: Scenario = {
  name: 'late-joiner',
  title: 'late-joiner: an empty disk, peers and bitcoind',
  isBeside: true,
  run: async (stage) => {
    const { network } = stage
    const people = await stage.people(2)
    const before = await network.agreed()
    const late = await network.addChallenger(`late-${network.challengers.length + 1}`)
    expect(!existsSync(join(network.folder, late.name, 'data')), 'its disk is not empty')
    await stage.step('another challenger starts', () => late.start())
    await stage.step(
      'it reads Bitcoin from the first block, gets every batch from peers, and re-executes all of them',
      async () => {
        await network.synced()
        const after = await network.agreed()
        expect(after.hash === before.hash && after.post === before.post, 'it comes to another state')
        return after
      },
      ({ number, post }) => `batch ${number}, state root ${post.slice(0, 16)}…`,
    )
    await stage.step(
      'it tells the same of links, voids, vault and accounts as one that was there from the start',
      async () => {
        const [early] = network.challengers
        if (early === undefined) throw new Error('there is no other challenger')
        const keys = people.map(({ key }) => key)
        const difference = findDifference(await toldBy(early.client, keys), await toldBy(late.client, keys))
        expect(difference === undefined, `they differ in ${difference}`)
      },
    )
  },
}
