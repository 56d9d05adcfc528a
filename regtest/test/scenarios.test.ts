import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, test } from 'vitest'
import { RegtestNetwork } from '../src/network.ts'
import { SCENARIOS } from '../src/scenarios.ts'
import { Stage } from '../src/stage.ts'
import { describeOnBitcoind } from './ground.ts'

/** What the demo shows, on one network as there: each scenario can follow any other. */
describeOnBitcoind('scenarios', () => {
  let folder: string
  let stage: Stage | undefined
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'kedge-scenarios-'))
    const network = await RegtestNetwork.start({ folder, challengers: 2, sealAfterMs: 100, mayLie: true })
    stage = new Stage(network, (_, work) => work(() => undefined))
  }, 90_000)
  afterAll(async () => {
    await stage?.network.stop()
    await rm(folder, { recursive: true })
  })

  test.each(SCENARIOS.filter(({ alone }) => alone === undefined))(
    '$name',
    ({ run }) => {
      if (stage === undefined) throw new Error('there is no network')
      return run(stage)
    },
    120_000,
  )
})

/** Each starts a network, and takes a bond: in the normal mode the first of them stands for all. */
const ALONE = SCENARIOS.filter(({ alone }) => alone !== undefined).slice(0, process.env.KEDGE_CHAOS ? undefined : 1)

describeOnBitcoind('scenarios on networks of their own', () => {
  test.each(ALONE)(
    '$name',
    async ({ run, alone }) => {
      const folder = await mkdtemp(join(tmpdir(), 'kedge-scenario-'))
      const network = await RegtestNetwork.start({ folder, challengers: 2, sealAfterMs: 100, mayLie: true, ...alone })
      try {
        await run(new Stage(network, (_, work) => work(() => undefined)))
      } finally {
        await network.stop()
        await rm(folder, { recursive: true })
      }
    },
    120_000,
  )
})
