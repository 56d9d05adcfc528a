import { type SentPayment, send } from '@kedge/wallet'
import { expect, type Scenario } from '../scenario.ts'
import type { Person, Stage } from '../stage.ts'
import type { Note } from '../waiting.ts'

const WALLETS = 20
const PAYMENTS_EACH = 15
const AMOUNT = 7_000n

/** Hundreds of payments between many wallets at once; afterwards the money is where it should be, on every node. */
export const payments: Scenario = {
  name: 'payments',
  title: `payments: ${WALLETS} wallets, ${WALLETS * PAYMENTS_EACH} payments at once`,
  run: async (stage) => {
    const people = await stage.people(WALLETS)
    const before = await balances(stage, people)
    const sent = await stage.step(
      'everybody pays everybody: each payment is acknowledged, and the acknowledgement is signed by the sequencer',
      (note) => sendAll(people, note),
      (all) => `${all.length} payments sequenced`,
    )
    await stage.step('blocks are mined: every payment is anchored in Bitcoin on every node', (note) =>
      stage.mineUntil('all payments are anchored', (tell) => areAt(stage, ['anchored', 'final'], sent, tell), note),
    )
    await stage.step(
      'all nodes hold the same state, byte for byte',
      () => stage.network.agreed(),
      ({ number, post }) => `batch ${number}, state root ${post.slice(0, 16)}…`,
    )
    await stage.step('the money is where it should be: nobody has more or less than was paid', async () => {
      const after = await balances(stage, people)
      const expected = expectedAfter(people, before, sent)
      for (const [at, { name }] of people.entries())
        expect(after[at] === expected[at], `${name} has ${after[at]} msat, and should have ${expected[at]}`)
    })
    await stage.step('the dispute window passes: every payment is final on every node', async (note) => {
      await stage.network.mine(stage.network.params.windows.dispute - 1)
      await stage.mineUntil('all payments are final', (tell) => areAt(stage, ['final'], sent, tell), note)
    })
  },
}

interface Sent extends SentPayment {
  readonly from: number
}

/** Each wallet pays the next ones in turn; all wallets at once. */
async function sendAll(people: readonly Person[], note: Note): Promise<Sent[]> {
  let done = 0
  const tasks = people.map(async ({ wallet }, from) => {
    const mine: Sent[] = []
    for (let at = 0; at < PAYMENTS_EACH; at++) {
      const to = people[(from + 1 + (at % (people.length - 1))) % people.length] as Person
      const sent = await send(wallet, { to: to.key, amount: AMOUNT })
      expect(sent.rung === 'sequenced', `a payment was taken and not acknowledged: it is ${sent.rung}`)
      mine.push({ ...sent, from })
      done += 1
      note(`${done} of ${people.length * PAYMENTS_EACH}`)
    }
    return mine
  })
  return (await Promise.all(tasks)).flat()
}

/** Asks every node for everybody's history: each payment has to be in it, on one of these rungs. */
async function areAt(
  stage: Stage,
  rungs: readonly string[],
  sent: readonly Sent[],
  note: Note,
): Promise<true | undefined> {
  const payers = await stage.people(WALLETS)
  for (const node of stage.network.running) {
    const histories = await Promise.all(payers.map(({ key }) => node.client.accountHistory({ key, limit: 100 })))
    const there = new Set(
      histories.flatMap(({ entries }) => entries.filter(({ rung }) => rungs.includes(rung)).map(({ id }) => id)),
    )
    const count = sent.filter(({ id }) => there.has(id)).length
    note(`${count} of ${sent.length} on ${node.name}`)
    if (count < sent.length) return undefined
  }
  return true
}

function balances(stage: Stage, people: readonly Person[]): Promise<bigint[]> {
  return Promise.all(people.map(async (person) => (await stage.account(stage.network.sequencer, person)).balance))
}

function expectedAfter(people: readonly Person[], before: readonly bigint[], sent: readonly Sent[]): bigint[] {
  const after = [...before]
  for (const { from, to, amount, fee } of sent) {
    const recipient = people.findIndex(({ key }) => key === to)
    after[from] = (after[from] as bigint) - amount - fee
    after[recipient] = (after[recipient] as bigint) + amount
  }
  return after
}
