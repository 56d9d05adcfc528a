import { readFileSync, statSync, truncateSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readTip } from '@kedge/bitcoin'
import { send } from '@kedge/wallet'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { freePort } from '../src/bitcoind.ts'
import { type NetworkOptions, RegtestNetwork } from '../src/network.ts'
import { type Person, Stage } from '../src/stage.ts'
import { describeOnBitcoind } from './ground.ts'

describeOnBitcoind('a network whose bitcoind is killed, and which ends with it', () => {
  let options: NetworkOptions
  let network: RegtestNetwork
  let stage: Stage
  let alice: Person
  let bob: Person
  const start = async () => {
    network = await RegtestNetwork.start(options)
    stage = new Stage(network, (_, work) => work(() => undefined))
  }
  beforeAll(async () => {
    const folder = await mkdtemp(join(tmpdir(), 'kedge-take-up-'))
    options = { folder, challengers: 1, sealAfterMs: 250, apiPort: await freePort() }
    await start()
    ;[alice, bob] = (await stage.people(2)) as [Person, Person]
  }, 90_000)
  afterAll(async () => {
    await network.stop()
    await rm(options.folder, { recursive: true })
  })

  const anchoredPayment = async () => {
    const { id } = await send(alice.wallet, { to: bob.key, amount: 5_000n })
    await stage.mineTo('anchored', network.sequencer, id, () => undefined)
    return id
  }

  test('says so, and is taken up by another that knows nothing of it', async () => {
    const id = await anchoredPayment()
    const tip = await readTip(network.bitcoind.rpc)
    process.kill(Number(readFileSync(join(options.folder, 'bitcoind', 'regtest', 'bitcoind.pid'), 'utf8')), 'SIGKILL')
    const waiting = network.waitFor({ until: 'never' }, () => undefined)
    await expect(waiting).rejects.toThrow('bitcoind ended by itself (SIGKILL); its log is ')
    await network.kill()
    await start()
    expect(await readTip(network.bitcoind.rpc)).toEqual(tip)
    await stage.mineTo('anchored', network.sequencer, id, () => undefined)
    await anchoredPayment()
  }, 90_000)

  test('is taken up also where its nodes have seen blocks that nobody wrote down', async () => {
    const file = join(options.folder, 'bitcoind', 'mined-blocks')
    const { size } = statSync(file)
    await network.mine(2)
    const { height } = await readTip(network.bitcoind.rpc)
    await network.kill()
    truncateSync(file, size)
    await start()
    expect((await readTip(network.bitcoind.rpc)).height).toBeGreaterThan(height)
    await anchoredPayment()
  }, 90_000)
})
