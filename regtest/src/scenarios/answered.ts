import { send } from '@kedge/wallet'
import { expect, type Scenario } from '../scenario.ts'
import type { Person, Stage } from '../stage.ts'
import type { Note } from '../waiting.ts'

const AMOUNT = 12_000n

/** The sequencer keeps a batch from its peers. Demanded on Bitcoin it has to show it there, or lose it; and it does. */
export const answered: Scenario = {
  name: 'answered',
  title: 'answered: a batch that no peer gets to see is demanded on Bitcoin, and shown there',
  isBeside: true,
  run: async (stage) => {
    const { network } = stage
    const { sequencer, challengers, params } = network
    const [alice, bob] = (await stage.people(2)) as [Person, Person]
    const { balance } = await stage.account(sequencer, bob)
    const number = await stage.step(
      'alice pays bob; the batch is anchored, and the sequencer gives it to nobody',
      async (note) => {
        await sequencer.send({ lie: 'show-late' })
        await send(alice.wallet, { to: bob.key, amount: AMOUNT })
        const anchor = await stage.untilWaiting('the anchor', ({ message }) => message.kind === 'batch', note)
        await network.mine()
        if (anchor.message.kind !== 'batch') throw new Error('another message than was waited for')
        return stage.numberOf(anchor.message.headerHash)
      },
      (batch) => `batch ${batch}`,
    )
    await stage.step('every challenger knows that it is there, and that it lacks it', (note) =>
      untilPending(stage, number, note),
    )
    const challenge = await stage.step(
      'at the end of the challenge window one of them demands the data on Bitcoin, and burns its payment',
      async (note) => {
        await network.mine(params.windows.challenge - 1)
        return stage.untilWaiting('the challenge', ({ message }) => message.kind === 'challenge', note)
      },
      ({ vsize }) => `${vsize} vB, and ${params.fees.challenge.toLocaleString('en')} sat`,
    )
    await stage.step(
      'mined, it has a deadline; the sequencer answers with all operations, on Bitcoin',
      async (note) => {
        await network.mine()
        return stage.untilWaiting('the answer', ({ message }) => message.kind === 'part', note)
      },
      ({ vsize, txid }) => `${vsize} vB in transaction ${txid.slice(0, 16)}…`,
    )
    await stage.step(
      'everybody reads the batch out of Bitcoin’s blocks: it lives, and bob has his money on all nodes',
      async (note) => {
        await network.mine()
        const head = await network.agreed()
        expect(head.number === number, `the head is ${head.number}`)
        const view = await challengers[0]?.client.batch({ number })
        const demanded = view?.outcome === 'batch' ? view.challenges.find(({ kind }) => kind === 'data') : undefined
        expect(demanded?.txid === challenge.txid, 'the batch was not challenged by that transaction')
        expect((demanded.answeredAt ?? Number.POSITIVE_INFINITY) <= demanded.deadline, 'the answer came too late')
        for (const node of network.running) {
          const after = (await stage.account(node, bob)).balance
          expect(after === balance + AMOUNT, `bob has ${after} msat on ${node.name}`)
        }
        note('')
        return demanded
      },
      ({ answeredAt, deadline }) => `answered at height ${answeredAt}, by ${deadline} it had to be`,
    )
  },
}

function untilPending({ network }: Stage, number: number, note: Note): Promise<true> {
  return network.waitFor({ until: 'challengers miss the batch', onProgress: note }, async (tell) => {
    const healths = await Promise.all(network.challengers.map(({ client }) => client.health()))
    tell(healths.map(({ pending }) => pending?.reason ?? 'nothing is missed').join(', '))
    return healths.every(({ pending }) => pending?.number === number) ? true : undefined
  })
}
