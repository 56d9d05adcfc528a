import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Health } from '@kedge/api'
import { regtestBond } from '@kedge/core'
import { send, withdraw } from '@kedge/wallet'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { FeeMarket, MARKET_BLOCK_WEIGHT, risingRate } from '../src/fee-market.ts'
import type { WaitingMessage } from '../src/mempool-messages.ts'
import { RegtestNetwork } from '../src/network.ts'
import { fundOperator, setUpBond } from '../src/operator.ts'
import { type Person, Stage } from '../src/stage.ts'
import { describeOnBitcoind } from './ground.ts'

/** sat/vB: what blocks ask for at first, and what the nodes pay at most. Over so many blocks it rises tenfold. */
const CALM = 2
const CAP = 60
const OVER = 4

/** Everything that nodes put on Bitcoin, while others bid ever more for a place in its blocks. */
describeOnBitcoind('while the rate that blocks ask for rises tenfold', () => {
  let folder: string
  let network: RegtestNetwork
  let stage: Stage
  let market: FeeMarket
  let alice: Person
  let bob: Person
  let bond: string
  let blocksOfRise = 0

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'kedge-fees-'))
    network = await RegtestNetwork.start({
      ...{ folder, challengers: 3, sealAfterMs: 150, mayLie: true, maxFeeRate: CAP, blockWeight: MARKET_BLOCK_WEIGHT },
      bond: { ...regtestBond, epoch: 200, returnDelay: 260 },
    })
    stage = new Stage(network, (_, work) => work(() => undefined))
    await fundOperator(network)
    bond = await setUpBond(network)
    ;[alice, bob] = (await stage.people(2)) as [Person, Person]
    market = new FeeMarket(network.bitcoind)
    await market.open(80)
    await network.synced()
  }, 120_000)
  afterAll(async () => {
    await network.stop()
    await rm(folder, { recursive: true })
  })

  const quietly = () => undefined
  const height = async () => (await network.sequencer.client.health()).tip.height
  const isA = (kind: string) => (waiting: WaitingMessage) => waiting.message.kind === kind
  /** Samples of one metric, of all nodes. */
  const metric = async (name: string): Promise<number[]> => {
    const texts = await Promise.all(network.running.map(({ client }) => client.metrics()))
    const lines = texts.flatMap((text) => text.split('\n').filter((line) => line.startsWith(`${name} `)))
    return lines.map((line) => Number(line.split(' ')[1]))
  }

  /** Blocks full of those who bid the rate of the day, until the probe gives something. */
  async function mineUntil<T>(until: string, most: number, probe: () => Promise<T | undefined>): Promise<T> {
    for (let blocks = 0; ; blocks++) {
      const found = await probe()
      if (found !== undefined) return found
      expect(blocks, `${until}: more blocks than it may take`).toBeLessThan(most)
      blocksOfRise += 1
      await market.bid(risingRate(CALM, blocksOfRise, OVER))
      await stage.quiet()
      await network.mine()
    }
  }

  test('a payout, the slash of a bond and anchors, all sent in calm, are mined in time', {
    timeout: 120_000,
  }, async () => {
    const { sequencer } = network
    const { id } = await withdraw(alice.wallet, { address: alice.bitcoin, sats: 50_000n, payoutFee: 15_000n })
    const view = () => sequencer.client.withdrawal({ id })
    const isNearlyPayable = async () => {
      const now = await view()
      return 'payableAt' in now && now.payableAt === (await height()) + 3 ? true : undefined
    }
    await stage.mineUntil('the withdrawal is payable three blocks later', isNearlyPayable, quietly)
    await sequencer.send({ lie: 'credit-itself' })
    await send(alice.wallet, { to: bob.key, amount: 1_000n })
    await stage.untilWaiting('the anchor', isA('batch'), quietly)
    await network.mine()
    await stage.untilWaiting('the evidence', isA('evidence'), quietly)
    // Mined, and k deep.
    await network.mine(1 + network.params.windows.originDepth)
    for (const kind of ['payout', 'resume', 'batch']) await stage.untilWaiting(kind, isA(kind), quietly)
    const slashRates = () => metric('kedge_waiting_satoshis_per_vbyte{kind="slash"}')
    const [rate] = await network.waitFor({ until: 'the slash is sent' }, async () => {
      const rates = await slashRates()
      return rates.length > 0 ? rates : undefined
    })
    expect(rate).toBeLessThan(5 * CALM)
    const since = await height()

    await mineUntil('the payout is mined', 12, async () => ((await view()).rung === 'paid' ? true : undefined))
    const slashed = await mineUntil('the slash is mined', 12, async () => {
      const { bonds } = await sequencer.client.bonds({})
      return bonds.find(({ txid, end }) => txid === bond && end !== undefined)
    })
    expect(slashed.end?.outcome).toBe('slashed')
    expect(slashed.end?.height).toBeLessThan(slashed.returnableAt)
    const { staleness } = network.params.windows
    // Those that come behind the slash have no bond behind them; they are mined all the same.
    await mineUntil('the anchors are mined', staleness - ((await height()) - since), async () => {
      const [waiting] = await metric('kedge_unconfirmed_anchors')
      return waiting === 0 && (await height()) > since + OVER ? true : undefined
    })
    const { batches } = await sequencer.client.batches({})
    expect(batches.filter(({ anchor }) => anchor.height > since).length).toBeGreaterThanOrEqual(2)
  })
})

describeOnBitcoind('where the cap on fees is too low', () => {
  test('a node says what it keeps out of the blocks, and until when there is time', { timeout: 120_000 }, async () => {
    const folder = await mkdtemp(join(tmpdir(), 'kedge-cap-'))
    const network = await RegtestNetwork.start({
      ...{ folder, challengers: 2, sealAfterMs: 150, maxFeeRate: 5, blockWeight: MARKET_BLOCK_WEIGHT },
    })
    try {
      const stage = new Stage(network, (_, work) => work(() => undefined))
      const [alice, bob] = (await stage.people(2)) as [Person, Person]
      const market = new FeeMarket(network.bitcoind)
      await market.open(24)
      await network.synced()
      const { sequencer } = network
      await send(alice.wallet, { to: bob.key, amount: 1_000n })
      const capped = async (): Promise<Health['capped']> => {
        await market.bid(20)
        await stage.quiet()
        await network.mine()
        return (await sequencer.client.health()).capped
      }
      let alarm = await capped()
      for (let block = 1; alarm === undefined && block < network.params.windows.staleness; block++)
        alarm = await capped()
      const { tip, head } = await sequencer.client.health()
      expect(alarm).toMatchObject([{ what: `anchor ${head.number + 1}` }])
      expect(alarm?.[0]?.deadline).toBeGreaterThan(tip.height)
      expect(await sequencer.client.metrics()).toMatch(/^kedge_capped_transactions 1$/m)
      expect(await readFile(sequencer.logFile, 'utf8')).toContain('raise --max-fee-rate before its deadline')
      // Nobody bids any more.
      await network.mine(3)
      expect((await sequencer.client.health()).head.number).toBeGreaterThan(head.number)
      const isOver = async () => ((await sequencer.client.health()).capped === undefined ? true : undefined)
      await network.waitFor({ until: 'the alarm is over' }, isOver)
    } finally {
      await network.stop()
      await rm(folder, { recursive: true })
    }
  })
})
