import { join } from 'node:path'
import type { BondView } from '@kedge/api'
import { regtestBond } from '@kedge/core'
import { send } from '@kedge/wallet'
import { runKedge } from '../kedge.ts'
import { expect, type Scenario } from '../scenario.ts'
import type { Person, Stage } from '../stage.ts'
import { readJson } from '../wallet-program.ts'
import { expectSlashed, pay, runSlash, stake } from './stake.ts'

/** The sequencer promises a place and leaves it to nobody. Its batch is in order, and lives; its bond does not. */
export const brokenPromise: Scenario = {
  name: 'broken-promise',
  title: 'broken-promise: a payment is promised a place and left out, and the receipt costs the sequencer its bond',
  // Both payments are to be in one batch.
  alone: { challengers: 3, bond: regtestBond, sealAfterMs: 800 },
  run: async (stage) => {
    const { network } = stage
    const bond = await stake(stage)
    const [alice, bob, carol] = (await stage.people(3)) as [Person, Person, Person]
    const promised = await stage.step(
      'alice pays bob, and keeps the sequencer’s receipt, which her wallet finds in order; then carol pays bob',
      async () => {
        await network.sequencer.send({ lie: 'break-promise' })
        const first = await pay(stage, alice, bob, 9_000n)
        await send(carol.wallet, { to: bob.key, amount: 7_000n })
        return first
      },
      ({ receipt: { tick, opIndex } }) => `operation ${opIndex} of batch ${tick.number}`,
    )
    const { tick, opIndex } = promised.receipt
    await stage.step(
      'the batch comes with carol’s payment in the place of alice’s; every node finds it in order',
      async (note) => {
        const { number } = tick
        await stage.untilWaiting('the anchor', ({ message }) => message.kind === 'batch', note)
        await network.mine()
        const view = await network.waitFor({ until: 'the batch is checked' }, async () => {
          const batch = await network.challengers[0]?.client.batch({ number })
          return batch?.outcome === 'batch' && batch.verdict === 'checked' ? batch : undefined
        })
        expect(view.status === 'anchored' && view.header?.opCount === 1 && opIndex === 0, 'it is another batch')
      },
    )
    const evidence = await show(stage, promised.file)
    await slash(stage, bond, evidence)
  },
}

function show(stage: Stage, receipt: string): Promise<string> {
  const { network } = stage
  return stage.step(
    'whoever has the receipt makes evidence of it, with what a node says was anchored: kedge bond evidence',
    async () => {
      const file = join(network.folder, 'broken-promise.json')
      const own = ['--params', join(network.folder, 'params.json'), '--node', network.challengers[0]?.ready.api ?? '']
      readJson(await runKedge(['bond', 'evidence', receipt, '--out', file, ...own, '--json']))
      return file
    },
  )
}

function slash(stage: Stage, bond: BondView, evidence: string): Promise<void> {
  const { network } = stage
  const bootstrap = network.challengers.flatMap(({ ready }) => ['--p2p-bootstrap', ready.addresses[0] ?? ''])
  return stage.step(
    'an outsider asks the watchers for their word: at first Bitcoin does not show it deep enough, a block later they sign; the bond is slashed',
    async () => {
      const early = await runSlash(stage, '--promise', evidence, ...bootstrap)
      expect(early.code === 2, `the watchers sign too early: ${early.stdout}`)
      await network.mine(network.params.windows.originDepth)
      const ran = await runSlash(stage, '--promise', evidence, ...bootstrap)
      expect(ran.code === 0, `kedge bond slash: ${ran.stdout}${ran.stderr}`)
      await expectSlashed(stage, bond)
    },
  )
}
