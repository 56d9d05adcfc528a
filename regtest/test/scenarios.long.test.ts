import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, test } from 'vitest'
import { RegtestNetwork } from '../src/network.ts'
import { SCENARIOS } from '../src/scenarios.ts'
import { Stage } from '../src/stage.ts'
import { describeOnBitcoind } from './ground.ts'

/** What the demo shows, on one network as there: each scenario can follow any other. The demo plays them every time. */
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
