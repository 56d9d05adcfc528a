import type { Forced } from '@kedge/api'
import { regtestBond } from '@kedge/core'
import { send } from '@kedge/wallet'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openStand, type Stand } from '../src/chaos/stand.ts'
import type { NodeProcess } from '../src/node-process.ts'
import { exit } from '../src/scenarios/exit.ts'
import { stake } from '../src/scenarios/stake.ts'
import { withdraw } from '../src/scenarios/withdraw.ts'
import { type Person, Stage } from '../src/stage.ts'
import { findDifference, toldBy } from '../src/told.ts'
import { readJson, walletOf } from '../src/wallet-program.ts'
import { describeOnBitcoind } from './ground.ts'

const quietly = () => undefined

/** On one network, everything that can happen to money: who comes last must tell of all of it. */
describeOnBitcoind('a node that begins with an empty disk behind the end of it all', () => {
  let stand: Stand
  let stage: Stage
  let [alice, bob] = [] as unknown as [Person, Person]

  beforeAll(async () => {
    stand = await openStand({ challengers: 3, sealAfterMs: 100, mayLie: true, bond: regtestBond })
    stage = new Stage(stand.network, (_, work) => work(quietly))
    await stand.play(async () => {
      await stake(stage)
      ;[alice, bob] = (await stage.people(3)) as [Person, Person, Person]
    })
  }, 90_000)
  afterAll(() => stand.close(), 60_000)

  /** The last of them comes at the end. */
  function witness(at: number): NodeProcess {
    const challenger = stand.network.challengers[at]
    if (challenger === undefined) throw new Error(`there is no challenger ${at}`)
    return challenger
  }

  async function forceWithdrawal(): Promise<void> {
    const { sequencer } = stand.network
    const { id } = readJson(
      await walletOf(stage, alice, sequencer)('force', 'withdraw', '20000sat', alice.bitcoin, '--yes'),
    ) as Pick<Forced, 'id'>
    await stand.network.mine()
    const paid = async () => (await sequencer.client.withdrawal({ id })).rung === 'paid' || undefined
    await stage.mineUntil('the forced withdrawal is paid', paid, quietly)
  }

  /** The batch is void, and the watchers take the bond for it. */
  async function lie(): Promise<void> {
    const { sequencer } = stand.network
    await sequencer.send({ lie: 'credit-itself' })
    await send(alice.wallet, { to: bob.key, amount: 7_000n })
    const slashed = async () => (await sequencer.client.bonds()).bonds[0]?.end?.outcome === 'slashed' || undefined
    await stage.mineUntil('the bond is slashed', slashed, quietly)
  }

  test(
    'tells the same of bonds, voids, payouts, forced operations and exit as one from the start',
    {
      timeout: 240_000,
    },
    () =>
      stand.play(async () => {
        await withdraw.run(stage)
        await forceWithdrawal()
        await lie()
        await exit.run(stage)
        const keys = stage.everyone.map(({ key }) => key)
        const [early, late] = [stand.network.challengers[0], stand.network.challengers[3]]
        if (early === undefined || late === undefined) throw new Error('there is no such challenger')
        const told = await toldBy(late.client, keys)
        expect(findDifference(await toldBy(early.client, keys), told)).toBeUndefined()
        // All of it is there to be told.
        expect(told.bonds).toMatchObject({ bonds: [{ end: { outcome: 'slashed' } }] })
        expect(told.links).toContainEqual(expect.objectContaining({ status: 'void' }))
        expect(told.state).toMatchObject({ exit: { from: expect.any(Number) } })
        expect(told.forced).toContainEqual(
          expect.objectContaining({ carriedIn: expect.anything(), effect: 'executed' }),
        )
        expect(told.forced).toContainEqual(
          expect.objectContaining({ carriedAt: expect.anything(), effect: 'executed' }),
        )
        expect(told.withdrawals).toContainEqual(expect.objectContaining({ rung: 'paid' }))
        expect(told.withdrawals).toContainEqual(
          expect.objectContaining({ rung: 'exit', payout: expect.objectContaining({ height: expect.any(Number) }) }),
        )
        expect(told.claims).toEqual([])
      }),
  )

  test('a difference in any part is found', async () => {
    const told = await toldBy(witness(0).client, [alice.key])
    for (const part of Object.keys(told)) expect(findDifference(told, { ...told, [part]: [{}] })).toContain(`${part}:`)
  })
})
