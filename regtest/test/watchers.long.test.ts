import { setTimeout as sleep } from 'node:timers/promises'
import { readMempoolEntry, readSpending, readTransaction } from '@kedge/bitcoin'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { depositTo, gather, mineUntilCredited, type Payer } from '../src/chaos/crowd.ts'
import { openStand, type Stand } from '../src/chaos/stand.ts'
import { describeOnBitcoind } from './ground.ts'
import { allMined, expectPaidOnce, minePaid, paymentsOf, vaultNow, withdraw } from './owed.ts'

let stand: Stand
let payers: readonly Payer[]

const play = (work: () => Promise<void>) => () => stand.play(work)
const payer = (at: number) => payers[at] as Payer

/** The vault's spend in the mempool: what it pays, and for how much. */
async function waiting() {
  const { bitcoind, params } = stand.network
  const raw = await readSpending(bitcoind.rpc, (await vaultNow(bitcoind.rpc, params)).head)
  const entry = raw && (await readMempoolEntry(bitcoind.rpc, readTransaction(raw).txid))
  return raw && entry && { raw, ...entry, outputs: readTransaction(raw).outputs }
}

/** Mines until a payout waits in the mempool. */
function minePayable() {
  return stand.network.waitFor({ until: 'a payout waits', withinMs: 60_000 }, async () => {
    const there = await waiting()
    if (there !== undefined && there.outputs.length > 2) return there
    await stand.network.mine()
    return undefined
  })
}

/** Two watchers of three run, two must sign; the third key is nobody's. */
describeOnBitcoind('watchers', () => {
  beforeAll(async () => {
    stand = await openStand({ challengers: 2, sealAfterMs: 150 })
    payers = await gather(stand.network, 4, 300_000n)
  }, 90_000)
  afterAll(() => stand.close(), 60_000)

  it(
    'one payout serves several withdrawals',
    { timeout: 60_000 },
    play(async () => {
      const { network } = stand
      const owed = [
        await withdraw(network, payer(0), 20_000n, 2_000n),
        await withdraw(network, payer(1), 30_000n, 2_000n),
      ]
      await minePaid(network, owed)
      const payouts = (await allMined(network.bitcoind.rpc, network.params.scanHeight)).filter(({ outputs }) =>
        outputs.some(({ script }) => owed.some((one) => Buffer.compare(one.script, script) === 0)),
      )
      expect(payouts.length).toBe(1)
    }),
  )

  it(
    'without t of them nothing moves; with them again all does, also after kill -9 in the middle',
    { timeout: 120_000 },
    play(async () => {
      const { network } = stand
      const [first, second] = network.challengers
      if (first === undefined || second === undefined) throw new Error('there are two challengers')
      await first.kill()
      const owed = [await withdraw(network, payer(0), 21_000n, 2_000n)]
      await network.mine(14)
      await sleep(1_000)
      expect(await waiting()).toBeUndefined()
      await first.start()
      await minePaid(network, owed)
      const next = [await withdraw(network, payer(1), 22_000n, 2_000n)]
      // Batch, finality, and the blocks in which the payout is proposed, signed, sent.
      for (let block = 0; block < 10; block++) {
        await network.bitcoind.mine(1)
        await sleep(40)
      }
      await Promise.all([first.kill(), second.kill()])
      await Promise.all([first.start(), second.start()])
      await minePaid(network, next)
    }),
  )

  it(
    'a payout that is not mined is raised, block by block, to what its claims bear and no further',
    { timeout: 60_000 },
    play(async () => {
      const { network } = stand
      const owed = [await withdraw(network, payer(2), 40_000n, 4_000n)]
      const first = await minePayable()
      let last = first
      for (let block = 0; block < 6; block++) {
        await network.bitcoind.mineBlock([])
        await network.synced()
        // The one whose turn it is may be the dead one.
        await sleep(400)
        const now = await waiting()
        if (now === undefined) throw new Error('the payout is gone')
        expect(now.fee).toBeGreaterThanOrEqual(last.fee)
        expect(now.outputs.length).toBe(first.outputs.length)
        last = now
      }
      expect(last.fee).toBeGreaterThan(2n * first.fee)
      expect(last.fee).toBeLessThanOrEqual(4_000n)
      await minePaid(network, owed)
    }),
  )

  it(
    'payouts and sweeps that a reorg drops come back, and nobody is paid twice',
    { timeout: 90_000 },
    play(async () => {
      const { network } = stand
      const owed = [
        await withdraw(network, payer(3), 25_000n, 2_000n),
        await withdraw(network, payer(1), 26_000n, 2_000n),
      ]
      await depositTo(network.bitcoind, network.params, payer(3).key, 50_000n)
      await minePaid(network, owed)
      const { number } = await vaultNow(network.bitcoind.rpc, network.params)
      // Empty blocks instead, one more of them.
      await network.bitcoind.reorg(3, [[], [], [], []])
      await network.synced()
      await minePaid(network, owed)
      expect((await vaultNow(network.bitcoind.rpc, network.params)).number).toBeGreaterThanOrEqual(number)
      await mineUntilCredited(network, payers)
      await expectPaidOnce(network, owed)
      expect((await paymentsOf(network, owed)).map(({ length }) => length)).toEqual([1, 1])
    }),
  )

  it(
    'a sequencer that comes back to a chain that has ended follows the exit as every node does',
    { timeout: 60_000 },
    play(async () => {
      const { network } = stand
      await network.sequencer.stop()
      await network.mine(network.params.windows.exit)
      const owed = [await withdraw(network, payer(0), 20_000n, 2_000n)]
      await network.mine()
      await network.sequencer.start()
      await minePaid(network, owed)
      const healths = await Promise.all(network.running.map(({ client }) => client.health()))
      expect(healths.map(({ mode, synced }) => [mode, synced])).toEqual(Array(3).fill(['closed', true]))
      expect(new Set(healths.map(({ exit }) => exit?.root)).size).toBe(1)
    }),
  )
})
