import { readStatus, send } from '@kedge/wallet'
import type { LieName } from '../lies.ts'
import { expect, type Scenario } from '../scenario.ts'
import type { Person, Stage } from '../stage.ts'
import type { Note } from '../waiting.ts'

/** The sequencer lies; challengers find it, Bitcoin hears of it, the batch is void, and honest payments go on. */

interface Case {
  readonly lie: LieName
  readonly title: string
  /** What challengers find in the batch, where they can see it. */
  readonly found?: string
  /** What they put on Bitcoin. */
  readonly message: 'evidence' | 'challenge'
  /** Why the batch is void in the end. */
  readonly cause: string
  /** What gives the sequencer occasion to lie. */
  readonly occasion: 'payment' | 'deposit'
}

const CASES: readonly Case[] = [
  {
    lie: 'credit-itself',
    title: 'credit-itself: a bitcoin out of nowhere for an accomplice, all hashes in order',
    found: 'wrong-root',
    message: 'evidence',
    cause: 'evidence',
    occasion: 'payment',
  },
  {
    lie: 'forge-debit',
    title: 'forge-debit: all the money of a payer, with a signature that is not theirs',
    found: 'bad-signature',
    message: 'evidence',
    cause: 'evidence',
    occasion: 'payment',
  },
  {
    lie: 'skip-deposit',
    title: 'skip-deposit: a deposit that stands in Bitcoin is not credited',
    found: 'deposit-due',
    message: 'evidence',
    cause: 'evidence',
    occasion: 'deposit',
  },
  {
    lie: 'garbage-steps',
    title: 'garbage-steps: commits to step roots that nobody can open, and hides them',
    found: 'wrong-root',
    message: 'challenge',
    cause: 'unanswered',
    occasion: 'payment',
  },
  {
    lie: 'withhold-data',
    title: 'withhold-data: an anchored batch that nobody gets to see',
    message: 'challenge',
    cause: 'unanswered',
    occasion: 'payment',
  },
]

export const lies: readonly Scenario[] = CASES.map((told) => ({
  name: told.lie,
  title: told.title,
  isBeside: true,
  run: (stage) => play(stage, told),
}))

const LIED_AMOUNT = 11_000n
const HONEST_AMOUNT = 13_000n

async function play(stage: Stage, told: Case): Promise<void> {
  const [alice, bob] = (await stage.people(2)) as [Person, Person]
  const made =
    told.occasion === 'payment' ? await lieInPayment(stage, told, alice, bob) : await lieInDeposit(stage, told)
  const number = await anchorLie(stage)
  await stage.step(
    told.found === undefined
      ? `no challenger gets to see batch ${number}`
      : `every challenger finds batch ${number} wrong`,
    (note) => untilFound(stage, told, number, note),
    (found) => found,
  )
  await accuse(stage, told, number)
  await stage.step(
    `batch ${number} is void on every node`,
    async (note) => {
      // The one who lied is the only one who could answer, so nothing is lost by mining the time for it at once.
      if (told.message === 'challenge') await stage.network.mine(stage.network.params.windows.answer)
      return stage.mineUntil(`batch ${number} is void`, (tell) => isVoid(stage, told, number, tell), note)
    },
    (height) =>
      `from height ${height} on, by ${told.cause === 'evidence' ? 'the evidence' : 'the challenge that nobody answered'}`,
  )
  await stage.step('the sequencer resumes the chain from the last honest batch', (note) => untilRunning(stage, note))
  await made.expectHonest(number)
  await payHonestly(stage, alice, bob)
}

/** What gave occasion to lie, and how it has to stand in the end. */
interface Made {
  readonly expectHonest: (voidNumber: number) => Promise<void>
}

async function lieInPayment(stage: Stage, { lie }: Case, alice: Person, bob: Person): Promise<Made> {
  const { sequencer } = stage.network
  const { balance } = await stage.account(sequencer, bob)
  const { id } = await stage.step(
    'alice pays bob; the sequencer acknowledges that, and lies in the batch',
    async () => {
      await sequencer.send({ lie })
      return send(alice.wallet, { to: bob.key, amount: LIED_AMOUNT })
    },
  )
  const expectHonest = (voidNumber: number) =>
    stage.step(
      'the payment is carried into an honest batch; bob has what he was paid and nothing else, on all nodes',
      async (note) => {
        const payment = await stage.mineTo('anchored', sequencer, id, note)
        expect('batch' in payment && payment.batch > voidNumber, `the payment is still in batch ${voidNumber}`)
        await stage.network.agreed()
        for (const node of stage.network.running) {
          const after = (await stage.account(node, bob)).balance
          expect(
            after === balance + LIED_AMOUNT,
            `bob has ${after} msat on ${node.name}, and should have ${balance + LIED_AMOUNT}`,
          )
        }
      },
    )
  return { expectHonest }
}

async function lieInDeposit(stage: Stage, { lie }: Case): Promise<Made> {
  const { network } = stage
  const dora = await stage.step(
    'dora pays a deposit into the vault; the sequencer leaves it out once it is due',
    async () => {
      const [newcomer] = (await stage.newcomers([`dora-${Date.now()}`])) as [Person]
      await network.sequencer.send({ lie })
      await stage.deposit(newcomer)
      // Mined and k deep, then swept: after each the sweep, and the batch, may come.
      await network.mine(1 + network.params.windows.originDepth)
      await network.mine(1 + network.params.windows.originDepth)
      return newcomer
    },
  )
  const expectHonest = () =>
    stage.step('the deposit is credited after all, on all nodes', (note) =>
      stage.mineUntil('the deposit is credited', (tell) => stage.areCredited([dora], tell), note).then(() => undefined),
    )
  return { expectHonest }
}

/** @returns the number of the batch with the lie */
function anchorLie(stage: Stage): Promise<number> {
  return stage.step(
    'the batch with the lie is anchored in Bitcoin',
    async (note) => {
      const { message } = await stage.untilWaiting(
        'the anchor is sent',
        (waiting) => waiting.message.kind === 'batch',
        note,
      )
      await stage.network.mine()
      if (message.kind !== 'batch') throw new Error('another message than was waited for')
      return stage.numberOf(message.headerHash)
    },
    (number) => `batch ${number}`,
  )
}

function untilFound(stage: Stage, { found }: Case, number: number, note: Note): Promise<string> {
  return stage.network.waitFor({ until: 'every challenger has found the lie', onProgress: note }, async (tell) => {
    const healths = await Promise.all(
      stage.network.challengers.filter(({ isRunning }) => isRunning).map(({ client }) => client.health()),
    )
    const seen = healths.map(({ pending, rejected }) => {
      const one = found === undefined ? pending : rejected
      return one?.number === number ? ('fault' in one ? one.fault : one.reason) : undefined
    })
    tell(seen.map((each) => each ?? 'nothing found').join(', '))
    const isFound = seen.every((each) => each !== undefined && (found === undefined || each === found))
    return isFound ? seen[0] : undefined
  })
}

/** A challenge is raised in the last moment, as data are usually only late. */
async function accuse(stage: Stage, { message, found }: Case, number: number): Promise<void> {
  const { network } = stage
  const data = found === undefined ? 'data' : 'steps'
  if (message === 'challenge') {
    await stage.step(`the ${data} are still hidden at the end of the challenge window`, () =>
      network.mine(network.params.windows.challenge - 1),
    )
  }
  await stage.step(
    message === 'evidence'
      ? 'a challenger puts evidence on Bitcoin'
      : `a challenger demands the ${data} of batch ${number} on Bitcoin`,
    (note) => stage.untilWaiting(`${message} is sent`, (waiting) => waiting.message.kind === message, note),
    ({ txid, vsize }) => `${vsize} vB in transaction ${txid.slice(0, 16)}…`,
  )
}

/** @returns from which height on */
async function isVoid(stage: Stage, { cause, found }: Case, number: number, note: Note): Promise<number | undefined> {
  const views = await Promise.all(stage.network.running.map(({ client }) => client.batch({ number })))
  note(views.map((view) => (view.outcome === 'batch' ? view.status : view.outcome)).join(', '))
  const voids = views.flatMap((view) => (view.outcome === 'batch' && view.void !== undefined ? [view.void] : []))
  const [first] = voids
  if (first === undefined || voids.length < views.length) return undefined
  for (const each of voids) {
    expect(each.height === first.height && each.cause === cause, `nodes differ on why batch ${number} is void`)
    expect(cause !== 'evidence' || each.fault === found, `batch ${number} is void for ${each.fault}, not ${found}`)
  }
  return first.height
}

async function untilRunning(stage: Stage, note: Note): Promise<void> {
  await stage.mineUntil(
    'the chain runs again',
    async (tell) => {
      const modes = (await Promise.all(stage.network.running.map(({ client }) => client.health()))).map(
        ({ mode }) => mode,
      )
      tell(modes.join(', '))
      return modes.every((mode) => mode === 'active') ? true : undefined
    },
    note,
  )
}

async function payHonestly(stage: Stage, alice: Person, bob: Person): Promise<void> {
  await stage.step(
    'honest payments go on: one more, anchored, its proof checked by the wallet, and all nodes agree',
    async (note) => {
      const { id } = await send(alice.wallet, { to: bob.key, amount: HONEST_AMOUNT })
      await stage.mineTo('anchored', stage.network.sequencer, id, note)
      const status = await readStatus(alice.wallet, id, stage.network.bitcoind.rpc)
      expect(status.holds, status.checks.map(({ name, verdict }) => `${name} ${verdict}`).join(', '))
      return stage.network.agreed()
    },
    ({ number, post }) => `batch ${number}, state root ${post.slice(0, 16)}…`,
  )
}
