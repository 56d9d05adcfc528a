import { setTimeout as sleep } from 'node:timers/promises'
import { type Client, MAX_TRANSFERS } from '@kedge/api'
import { concatBytes } from '@kedge/core'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { expectAgreement } from '../src/chaos/agreement.ts'
import { gather, type Payer, type Signed, signNext } from '../src/chaos/crowd.ts'
import { freshDice } from '../src/chaos/dice.ts'
import { Load } from '../src/chaos/load.ts'
import { settle } from '../src/chaos/settle.ts'
import { openStand, type Stand } from '../src/chaos/stand.ts'
import { countUnconfirmed, untilUnconfirmed } from '../src/chaos/unconfirmed.ts'
import { judge } from '../src/chaos/verdict.ts'
import { describeOnBitcoind } from './ground.ts'

const PAYERS = 12
const DEPOSIT = 1_000_000n
const UNCONFIRMED_MAX = 20

const dice = freshDice()

/** On one network: each test leaves it settled, and the last one judges all that happened. */
describeOnBitcoind(`without blocks, and without bitcoind, KEDGE_CHAOS_SEED=${dice.seed}`, () => {
  let stand: Stand
  let payers: readonly Payer[]
  let load: Load
  beforeAll(async () => {
    stand = await openStand({ challengers: 1, sealAfterMs: 60 })
    const { network } = stand
    payers = await gather(network, PAYERS, DEPOSIT)
    const nodes = () => network.running
    load = new Load({ params: network.params, payers, nodes, dice: dice.fork(), senders: 3, pauseMs: 20 })
  }, 90_000)
  afterAll(() => stand.close(), 60_000)

  it(
    'at most 20 anchors wait for a block; then the open batch fills, and only a full one is overloaded',
    {
      timeout: 120_000,
    },
    () =>
      stand.play(async () => {
        const { network } = stand
        load.start()
        await untilUnconfirmed(network, UNCONFIRMED_MAX)
        const before = load.acknowledged.size
        await sleep(1_500)
        await load.stop()
        expect(await countUnconfirmed(network)).toBe(UNCONFIRMED_MAX)
        expect(load.acknowledged.size).toBeGreaterThan(before)
        expect(load.codes.get('overloaded') ?? 0).toBe(0)
        const last = await fill(network.sequencer.client)
        const payment = await network.sequencer.client.payment({ id: last.id })
        expect(payment).toMatchObject({ rung: 'sequenced', index: network.params.caps.operations - 1 })
        expect(await countUnconfirmed(network)).toBe(UNCONFIRMED_MAX)
        await network.mine()
        load.start()
        await untilUnconfirmed(network, 2)
        await load.stop()
        await settle(network, load)
        await expectAgreement(network, payers)
      }),
  )

  /** One payer's transfers until one is refused. @returns the last one that was taken */
  async function fill(client: Client): Promise<Signed> {
    const [payer, other] = payers as readonly [Payer, Payer]
    let last: Signed | undefined
    for (let requests = 0; requests < 20; requests++) {
      const rows = Array.from({ length: MAX_TRANSFERS }, (_, at) =>
        signNext(stand.network.params, { ...payer, nonce: payer.nonce + BigInt(at) }, other, 1n),
      )
      const { refused } = await client.submitTransfers({ bytes: concatBytes(...rows.map(({ bytes }) => bytes)) })
      const taken = rows.slice(0, rows.length - refused.length)
      for (const row of taken) load.acknowledged.set(row.id, { ...row, by: 'sequencer' })
      payer.nonce += BigInt(taken.length)
      last = taken.at(-1) ?? last
      if (refused.length === 0 || last === undefined) continue
      expect(new Set(refused.map(({ code }) => code))).toEqual(new Set(['overloaded']))
      return last
    }
    throw new Error('no batch was ever full')
  }

  it(
    'while bitcoind is away transfers are taken; when it is back, with an empty mempool, all goes on',
    {
      timeout: 120_000,
    },
    () =>
      stand.play(async () => {
        const { network } = stand
        load.start()
        await untilUnconfirmed(network, 3)
        await network.bitcoind.kill()
        const before = load.acknowledged.size
        await sleep(2_000)
        expect(load.acknowledged.size).toBeGreaterThan(before)
        await network.bitcoind.start()
        await untilUnconfirmed(network, 3)
        await load.stop()
        await settle(network, load)
        await expectAgreement(network, payers)
      }),
  )

  it('nothing is lost', { timeout: 60_000 }, () =>
    stand.play(async () => {
      const { network } = stand
      await network.stop()
      await network.bitcoind.start()
      const { faults } = await judge(network, load)
      expect(faults).toEqual([])
    }),
  )
})
