import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { regtestBond } from '@kedge/core'
import { openWallet, send } from '@kedge/wallet'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { RegtestNetwork } from '../src/network.ts'
import type { NodeProcess } from '../src/node-process.ts'
import { fundOperator, setUpBond } from '../src/operator.ts'
import { type Person, Stage } from '../src/stage.ts'
import { describeOnBitcoind } from './ground.ts'

const SEAL_MS = 1_500
const TIMEOUT = { timeout: 90_000 }

/** Processes and a bitcoind, and nobody who calls `kedge bond slash`. */
describeOnBitcoind('challengers that are told of ticks, and pass payments on', () => {
  let folder = ''
  let stage: Stage
  let network: RegtestNetwork
  /** Which the payers' wallets ask. */
  let asked: NodeProcess
  let people: readonly [Person, Person, Person]
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'kedge-guard-'))
    const options = { folder, challengers: 3, sealAfterMs: SEAL_MS, mayLie: true, bond: regtestBond }
    network = await RegtestNetwork.start(options)
    stage = new Stage(network, (_, work) => work(() => undefined))
    asked = network.challengers[0] as NodeProcess
    await fundOperator(network)
    await setUpBond(network)
    people = (await stage.people(3)) as [Person, Person, Person]
  }, 90_000)
  afterAll(async () => {
    await network.stop()
    await rm(folder, { recursive: true })
  })

  const pay = async ({ wallet }: Person, to: Person) =>
    send(await openWallet(wallet.path, asked.client), { to: to.key, amount: 5_000n })
  const outcomes = async () => (await asked.client.bonds({})).bonds.map(({ end }) => end?.outcome ?? 'standing')
  const evidence = () =>
    Promise.all(
      network.challengers.map(async ({ client }) => (await client.health()).evidence?.map(({ kind }) => kind)),
    )
  const untilHeld = (kind: string, by: number) =>
    network.waitFor({ until: `${by} of them hold it` }, async (note) => {
      const held = await evidence()
      note(JSON.stringify(held))
      return held.filter((kinds) => kinds?.includes(kind as never)).length >= by ? true : undefined
    })
  const blocksUntil = async (...wanted: readonly string[]) => {
    const height = async () => (await asked.client.health()).tip.height
    const before = await height()
    const look = async () => ((await outcomes()).join() === wanted.join() ? true : undefined)
    await stage.mineUntil('the bonds ended so', look, () => undefined)
    return (await height()) - before
  }
  const untilAnchored = () =>
    stage.untilWaiting(
      'the anchor',
      ({ message }) => message.kind === 'batch',
      () => undefined,
    )

  test('hold nothing against a sequencer that is killed, and whose batches Bitcoin drops', TIMEOUT, async () => {
    const [alice, bob] = people
    await pay(alice, bob)
    await network.sequencer.kill()
    await network.sequencer.start()
    await network.connected()
    await pay(alice, bob)
    await untilAnchored()
    await network.mine(2)
    await pay(bob, alice)
    await untilAnchored()
    await network.mine()
    // Deeper than the origin: what was promised there has ended, and comes again under other numbers.
    await network.reorg(3, 5)
    await asked.stop()
    await asked.start()
    await network.connected()
    await stage.mineUntil(
      'the chain goes on',
      async () => ((await asked.client.health()).mode === 'active' ? true : undefined),
      () => undefined,
    )
    const { id } = await pay(alice, bob)
    await stage.mineTo('anchored', asked, id, () => undefined)
    await network.mine(2)
    expect(await outcomes()).toEqual(['standing'])
    expect(await evidence()).toEqual([undefined, undefined, undefined])
  })

  test('slash it for a promise that its batch breaks, which each of them was told of', TIMEOUT, async () => {
    const [alice, bob, carol] = people
    await network.sequencer.send({ lie: 'break-promise' })
    await pay(alice, bob)
    await pay(carol, bob)
    await untilAnchored()
    // Of another bond, which covers only what comes later. The batch is k deep then.
    await setUpBond(network)
    await untilHeld('broken-promise', 3)
    expect(await (await fetch(`${asked.ready.api}/metrics`)).text()).toContain(
      'kedge_bond_evidence{kind="broken-promise"} 1',
    )
    expect(await blocksUntil('standing', 'slashed')).toBeLessThanOrEqual(2)
  })

  test('slash it for two promises in one slot, of which one came before a restart', TIMEOUT, async () => {
    const [alice, bob, carol] = people
    await pay(alice, bob)
    await asked.stop()
    await asked.start()
    await network.connected()
    await network.sequencer.send({ lie: 'promise-twice' })
    await pay(carol, bob)
    await untilHeld('equivocation', 1)
    expect(await blocksUntil('slashed', 'slashed')).toBeLessThanOrEqual(2)
    // And it is known for ever.
    await asked.stop()
    await asked.start()
    await untilHeld('equivocation', 1)
  })
})
