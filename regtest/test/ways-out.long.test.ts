import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { WithdrawalStatus } from '@kedge/api'
import { readTip } from '@kedge/bitcoin'
import { prepareForce, publishForce, readBalance, resumePublications } from '@kedge/wallet'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { RegtestNetwork } from '../src/network.ts'
import { type Person, Stage } from '../src/stage.ts'
import { type Kedge, walletOf } from '../src/wallet-program.ts'
import { describeOnBitcoind } from './ground.ts'

/** What a person does to get bitcoin back whom nobody helps, with the program and with real processes. */
describeOnBitcoind('ways out', () => {
  let folder: string
  let network: RegtestNetwork
  let stage: Stage
  let alice: Person
  let kedge: Kedge

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'kedge-ways-out-'))
    network = await RegtestNetwork.start({ folder, challengers: 2, sealAfterMs: 100 })
    stage = new Stage(network, (_, work) => work(() => undefined))
    alice = (await stage.people(1))[0] as Person
    kedge = walletOf(stage, alice, network.sequencer)
  }, 60_000)

  afterAll(async () => {
    await network.stop()
    await rm(folder, { recursive: true })
  })

  const statusOf = async (id: string): Promise<WithdrawalStatus> => network.sequencer.client.withdrawal({ id })

  test('without a terminal nothing is signed that was not agreed to', { timeout: 60_000 }, async () => {
    const { code, stdout } = await kedge('withdraw', '20000sat', alice.bitcoin)
    expect([code, JSON.parse(stdout)]).toMatchObject([2, { error: { code: 'bad-config' } }])
    expect((await kedge('force', 'withdraw', '20000sat', alice.bitcoin)).code).toBe(2)
    const { unplaced } = await readBalance(alice.wallet)
    expect(unplaced).toEqual([])
  })

  test('what was forced and never reached Bitcoin is published once when the wallet resumes, and executed once', {
    timeout: 60_000,
  }, async () => {
    const { rpc } = network.bitcoind
    const { balance } = await stage.account(network.sequencer, alice)
    const request = { address: alice.bitcoin, sats: 20_000n, payoutFee: 1_000n }
    const prepared = await prepareForce(alice.wallet, rpc, { kind: 'withdrawal', withdrawal: request, feeRate: 2 })
    const { id } = prepared.record
    await expect(publishForce(alice.wallet, { ...rpc, url: 'http://127.0.0.1:1' }, prepared)).rejects.toThrow()
    expect((await readBalance(alice.wallet)).unplaced).toMatchObject([{ id, kind: 'withdrawal', standing: 'recorded' }])
    expect(await resumePublications(alice.wallet, rpc)).toMatchObject([{ id, outcome: 'sent' }])
    expect(await resumePublications(alice.wallet, rpc)).toMatchObject([{ id, outcome: 'sent' }])
    await network.mine()
    expect(await resumePublications(alice.wallet, rpc)).toEqual([])
    expect(await statusOf(id)).toEqual({ rung: 'pending', id })
    const note = () => undefined
    const carried = async () => {
      const status = await statusOf(id)
      return 'batch' in status && status.rung !== 'sequenced' ? status : undefined
    }
    expect(await stage.mineUntil('a batch carries it', carried, note)).toMatchObject({ forced: true, amount: 20_000n })
    const { fees } = network.params
    expect((await stage.account(network.sequencer, alice)).balance).toBe(balance - 20_000_000n - fees.transfer)
    const shown = JSON.parse((await kedge('status', id)).stdout)
    expect(shown).toMatchObject({ holds: true, forced: [{ effect: 'executed' }] })
    const resumed = JSON.parse((await kedge('resume')).stdout)
    expect(resumed).toMatchObject({ publications: [], sends: [] })
    expect((await stage.account(network.sequencer, alice)).balance).toBe(balance - 20_000_000n - fees.transfer)
  })

  test('a deposit that nobody sweeps comes back to its depositor, R blocks later and not one earlier, once', {
    timeout: 60_000,
  }, async () => {
    for (const watcher of network.challengers) await watcher.stop()
    await stage.deposit(alice)
    await network.mine()
    const { height: made } = await readTip(network.bitcoind.rpc)
    const { refund } = network.params.windows
    await network.mine(refund - 2)
    const early = await kedge('refund')
    expect([early.code, JSON.parse(early.stdout)]).toMatchObject([
      1,
      { error: { code: 'too-early', details: { height: String(made + refund) } } },
    ])
    await network.mine()
    const [taken] = JSON.parse((await kedge('refund')).stdout)
    expect(taken).toMatchObject({ sats: '400000' })
    expect(JSON.parse((await kedge('refund')).stdout)).toMatchObject([{ txid: taken.txid }])
    const { bitcoin: before = 0n } = await readBalance(alice.wallet, network.bitcoind.rpc)
    await network.mine()
    const { bitcoin: after, waiting } = await readBalance(alice.wallet, network.bitcoind.rpc)
    expect([after, waiting]).toEqual([before + 400_000n - BigInt(taken.fee), []])
    const again = await kedge('refund')
    expect([again.code, JSON.parse(again.stdout)]).toMatchObject([1, { error: { code: 'nothing-to-refund' } }])
    const { deposits } = await network.sequencer.client.deposits({ key: alice.key })
    expect(deposits.map(({ refunded }) => refunded)).toEqual([true, undefined])
  })
})
