import type { Forced } from '@kedge/api'
import type { NodeProcess } from '../node-process.ts'
import { expect, type Scenario } from '../scenario.ts'
import type { Person, Stage } from '../stage.ts'
import type { Note } from '../waiting.ts'
import { readJson, walletOf } from '../wallet-program.ts'

/** The sequencer takes nothing of one payer's. She publishes her payment on Bitcoin, and no batch can live without it. */
export const censored: Scenario = {
  name: 'censored',
  title: 'censored: the sequencer ignores a payer, who forces her payment on Bitcoin',
  isBeside: true,
  run: async (stage) => {
    const { network } = stage
    const [, bob, carol] = (await stage.people(3)) as [Person, Person, Person]
    const [challenger] = network.challengers as [NodeProcess]
    const kedge = walletOf(stage, carol, challenger)
    await stage.step('the sequencer takes nothing of carol’s from now on', () =>
      network.sequencer.send({ ignore: carol.key }),
    )
    const { balance } = await stage.account(challenger, bob)
    await stage.step('carol pays bob, and nobody promises her anything', async () => {
      const ran = await kedge('send', bob.key, '21sat')
      expect(ran.code === 1 && ran.stdout.includes('not-answered'), `she was answered: ${ran.stdout}${ran.stderr}`)
    })
    const forced = await stage.step(
      'she forces the same payment: kedge wallet force transfer',
      async () => readJson(await kedge('force', 'transfer', bob.key, '21sat', '--yes')) as ForcedAnswer,
      ({ cost, dueFrom, lastWithout }) =>
        `${cost} sat on Bitcoin; batches from height ${dueFrom} on must contain it, and after ${lastWithout} no other can live`,
    )
    await network.sequencer.send({ lie: 'skip-forced' })
    const number = await stage.step(
      'the sequencer leaves it out of the batch that must contain it; every challenger finds that',
      (note) => untilSkipped(stage, note),
      (batch) => `batch ${batch}`,
    )
    await stage.step(
      'evidence makes that batch void, and the next one carries the payment: bob has it, on every node',
      async (note) => {
        const entry = await stage.mineUntil(
          'the payment is carried',
          (tell) => isCarried(challenger, forced.id, tell),
          note,
        )
        expect((entry.carriedIn?.batch ?? 0) > number, `it is in batch ${entry.carriedIn?.batch}`)
        expect(entry.effect === 'executed', 'it was carried and not executed')
        const view = await challenger.client.batch({ number })
        expect(view.outcome === 'batch' && view.void?.fault === 'forced-due', `batch ${number} is not void for it`)
        await network.agreed()
        for (const node of network.running) {
          const after = (await stage.account(node, bob)).balance
          expect(after === balance + 21_000n, `bob has ${after} msat on ${node.name}`)
        }
      },
    )
    await stage.step('carol’s wallet knows: nothing of hers waits, and it pays nothing twice', async () => {
      const resumed = readJson(await kedge('resume')) as { sends: readonly unknown[]; publications: readonly unknown[] }
      expect(resumed.sends.length + resumed.publications.length === 0, `it sent something: ${JSON.stringify(resumed)}`)
      await network.sequencer.send({ ignore: '' })
    })
  },
}

interface ForcedAnswer {
  readonly id: string
  readonly cost: string
  readonly dueFrom: number
  readonly lastWithout: number
}

/** The number of the batch that lacks it. */
function untilSkipped(stage: Stage, note: Note): Promise<number> {
  return stage.mineUntil(
    'every challenger has found the omission',
    async (tell) => {
      const healths = await Promise.all(stage.network.challengers.map(({ client }) => client.health()))
      const found = healths.map(({ rejected }) => rejected)
      tell(found.map((each) => each?.fault ?? 'nothing found').join(', '))
      const [first] = found
      return found.every((each) => each?.fault === 'forced-due') ? first?.number : undefined
    },
    note,
  )
}

async function isCarried(node: NodeProcess, id: string, note: Note): Promise<Forced | undefined> {
  const { forced } = await node.client.forced({ id })
  note(forced.map(({ rung }) => rung).join(', '))
  return forced.find(({ rung }) => rung === 'anchored' || rung === 'final')
}
