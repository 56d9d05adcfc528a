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
  let network: RegtestNetwork | undefined
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'kedge-scenarios-'))
    network = await RegtestNetwork.start({ folder, challengers: 2, sealAfterMs: 250, mayLie: true })
  }, 90_000)
  afterAll(async () => {
    await network?.stop()
    await rm(folder, { recursive: true })
  })

  test.each(SCENARIOS)(
    '$title',
    ({ run }) => {
      if (network === undefined) throw new Error('there is no network')
      return run(stageOn(network))
    },
    120_000,
  )
})

/** People are brought in once: their wallets' files stay in the network's folder. */
const stages = new Map<RegtestNetwork, Stage>()
function stageOn(network: RegtestNetwork): Stage {
  const stage = stages.get(network) ?? new Stage(network, (_, work) => work(() => undefined))
  stages.set(network, stage)
  return stage
}
