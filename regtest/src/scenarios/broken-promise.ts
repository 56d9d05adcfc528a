import { join } from 'node:path'
import type { BondView } from '@kedge/api'
import { readSpending } from '@kedge/bitcoin'
import { fromHex, regtestBond, reverseBytes } from '@kedge/core'
import { send } from '@kedge/wallet'
import { runKedge } from '../kedge.ts'
import { expect, type Scenario } from '../scenario.ts'
import type { Person, Stage } from '../stage.ts'
import { readJson } from '../wallet-program.ts'
import { expectSlashed, pay, runSlash, stake } from './stake.ts'

/**
 * The sequencer promises a place and leaves it to nobody. Its batch is in order, and lives; its bond does not: the
 * challengers were told of the tick.
 */
export const brokenPromise: Scenario = {
  name: 'broken-promise',
  title: 'broken-promise: a payment is promised a place and left out, and that costs the sequencer its bond',
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
    await show(stage, promised.file)
    await slash(stage, bond)
  },
}

function show(stage: Stage, receipt: string): Promise<void> {
  const { network } = stage
  return stage.step(
    'whoever has the receipt can make evidence of it, kedge bond evidence, and ask the watchers for their word: they give none, Bitcoin does not show it deep enough',
    async () => {
      const file = join(network.folder, 'broken-promise.json')
      const own = ['--params', join(network.folder, 'params.json'), '--node', network.challengers[0]?.ready.api ?? '']
      readJson(await runKedge(['bond', 'evidence', receipt, '--out', file, ...own, '--json']))
      const bootstrap = network.challengers.flatMap(({ ready }) => ['--p2p-bootstrap', ready.addresses[0] ?? ''])
      const early = await runSlash(stage, '--promise', file, ...bootstrap)
      expect(early.code === 2, `the watchers sign too early: ${early.stdout}`)
    },
  )
}

function slash(stage: Stage, bond: BondView): Promise<void> {
  const { network } = stage
  return stage.step(
    'a block later they would; but nobody has to ask: each challenger was told of the tick, finds that the batch does not begin with what it signs, and they slash the bond by themselves',
    async (note) => {
      await network.mine(network.params.windows.originDepth)
      const outpoint = { txid: reverseBytes(fromHex(bond.txid)), vout: 0 }
      await network.waitFor({ until: 'a challenger slashes the bond', onProgress: note }, async (tell) => {
        const healths = await Promise.all(network.challengers.map(({ client }) => client.health()))
        const held = healths.flatMap(({ evidence = [] }) => evidence.map(({ kind }) => kind))
        tell(held.join(', '))
        const slash = await readSpending(network.bitcoind.rpc, outpoint)
        return held.includes('broken-promise') && slash !== undefined ? true : undefined
      })
      await expectSlashed(stage, bond)
    },
  )
}
