import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { buildDeposit, coinKey, readMempool, readTip, sendTransaction } from '@kedge/bitcoin'
import type { Params } from '@kedge/core'
import { Bitcoind, freePort } from '../bitcoind.ts'
import { KEDGE } from '../kedge.ts'
import {
  bitcoindFolder,
  bitcoinSettings,
  makeParams,
  nodeFolder,
  nodeKeys,
  payBeginnings,
  watcherSecrets,
  writeNodeConfig,
  writeParams,
} from '../layout.ts'
import { NodeProcess } from '../node-process.ts'
import { Sweeper } from '../sweeper.ts'
import { waitFor } from '../waiting.ts'
import { secretOf } from './payers.ts'

/** Satoshis. The first pays for anchors for a long time; coins pay for those after it. */
const COIN_VALUE = 20_000_000n
const FEE_RATE = 2

/** Anchors that wait until a block is mined: relay takes 25, the sequencer stops at 20. */
const ANCHORS_A_BLOCK = 10
const LOOK_MS = 150

/** Threads that check signatures, at every node of the benchmark: as many as the machine of its goals has cores. */
const WORKERS = 2

/** A bitcoind and a sequencer as processes, in a folder of their own, for one measurement. */
export class Rollup {
  readonly params: Params
  readonly sequencer: NodeProcess
  private readonly bitcoind: Bitcoind
  private readonly folder: string
  private readonly address: string
  private readonly others: NodeProcess[] = []

  private constructor(folder: string, bitcoind: Bitcoind, params: Params, address: string, sequencer: NodeProcess) {
    this.folder = folder
    this.bitcoind = bitcoind
    this.params = params
    this.address = address
    this.sequencer = sequencer
  }

  /** @param program what the sequencer is: a JavaScript file and its first arguments */
  static async start(folder: string, program: readonly string[] = [KEDGE, 'sequencer']): Promise<Rollup> {
    const bitcoind = new Bitcoind({ datadir: bitcoindFolder(folder), policy: 'default' })
    await bitcoind.start()
    let rollup: Rollup | undefined
    try {
      const params = await makeNetwork(folder, bitcoind)
      const address = `/ip4/127.0.0.1/tcp/${await freePort()}`
      const own = nodeFolder(folder, 'sequencer', 'sequencer')
      const settings = {
        ...bitcoinSettings(bitcoind.rpc),
        'p2p.listen': [address],
        'seal-after-ms': 1000,
        workers: WORKERS,
      }
      const config = writeNodeConfig(folder, own, { ...settings, 'api.port': 0 })
      const sequencer = new NodeProcess({ name: 'sequencer', folder: own, command: [...program, '--config', config] })
      rollup = new Rollup(folder, bitcoind, params, address, sequencer)
      await rollup.run()
      return rollup
    } catch (error) {
      await (rollup === undefined ? bitcoind.kill() : rollup.stop())
      throw error
    }
  }

  /** Starts a challenger with an empty disk. */
  async addChallenger(name: string): Promise<NodeProcess> {
    const own = nodeFolder(this.folder, name, 'challenger')
    const settings = { ...bitcoinSettings(this.bitcoind.rpc), 'p2p.bootstrap': [this.address], workers: WORKERS }
    const listen = { 'p2p.listen': ['/ip4/127.0.0.1/tcp/0'], 'api.port': 0 }
    const config = writeNodeConfig(this.folder, own, { ...settings, ...listen })
    const challenger = new NodeProcess({ name, folder: own, command: [KEDGE, 'challenger', '--config', config] })
    this.others.push(challenger)
    await challenger.start()
    return challenger
  }

  /** Deposits satoshis for payer 0, and waits until they are in cell 0. */
  async deposit(key: Uint8Array, amount: bigint): Promise<void> {
    const funding = coinKey(secretOf(0))
    const value = amount + 10_000n
    const outpoint = await this.bitcoind.fund(funding.script, value)
    const coin = { outpoint, value, height: undefined, coinbase: false }
    const owner = { key, refundKey: funding.publicKey }
    const built = buildDeposit(this.params, owner, amount, { key: funding, coins: [coin], feeRate: FEE_RATE })
    const sent = await sendTransaction(this.bitcoind.rpc, built.raw, 0n)
    if (!sent.ok) throw new Error(`the deposit was refused: ${sent.detail}`)
    const { originDepth } = this.params.windows
    await this.bitcoind.mine(1 + originDepth)
    await new Sweeper(this.bitcoind.rpc, this.params, watcherSecrets(this.folder), () => Promise.resolve([])).tend()
    await this.bitcoind.mine(1 + originDepth)
    await this.sealedOperations(1)
  }

  /** Mines whenever enough anchors wait, until `work` has ended. */
  async mineDuring<T>(work: Promise<T>): Promise<T> {
    const ended = new AbortController()
    const [result] = await Promise.all([work.finally(() => ended.abort()), this.mineUntil(ended.signal)])
    return result
  }

  /** Mines until the last anchor is buried. */
  async mineAll(): Promise<void> {
    await waitFor({ until: 'all anchors are in blocks' }, async (note) => {
      const { head } = await this.sequencer.client.health()
      const last = this.sealed().at(-1)?.number
      note(`head ${head.number} of ${last}`)
      if (head.number === last) return true
      await this.bitcoind.mine(1)
      return undefined
    })
  }

  /** Waits until the sequencer has sealed so many operations in all. @returns the batches */
  async sealedOperations(count: number): Promise<readonly SealedLine[]> {
    return await waitFor({ until: `${count} operations are sealed`, check: () => this.sequencer.check() }, (note) => {
      const lines = this.sealed()
      const sum = lines.reduce((total, { operations }) => total + operations, 0)
      note(`${sum} are`)
      return sum >= count ? lines : undefined
    })
  }

  async stop(): Promise<void> {
    await Promise.all([this.sequencer, ...this.others].map((node) => node.kill()))
    await this.bitcoind.kill()
  }

  private async run(): Promise<void> {
    await this.sequencer.start()
    await waitFor({ until: 'the chain of batches runs', check: () => this.sequencer.check() }, async () => {
      const { mode } = await this.sequencer.client.health()
      if (mode === 'active') return true
      await this.bitcoind.mine(1)
      return undefined
    })
  }

  private async mineUntil(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      if ((await readMempool(this.bitcoind.rpc)).length >= ANCHORS_A_BLOCK) await this.bitcoind.mine(1)
      await sleep(LOOK_MS)
    }
  }

  /** What its log says of sealed batches. */
  private sealed(): SealedLine[] {
    const lines = readFileSync(this.sequencer.logFile, 'utf8').split('\n')
    return lines.filter((line) => line.includes('"msg":"sealed"')).map((line): SealedLine => JSON.parse(line))
  }
}

export interface SealedLine {
  /** Milliseconds since 1970. */
  readonly time: number
  readonly number: number
  readonly operations: number
}

async function makeNetwork(folder: string, bitcoind: Bitcoind): Promise<Params> {
  const beginnings = await payBeginnings(folder, (script, value) => bitcoind.fund(script, value))
  await bitcoind.mine(1)
  const { height } = await readTip(bitcoind.rpc)
  const params = makeParams(folder, beginnings, height + 1)
  const sequencer = nodeKeys(nodeFolder(folder, 'sequencer', 'sequencer'))
  await bitcoind.fund(coinKey(sequencer.coins).script, COIN_VALUE)
  await bitcoind.mine(1)
  writeParams(folder, params)
  return params
}
