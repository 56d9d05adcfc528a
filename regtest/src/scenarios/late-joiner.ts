import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { inspect, isDeepStrictEqual } from 'node:util'
import type { RouteResponse } from '@kedge/api'
import type { NodeProcess } from '../node-process.ts'
import { expect, type Scenario } from '../scenario.ts'

type BatchLink = Extract<RouteResponse<'batches'>['batches'][number], { readonly outcome: 'batch' }>

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
      'it tells of the same links, voids and accounts as one that was there from the start',
      async () => {
        const [early] = network.challengers
        if (early === undefined) throw new Error('there is no other challenger')
        for (const person of people)
          expectSame(await early.client.account({ key: person.key }), await late.client.account({ key: person.key }))
        expectSame(await linksOf(early), await linksOf(late))
      },
    )
  },
}

/** Every link of the anchor chain, as far as nodes must agree on it. */
async function linksOf({ client }: NodeProcess): Promise<unknown[]> {
  const links: unknown[] = []
  let before: number | undefined
  do {
    const page = await client.batches(before === undefined ? {} : { before })
    for (const link of page.batches) links.push(link.outcome === 'batch' ? withoutHeld(link) : link)
    before = page.next
  } while (before !== undefined)
  return links
}

/** What a node holds of a void batch, and what follows from that, is its own matter. */
function withoutHeld({ data, verdict, header, mode, ...link }: BatchLink): unknown {
  return link
}

function expectSame(early: unknown, late: unknown): void {
  expect(isDeepStrictEqual(early, late), `they differ:\n${inspect(early)}\n${inspect(late)}`)
}
