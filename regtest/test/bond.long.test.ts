import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import type { BondView } from '@kedge/api'
import { addressOf, readMempool } from '@kedge/bitcoin'
import { signSlot, slotTable, tickPoints, xOnlyKey } from '@kedge/bond'
import { concatBytes, encodeHeader, headerSlotMessage, networkId, type Params, regtestBond, toHex } from '@kedge/core'
import { createHost } from '@kedge/p2p'
import { send } from '@kedge/wallet'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { KEDGE, plainEnvironment, runKedge } from '../src/kedge.ts'
import { nodeFolder, nodeKeys } from '../src/layout.ts'
import { RegtestNetwork } from '../src/network.ts'
import { fundOperator, operatorArgs, runBond, setUpBond } from '../src/operator.ts'
import { type Person, Stage } from '../src/stage.ts'
import { describeOnBitcoind, freshKey } from './ground.ts'

/** The bond as people get it: processes, their disks, and a bitcoind that says the last word. */

const BOND = { ...regtestBond, epoch: 60, returnDelay: 100 }

/** A network that asks for a bond, for the tests of a `describe`; there is none yet, but money for it. */
function useNetwork(): () => Stage {
  let stage: Stage | undefined
  let folder = ''
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'kedge-bond-'))
    const network = await RegtestNetwork.start({ folder, challengers: 3, sealAfterMs: 200, mayLie: true, bond: BOND })
    stage = new Stage(network, (_, work) => work(() => undefined))
    await fundOperator(network)
  }, 90_000)
  afterAll(async () => {
    await stage?.network.stop()
    await rm(folder, { recursive: true })
  })
  return () => {
    if (stage === undefined) throw new Error('there is no network')
    return stage
  }
}

describeOnBitcoind('a network that asks for a bond', () => {
  const onStage = useNetwork()
  let stage: Stage
  let network: RegtestNetwork
  beforeAll(() => {
    stage = onStage()
    network = stage.network
  })

  const bonds = () => network.sequencer.client.bonds({})
  const newest = async () => (await bonds()).bonds[0] as BondView
  const pay = async () => {
    const [alice, bob] = (await stage.people(2)) as [Person, Person]
    return send(alice.wallet, { to: bob.key, amount: 5_000n })
  }
  const paid = async () => stage.mineTo('anchored', network.sequencer, (await pay()).id, () => undefined)

  test('takes nothing before there is one', async () => {
    expect(await bonds()).toMatchObject({ asked: true, covered: false, left: 0, bonds: [] })
    const { stdout } = await runKedge(['bond', 'status', '--node', network.sequencer.ready.api])
    expect(stdout).toContain('No bond covers a batch that is anchored in the next block')
    expect(await runBond(network, 'setup')).toMatchObject({ code: 2, stderr: expect.stringContaining('add --yes') })
    expect(await readMempool(network.bitcoind.rpc)).toEqual([])
  })

  test('one watcher that is away: nothing is funded, and nothing is lost', async () => {
    await network.challengers[2]?.stop()
    const ran = await runBond(network, 'setup', '--yes', '--timeout', '4')
    expect(ran).toMatchObject({ code: 2, stderr: expect.stringMatching(/not heard of [0-9a-f]{8}/) })
    expect(await readMempool(network.bitcoind.rpc)).toEqual([])
    await network.challengers[2]?.start()
  }, 60_000)

  test('kill -9 of anybody in the middle: the next run ends it, with one bond and no other', async () => {
    for (const [at, ms] of [900, 1_300, 1_600].entries())
      await killInTheMiddle(network, ms, at % 2 === 1 ? at : undefined)
    const txid = await setUpBond(network)
    expect(await bonds()).toMatchObject({ covered: true, bonds: [{ txid, sats: 1_000_000n }] })
    const { stdout } = await runKedge(['bond', 'status', '--node', network.challengers[0]?.ready.api ?? ''])
    expect(stdout).toMatch(/standing: anybody with evidence can slash it[\s\S]*T: \d+ blocks until/)
    await paid()
  }, 120_000)

  test('is not returned early; in time it is, and batches wait for the next one', async () => {
    expect(await runBond(network, 'return', '--yes')).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/too early: \d+ more blocks/),
    })
    await network.mine(BOND.returnDelay)
    expect(await bonds()).toMatchObject({ covered: false })
    expect(await runBond(network, 'return', '--yes')).toMatchObject({ code: 0 })
    await network.mine()
    expect(await newest()).toMatchObject({ end: { outcome: 'returned' } })
    await expect(pay()).rejects.toMatchObject({ cause: { code: 'chain-broken' } })
    expect(await runBond(network, 'return', '--yes')).toMatchObject({ code: 2 })
    await setUpBond(network)
    await paid()
  }, 90_000)

  test('an outsider slashes with two messages for one slot, and with no others', async () => {
    await setUpBond(network)
    const honest = await slotFiles(network, [1])
    const two = await slotFiles(network, [1, 2])
    const other = await slotFiles(network, [3], 1)
    expect(await slash(network, ...honest, ...honest)).toMatchObject({ code: 2 })
    expect(await slash(network, ...honest, ...other)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('they prove nothing'),
    })
    expect(await readMempool(network.bitcoind.rpc)).toEqual([])
    const { txid } = await newest()
    expect(await slash(network, ...two)).toMatchObject({ code: 0 })
    await network.mine()
    expect(await newest()).toMatchObject({ txid, end: { outcome: 'slashed' } })
    expect(await runBond(network, 'setup', '--yes', '--timeout', '20')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('its sequencer gets no other'),
    })
    // The other bond covers what it did.
    await paid()
  }, 90_000)

  test('a challenger that hears two headers, which show two of one slot, slashes by itself', async () => {
    const [, standing] = (await bonds()).bonds
    expect(standing).toMatchObject({ slash: {} })
    expect(standing?.end).toBeUndefined()
    const host = await createHost({
      ...{ secretKey: new Uint8Array(32).fill(9), network: networkId(network.params), listen: [] },
      bootstrap: network.challengers.flatMap(({ ready }) => ready.addresses.slice(0, 1)),
      validateHeader: () => 'accept',
      answerData: () => Promise.resolve(undefined),
      report: (error) => expect.fail(error.message),
    })
    try {
      const heard = async (fill: number) => {
        await host.announce(headerOver(network, new Uint8Array(32).fill(fill)))
        await setTimeout(1_000)
      }
      await network.waitFor({ until: 'peers are there' }, () => host.peers().length === 3 || undefined)
      // Until they tell each other which topics they follow.
      await setTimeout(1_000)
      await heard(1)
      await network.mine()
      expect(await readMempool(network.bitcoind.rpc)).toEqual([])
      await heard(2)
    } finally {
      await host.stop()
    }
    await stage.mineUntil(
      'the bond is slashed',
      async () => ((await bonds()).bonds[1]?.end?.outcome === 'slashed' ? true : undefined),
      () => undefined,
    )
  }, 60_000)
})

describeOnBitcoind('a network whose sequencer lies', () => {
  const onStage = useNetwork()

  test('the watchers slash by their word, when a batch is void for a lie', async () => {
    const stage = onStage()
    const { network } = stage
    const { sequencer, challengers } = network
    const txid = await setUpBond(network)
    const [alice, bob] = (await stage.people(2)) as [Person, Person]
    const { number } = (await sequencer.client.health()).head
    const votes = ['--batch', String(number), '--p2p-bootstrap', challengers[0]?.ready.addresses[0] ?? '']
    expect(await slash(network, ...votes)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('the batch is not void'),
    })
    await sequencer.send({ lie: 'credit-itself' })
    await send(alice.wallet, { to: bob.key, amount: 7_000n })
    const ended = await stage.mineUntil(
      'the bond is slashed',
      async () => (await sequencer.client.bonds({})).bonds.find((bond) => bond.txid === txid && bond.end !== undefined),
      () => undefined,
    )
    expect(ended.end).toMatchObject({ outcome: 'slashed' })
  }, 120_000)
})

/** Of the operator, so long after it began, and of one of the watchers. */
async function killInTheMiddle(network: RegtestNetwork, ms: number, watcher: number | undefined): Promise<void> {
  const args = [KEDGE, 'bond', 'setup', ...operatorArgs(network), '--yes']
  const child = spawn(process.execPath, args, { stdio: 'ignore', env: plainEnvironment() })
  const ended = once(child, 'exit')
  await Promise.race([setTimeout(ms), ended])
  const victim = watcher === undefined ? undefined : network.challengers[watcher]
  await victim?.kill()
  child.kill('SIGKILL')
  await ended
  await victim?.start()
}

/** What the slot key signed for a slot, a file each, as arguments. */
function slotFiles({ folder, params }: RegtestNetwork, fills: readonly number[], slot = 0): Promise<string[]> {
  const { key, table } = slotsOf(folder, params)
  return Promise.all(
    fills.map(async (fill) => {
      const message = new Uint8Array(32).fill(fill)
      const file = join(folder, `slot-${slot}-${fill}.json`)
      const signature = toHex(signSlot(key, table, slot, message))
      await writeFile(file, JSON.stringify({ message: toHex(message), signature }))
      return file
    }),
  ).then((files) => files.flatMap((file) => ['--evidence', file]))
}

/** By somebody who has a node to ask and a bitcoind, and no key of the network. */
function slash(network: RegtestNetwork, ...args: readonly string[]) {
  const { rpc } = network.bitcoind
  const login = 'cookieFile' in rpc.login ? ['--bitcoin-cookie-file', rpc.login.cookieFile] : []
  const to = addressOf(freshKey().script, 'regtest')
  const own = ['--params', join(network.folder, 'params.json'), '--node', network.challengers[0]?.ready.api ?? '']
  return runKedge(['bond', 'slash', ...own, '--bitcoin-url', rpc.url, ...login, '--to', to, '--yes', ...args])
}

/** Bytes of a header that shows its parent, a batch of this hash, signed in the header's slot; nothing else of it is true. */
function headerOver({ folder, params }: RegtestNetwork, parent: Uint8Array): Uint8Array {
  const { key, table } = slotsOf(folder, params)
  const network = networkId(params)
  const signature = signSlot(key, table, 'header', headerSlotMessage(network, NUMBER, parent))
  const zeros = new Uint8Array(32)
  return encodeHeader({
    ...{ network, number: NUMBER + 1, parent, origin: { height: 1, hash: zeros }, opCount: 0, nonceRoot: zeros },
    ...{ pre: zeros, post: zeros, opsRoot: zeros, stepsRoot: zeros },
    prevSig: concatBytes(signature, zeros),
  })
}

const NUMBER = 1_000

/** The sequencer's own, for a batch that never was. */
function slotsOf(folder: string, params: Params) {
  const { slot } = nodeKeys(nodeFolder(folder, 'sequencer', 'sequencer'))
  const key = xOnlyKey(slot ?? new Uint8Array(32))
  const id = { network: networkId(params), number: NUMBER, salt: new Uint8Array(32).fill(1) }
  return { key, table: slotTable(key, id, tickPoints(key, id, 0, 2)) }
}
