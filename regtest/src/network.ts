import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Health } from '@kedge/api'
import { coinKey, printHash, readTip } from '@kedge/bitcoin'
import type { Params } from '@kedge/core'
import { Bitcoind, freePort, type RelayPolicy } from './bitcoind.ts'
import { KEDGE } from './kedge.ts'
import {
  type BondTerms,
  bitcoindFolder,
  bitcoinSettings,
  challengerFolder,
  makeParams,
  nodeFolder,
  nodeKeys,
  payBeginnings,
  readParams,
  thresholdOf,
  writeNodeConfig,
  writeParams,
} from './layout.ts'
import { NodeProcess } from './node-process.ts'
import { Ports } from './ports.ts'
import { type Note, type Wait, waitFor } from './waiting.ts'

export interface NetworkOptions {
  /** Holds everything: a network that is there is taken up where it was left. */
  readonly folder: string
  readonly challengers: number
  /** Of the sequencer's settings. */
  readonly sealAfterMs: number
  /** Of the sequencer's API; the challengers' follow it. Free ones where it is not given. */
  readonly apiPort?: number
  /** The network asks for a bond: nothing counts before there is one (`setUpBond`). */
  readonly bond?: BondTerms
  /** Instead of regtest's. */
  readonly rules?: Partial<Pick<Params, 'caps' | 'data'>>
  /** Starts the sequencer that lies when it is told to. */
  readonly mayLie?: boolean
  readonly logLevel?: string
  /** Bitcoind's, `default` unless given. */
  readonly policy?: RelayPolicy
  /** Of bitcoind's blocks. */
  readonly blockWeight?: number
  /** The nodes' cap, in sat/vB. */
  readonly maxFeeRate?: number
  /** Told of each part of the start. */
  readonly onProgress?: Note
}

/** Satoshis, which pay for evidence, several at once. */
const COIN_VALUE = 20_000_000n
const COINS = 4

/** As built, also for those who run this file as it is written. */
const LIAR = fileURLToPath(new URL('../dist/liar.js', import.meta.url))

/** A bitcoind, a sequencer and challengers: real processes, wired to each other, in one folder. */
export class RegtestNetwork {
  readonly folder: string
  readonly params: Params
  readonly bitcoind: Bitcoind
  /** It first, then the challengers. */
  private readonly made: NodeProcess[] = []
  private readonly options: NetworkOptions
  private readonly ports: Ports
  /** Of the sequencer, then of challengers. */
  private readonly addresses: string[] = []

  private constructor(options: NetworkOptions, bitcoind: Bitcoind, params: Params, ports: Ports) {
    this.options = options
    this.ports = ports
    this.folder = options.folder
    this.params = params
    this.bitcoind = bitcoind
  }

  /** Everything started and at Bitcoin's tip, the chain of batches running. What was started is stopped when it fails. */
  static async start(given: NetworkOptions): Promise<RegtestNetwork> {
    const options = { ...given, folder: resolve(given.folder) }
    const note: Note = options.onProgress ?? (() => undefined)
    note('bitcoind starts')
    const { policy = 'default', blockWeight } = options
    const datadir = bitcoindFolder(options.folder)
    const ports = new Ports(options.folder, note)
    const port = await ports.of('bitcoind')
    const bitcoind = new Bitcoind({ datadir, policy, port, ...(blockWeight && { blockWeight }) })
    await bitcoind.start()
    let network: RegtestNetwork | undefined
    try {
      note('keys, parameters and the first link')
      const params = readParams(options.folder) ?? (await makeNetwork(options, bitcoind))
      network = new RegtestNetwork(options, bitcoind, params, ports)
      await network.makeSequencer()
      for (let at = 1; at <= options.challengers; at++) await network.addChallenger(`challenger-${at}`)
      note('the nodes start')
      await Promise.all(network.nodes.map((node) => node.start()))
      note('they find each other, and the chain of batches starts to run')
      await network.run()
      return network
    } catch (error) {
      await (network === undefined ? bitcoind.kill() : network.kill())
      throw error
    }
  }

  /** Of them all, running or not. */
  get nodes(): readonly NodeProcess[] {
    return this.made
  }

  get sequencer(): NodeProcess {
    return this.made[0] as NodeProcess
  }

  get challengers(): readonly NodeProcess[] {
    return this.made.slice(1)
  }

  get running(): readonly NodeProcess[] {
    return this.nodes.filter((node) => node.isRunning)
  }

  /** Another challenger. It is not started; on a folder of its own that is not there yet, it begins with an empty disk. */
  async addChallenger(name: string): Promise<NodeProcess> {
    const own = challengerFolder(this.folder, name)
    const address = `/ip4/127.0.0.1/tcp/${await this.ports.of(`${name} peers`)}`
    const config = writeNodeConfig(this.folder, own, {
      ...(await this.commonSettings()),
      'p2p.listen': [address],
      // Watchers find each other without the sequencer too.
      'p2p.bootstrap': this.addresses,
    })
    this.addresses.push(address)
    const challenger = new NodeProcess({ name, folder: own, command: [KEDGE, 'challenger', '--config', config] })
    this.made.push(challenger)
    return challenger
  }

  /** In good order: nodes first, so that none complains of a bitcoind that is gone. */
  async stop(): Promise<void> {
    const stopped = await Promise.allSettled(this.nodes.map((node) => node.stop()))
    await this.bitcoind.stop()
    for (const outcome of stopped) if (outcome.status === 'rejected') throw outcome.reason
  }

  /** At once. */
  async kill(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.kill()))
    await this.bitcoind.kill()
  }

  /** Mines what the mempool holds; every running node has read it afterwards. */
  async mine(blocks = 1): Promise<void> {
    await this.bitcoind.mine(blocks)
    await this.synced()
  }

  /** Replaces the newest `depth` blocks by `blocks` others; every running node has followed afterwards. */
  async reorg(depth: number, blocks = depth + 1): Promise<void> {
    await this.bitcoind.reorg(depth, blocks)
    await this.synced()
  }

  /** Until every running node stands at Bitcoin's tip and finds as much as is owed, and what may be swept is on its way into the vault. */
  async synced(): Promise<void> {
    const healths = await this.waitFor({ until: "all nodes stand at Bitcoin's tip" }, async (note) => {
      const tip = await readTip(this.bitcoind.rpc)
      const healths = await Promise.all(this.running.map((node) => node.client.health()))
      const behind = this.running.filter((_, at) => healths[at]?.tip.blockHash !== printHash(tip.hash))
      note(`${behind.map(({ name }) => name).join(', ')} not at height ${tip.height}`)
      return behind.length === 0 ? healths : undefined
    })
    expectSolvent(healths)
    const watchers = healths.filter(({ watcher }) => watcher !== undefined).length
    if (watchers >= this.params.keys.threshold) await this.vaultMoved()
  }

  /** Until the watchers have sent what is due of the vault. */
  private async vaultMoved(): Promise<void> {
    await this.waitFor({ until: 'what the vault owes is on its way' }, async (note) => {
      const healths = await Promise.all(this.running.map((node) => node.client.health()))
      const states = healths.map(({ watcher }) => watcher).filter((watcher) => watcher !== undefined)
      note(states.join(', '))
      return states.some((state) => state === 'waiting' || state === 'behind') ? undefined : true
    })
  }

  /** Until the sequencer has a connection to every other running node. */
  async connected(): Promise<void> {
    const others = this.running.length - 1
    await this.waitFor({ until: 'the sequencer is connected to every challenger' }, async (note) => {
      const { peers } = await this.sequencer.client.health()
      note(`${peers} of ${others}`)
      return peers >= others ? true : undefined
    })
  }

  /** Until every running node says the same of the head of the chain of batches, and holds it. */
  agreed(): Promise<Health['head']> {
    return this.waitFor({ until: 'all nodes have the same state' }, async (note) => {
      const healths = await Promise.all(this.running.map((node) => node.client.health()))
      note(
        healths
          .map(
            ({ head, synced }, at) =>
              `${this.running[at]?.name} ${synced ? 'at' : 'behind'} ${head.number} ${head.post.slice(0, 8)}`,
          )
          .join(', '),
      )
      const [first] = healths
      const isSame = healths.every(
        ({ head, synced }) => synced && head.hash === first?.head.hash && head.post === first.head.post,
      )
      return isSame ? first?.head : undefined
    })
  }

  /** @throws Error when a process has ended that should run. bitcoind first: where it is gone, nodes may follow. */
  check(): void {
    this.bitcoind.check()
    for (const node of this.nodes) node.check()
  }

  /** As `waitFor`, and ends when a process has ended that should run. */
  waitFor<T>(wait: Wait, probe: (note: Note) => Promise<T | undefined> | T | undefined): Promise<T> {
    return waitFor({ ...wait, check: () => this.check() }, probe)
  }

  /** Mines until the sequencer's first resume has taken effect everywhere. */
  private async run(): Promise<void> {
    await this.outgrow()
    await this.synced()
    await this.connected()
    await this.waitFor({ until: 'the chain of batches runs' }, async (note) => {
      const healths = await Promise.all(this.running.map((node) => node.client.health()))
      note(healths.map(({ mode }) => mode).join(', '))
      if (healths.every(({ mode }) => mode === 'active')) return true
      await this.mine()
      return undefined
    })
  }

  /**
   * A bitcoind that was killed together with the network may have shown the nodes blocks that nobody wrote down. Nothing
   * brings them back, and nodes give up a block only for a longer chain.
   */
  private async outgrow(): Promise<void> {
    const { height } = await readTip(this.bitcoind.rpc)
    const healths = await Promise.all(this.running.map((node) => node.client.health()))
    const seen = Math.max(...healths.map(({ tip }) => tip.height))
    if (seen > height) await this.bitcoind.mine(seen - height + 1)
  }

  private async makeSequencer(): Promise<void> {
    const own = nodeFolder(this.folder, 'sequencer', 'sequencer')
    const address = `/ip4/127.0.0.1/tcp/${await this.ports.of('sequencer peers')}`
    this.addresses.push(address)
    const config = writeNodeConfig(this.folder, own, {
      ...(await this.commonSettings()),
      'p2p.listen': [address],
      'seal-after-ms': this.options.sealAfterMs,
    })
    const command = this.options.mayLie ? [LIAR, '--config', config] : [KEDGE, 'sequencer', '--config', config]
    this.made.push(new NodeProcess({ name: 'sequencer', folder: own, command }))
  }

  /** Ports are chosen here, so that a node that is started again is found where it was. */
  private async commonSettings(): Promise<Readonly<Record<string, unknown>>> {
    const { apiPort } = this.options
    return {
      ...bitcoinSettings(this.bitcoind.rpc),
      'api.port': apiPort === undefined ? await freePort() : apiPort + this.made.length,
      'log-level': this.options.logLevel ?? 'info',
      'max-fee-rate': this.options.maxFeeRate,
    }
  }
}

/** The chain's first link, and coins for every node. Nothing counts before the parameters are written. */
async function makeNetwork({ folder, challengers, bond, rules }: NetworkOptions, bitcoind: Bitcoind): Promise<Params> {
  const threshold = thresholdOf(challengers)
  const beginnings = await payBeginnings(folder, threshold, (script, value) => bitcoind.fund(script, value))
  await bitcoind.mine(1)
  const { height } = await readTip(bitcoind.rpc)
  const params = { ...makeParams(folder, threshold, beginnings, height + 1, bond), ...rules }
  const folders = [
    nodeFolder(folder, 'sequencer', 'sequencer'),
    ...Array.from({ length: challengers }, (_, at) => challengerFolder(folder, `challenger-${at + 1}`)),
  ]
  for (const own of folders) {
    for (let coin = 0; coin < COINS; coin++) await bitcoind.fund(coinKey(nodeKeys(own).coins).script, COIN_VALUE)
  }
  await bitcoind.mine(1)
  writeParams(folder, params)
  return params
}

/** @throws Error when a node finds less than is owed: at whatever block, in whatever is played here */
function expectSolvent(healths: readonly Health[]): void {
  for (const { balance, tip, role } of healths) {
    if (balance !== undefined && balance.assets < balance.liabilities)
      throw new Error(
        `a ${role} finds ${balance.assets} msat at height ${tip.height} where ${balance.liabilities} are owed`,
      )
  }
}
