import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'vitest'
import { RegtestNetwork } from '../src/network.ts'
import { SCENARIOS } from '../src/scenarios.ts'
import { Stage } from '../src/stage.ts'
import { describeOnBitcoind } from './ground.ts'

/** Each starts a network, and takes a bond. The demo plays them every time. */
describeOnBitcoind('scenarios on networks of their own', () => {
  test.each(SCENARIOS.filter(({ alone }) => alone !== undefined))(
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
