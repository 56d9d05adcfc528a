import { type ChildProcess, fork } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { readTip } from '@kedge/bitcoin'
import { callRegtest } from '@kedge/cli'
import { networkId, toHex } from '@kedge/core'
import { send } from '@kedge/wallet'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openControl } from '../src/control.ts'
import { runKedge } from '../src/kedge.ts'
import { clearLeftovers } from '../src/leftover.ts'
import { RegtestNetwork } from '../src/network.ts'
import { type NodeProcess, pidFileOf } from '../src/node-process.ts'
import { type Person, Stage } from '../src/stage.ts'
import { describeOnBitcoind } from './ground.ts'

const OPTIONS = { challengers: 1, sealAfterMs: 250 }

/** Of each node's metrics: what its other routes say, and bitcoind; one anchor of the sequencer's waits. */
async function expectTold(network: RegtestNetwork): Promise<void> {
  const { rpc } = network.bitcoind
  for (const { client } of network.nodes) {
    const [text, health, vault, tip] = await Promise.all([
      client.metrics(),
      client.health(),
      client.vault(),
      readTip(rpc),
    ])
    const told = (name: string) => Number(new RegExp(`^kedge_${name} (.*)$`, 'm').exec(text)?.[1])
    expect([told('bitcoin_height'), told('derived_height')]).toEqual([tip.height, tip.height])
    expect([told('head_batch'), told('final_batch')]).toEqual([health.head.number, health.final.number])
    expect([told('synced'), told('peers')]).toEqual([Number(health.synced), health.peers])
    expect(told('vault_satoshis')).toBe(Number(vault.head.sats))
    expect(told('assets_satoshis')).toBe(Number(vault.assets) / 1000)
    expect(told('purse_satoshis')).toBeGreaterThan(0)
    expect(told('capped_transactions')).toBe(0)
  }
  const text = await network.sequencer.client.metrics()
  expect(text).toMatch(/^kedge_unconfirmed_anchors 1$/m)
  expect(text).toMatch(/^kedge_waiting_transactions\{kind="anchor"\} 1$/m)
}

/** Peers whose names cost nothing, each at the sequencer's places on every protocol (@kedge/p2p's test of the same). */
async function besiege({ sequencer, params }: RegtestNetwork): Promise<ChildProcess> {
  const program = fileURLToPath(new URL('../../packages/p2p/test/attacker.mjs', import.meta.url))
  const [address = ''] = sequencer.ready.addresses
  const child = fork(program, ['drip', address, toHex(networkId(params)), toHex(new Uint8Array(32)), '8'])
  await new Promise((resolve) => child.once('message', resolve))
  return child
}

/** Of the batches that come about under siege, until the time to challenge them is over. */
async function expectUnchallenged(network: RegtestNetwork, work: () => Promise<unknown>): Promise<void> {
  const besiegers = await besiege(network)
  const first = (await network.agreed()).number + 1
  for (let round = 0; round < 3; round++) await work()
  await network.mine(network.params.windows.challenge)
  const last = (await network.agreed()).number
  besiegers.kill('SIGKILL')
  expect(last).toBeGreaterThanOrEqual(first)
  for (let number = first; number <= last; number++)
    expect(await network.challengers[0]?.client.batch({ number })).toMatchObject({ outcome: 'batch', challenges: [] })
}

interface Besieged {
  readonly network: RegtestNetwork
  readonly pay: () => Promise<unknown>
}

/** @param parts as they are when the test runs */
function testSiege(parts: () => Besieged): void {
  const what = 'a sequencer whose places strangers hold still gives its challenger the data, and none is challenged'
  test(what, () => expectUnchallenged(parts().network, parts().pay), 60_000)
}

describeOnBitcoind('a network', () => {
  let folder: string
  let network: RegtestNetwork
  let stage: Stage
  let alice: Person
  let bob: Person
  const on = (started: RegtestNetwork) => {
    network = started
    stage = new Stage(network, (_, work) => work(() => undefined))
  }
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'kedge-network-'))
    on(await RegtestNetwork.start({ ...OPTIONS, folder }))
    ;[alice, bob] = (await stage.people(2)) as [Person, Person]
  }, 90_000)
  afterAll(async () => {
    await network.stop()
    await rm(folder, { recursive: true })
  })

  const pay = async () => (await send(alice.wallet, { to: bob.key, amount: 5_000n })).id
  const anchored = async (id: string) => {
    await stage.mineTo('anchored', network.sequencer, id, () => undefined)
    return network.agreed()
  }

  test('each node tells Prometheus what its other routes say, and Bitcoin', async () => {
    await anchored(await pay())
    await pay()
    await stage.untilWaiting(
      'its anchor',
      ({ message }) => message.kind === 'batch',
      () => undefined,
    )
    await expectTold(network)
  }, 60_000)

  testSiege(() => ({ network, pay: async () => anchored(await pay()) }))

  test('kill -9 of the sequencer: what it acknowledged is there when it is started again', async () => {
    const ids = [await pay(), await pay()]
    await network.sequencer.kill()
    await network.sequencer.start()
    await network.connected()
    await network.agreed()
    for (const id of ids) await anchored(id)
    await anchored(await pay())
  }, 60_000)

  test('kill -9 of a challenger: it follows again', async () => {
    const [challenger] = network.challengers
    await challenger?.kill()
    await anchored(await pay())
    await challenger?.start()
    await network.synced()
    await network.agreed()
  }, 60_000)

  test('kill -9 of bitcoind: the nodes wait for it', async () => {
    const id = await pay()
    await network.bitcoind.kill()
    await network.bitcoind.start()
    await anchored(id)
  }, 60_000)

  test('blocks are replaced: everybody follows, payments stay', async () => {
    const id = await pay()
    await anchored(id)
    await network.reorg(3)
    await anchored(id)
  }, 60_000)

  test('a node that ends by itself: whoever waits is told, with the end of its log', async () => {
    const challenger = network.challengers[0] as NodeProcess
    process.kill(Number(readFileSync(pidFileOf(join(folder, challenger.name)), 'utf8')), 'SIGKILL')
    const waiting = network.waitFor({ until: 'never' }, () => undefined)
    await expect(waiting).rejects.toThrow(
      `challenger-1 ended by itself: SIGKILL\nthe end of ${challenger.logFile}:\n{"level":`,
    )
    await challenger.start()
    await network.agreed()
  }, 60_000)

  test('kedge regtest reaches it, one after another', async () => {
    const control = await openControl(network)
    const { height } = await readTip(network.bitcoind.rpc)
    const regtest = (...args: string[]) => runKedge(['regtest', ...args, '--data', folder, '--json'])
    expect((await regtest('mine', '2')).code).toBe(0)
    expect((await readTip(network.bitcoind.rpc)).height).toBe(height + 2)
    const ran = await Promise.all([regtest('fund', alice.bitcoin, '5000sat'), regtest('fund', bob.bitcoin, '5000sat')])
    expect(ran.map(({ code }) => code)).toEqual([0, 0])
    expect(JSON.parse((await regtest('reorg', '1')).stdout)).toMatchObject({ hashes: { length: 2 } })
    expect(JSON.parse((await regtest('status')).stdout)).toMatchObject({ pid: process.pid, apis: { length: 2 } })
    // The command checks what is typed; whoever calls by himself gets a sentence too.
    const refused = callRegtest(folder, 'mine', { blocks: 5000 })
    await expect(refused).rejects.toThrow(/^mine can't be asked for that: blocks: [^\n{["]+$/)
    await expect(clearLeftovers(folder)).rejects.toThrow(`a network runs in ${folder} already`)
    // As many as end the chain, were there no time for a batch between them.
    const blocks = 1 + network.params.windows.exit
    expect(JSON.parse((await regtest('mine', `${blocks}`)).stdout)).toMatchObject({ hashes: { length: blocks } })
    expect(await network.sequencer.client.health()).toMatchObject({ mode: 'active' })
    await control.close()
    expect(existsSync(join(folder, 'regtest.json'))).toBe(false)
    await network.agreed()
  }, 60_000)

  test('stopped and started again, it goes on where it was', async () => {
    const before = await anchored(await pay())
    const money = (await stage.account(network.sequencer, bob)).balance
    const { params } = network
    const reached = () => [network.bitcoind.rpc.url, ...network.nodes.flatMap(({ ready }) => ready.addresses)]
    const addresses = reached()
    await network.stop()
    on(await RegtestNetwork.start({ ...OPTIONS, folder }))
    expect(network.params).toEqual(params)
    expect(reached()).toEqual(addresses)
    expect((await network.agreed()).number).toBeGreaterThanOrEqual(before.number)
    expect((await stage.account(network.sequencer, bob)).balance).toBe(money)
  }, 90_000)
})
