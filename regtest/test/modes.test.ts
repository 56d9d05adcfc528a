import { readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Batch } from '@kedge/api'
import { decodeHeader, fromHex, isVouchedFor, regtestRules } from '@kedge/core'
import { send } from '@kedge/wallet'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type NetworkOptions, RegtestNetwork } from '../src/network.ts'
import type { NodeProcess } from '../src/node-process.ts'
import { type Person, Stage } from '../src/stage.ts'
import { describeOnBitcoind } from './ground.ts'

/** Two operations a batch, so that a person with a keyboard could fill many. */
const caps = { ...regtestRules.caps, operations: 2, deposits: 1, forced: 1 }
const silent = () => undefined

interface Play {
  readonly network: RegtestNetwork
  readonly stage: Stage
  readonly people: readonly [Person, Person]
  /** Payments from the first person to the second; gives their ids. */
  readonly pay: (count: number) => Promise<string[]>
}

/** A network for the tests of a `describe`. */
function usePlay(options: Omit<NetworkOptions, 'folder'>): () => Play {
  let play: Play | undefined
  let folder = ''
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'kedge-modes-'))
    const network = await RegtestNetwork.start({ ...options, folder })
    const stage = new Stage(network, (_, work) => work(silent))
    const [alice, bob] = (await stage.people(2)) as [Person, Person]
    const pay = async (count: number) => {
      const ids: string[] = []
      const payment = { to: bob.key, amount: 5_000n, again: true }
      for (let at = 0; at < count; at++) ids.push((await send(alice.wallet, payment)).id)
      return ids
    }
    play = { network, stage, people: [alice, bob], pay }
  }, 60_000)
  afterAll(async () => {
    await play?.network.stop()
    await rm(folder, { recursive: true })
  })
  return () => {
    if (play === undefined) throw new Error('the network did not start')
    return play
  }
}

/** Batches that a node sees, newest first, with their headers. */
async function batchesOf(node: NodeProcess): Promise<(Batch & { outcome: 'batch' })[]> {
  const { batches } = await node.client.batches({ limit: 50 })
  return batches.filter((one) => one.outcome === 'batch')
}

async function settled({ network, stage }: Play, ids: readonly string[]): Promise<void> {
  for (const id of ids) await stage.mineTo('anchored', network.sequencer, id, silent)
  await network.agreed()
}

describeOnBitcoind('a network whose watchers vouch for large batches', () => {
  const at = usePlay({
    challengers: 2,
    sealAfterMs: 300,
    rules: { caps, data: { kind: 'certified', operations: 64 } },
  })

  test('takes more into a batch than its cap while anchors wait, and everybody follows', async () => {
    const play = at()
    const { network, pay } = play
    await settled(play, await pay(30))
    for (const node of network.nodes) {
      const large = (await batchesOf(node)).filter(({ mode }) => mode === 'certified')
      expect(large.length).toBeGreaterThan(0)
      for (const { header } of large) {
        const decoded = header && decodeHeader(fromHex(header.bytes))
        expect(decoded?.opCount).toBeGreaterThan(caps.operations)
        expect(decoded && isVouchedFor(network.params, decoded)).toBe(true)
      }
    }
  }, 60_000)

  test('goes on with small ones when a watcher too many is gone, and loses nothing', async () => {
    const play = at()
    const { network, pay } = play
    await network.challengers[1]?.kill()
    const before = (await batchesOf(network.sequencer))[0]?.number ?? 0
    await settled(play, await pay(30))
    const fresh = (await batchesOf(network.sequencer)).filter(({ number }) => number > before)
    expect(fresh.length).toBeGreaterThan(10)
    for (const { mode } of fresh) expect(mode).toBe('challenge')
    expect(readFileSync(network.sequencer.logFile, 'utf8')).toContain('too few watchers vouch for a batch')
  }, 60_000)
})

describeOnBitcoind('a network whose data all go to Bitcoin', () => {
  const at = usePlay({ challengers: 1, sealAfterMs: 100, mayLie: true, rules: { caps, data: { kind: 'bitcoin' } } })

  test('publishes a batch behind its anchor, and it is final as soon as any other', async () => {
    const play = at()
    const { network, stage, pay } = play
    const [id = ''] = await pay(3)
    const payment = await stage.mineTo('final', network.sequencer, id, silent)
    expect(payment.rung).toBe('final')
    for (const { challenges, mode } of await batchesOf(network.sequencer)) {
      expect(mode).toBe('bitcoin')
      const [published] = challenges
      if (published?.answeredAt === undefined) continue
      expect(published.kind).toBe('data')
      expect(published.answeredAt).toBeLessThanOrEqual(published.deadline)
    }
  }, 60_000)

  test('what its sequencer does not publish is void, and the chain goes on', async () => {
    const play = at()
    const { network, stage, pay } = play
    await network.sequencer.send({ lie: 'withhold-data' })
    await pay(1)
    const challenger = network.challengers[0] as NodeProcess
    const gone = await stage.mineUntil(
      'a batch is void',
      async () => (await batchesOf(challenger)).find(({ status }) => status === 'void'),
      silent,
    )
    expect(gone.void?.cause).toBe('unanswered')
    const isActive = async () => (await network.sequencer.client.health()).mode === 'active' || undefined
    await stage.mineUntil('the chain is resumed', isActive, silent)
    await settled(play, await pay(1))
  }, 60_000)

  test('is followed from Bitcoin alone, by a node that has no peers', async () => {
    const { network } = at()
    await network.mine(3)
    const { head } = await network.sequencer.client.health()
    const lone = await network.addChallenger('lone')
    for (const node of network.running) await node.stop()
    await lone.start()
    const seen = await network.waitFor({ until: 'it has the same state' }, async (note) => {
      const health = await lone.client.health()
      note(`at batch ${health.head.number} with ${health.peers} peers`)
      return health.head.number === head.number ? health : undefined
    })
    expect(seen).toMatchObject({ head: { hash: head.hash, post: head.post }, peers: 0 })
  }, 60_000)
})
