import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, request, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  type Coins,
  callRpc,
  NO_COINS,
  printHash,
  publicKeyOf,
  type Rpc,
  readBlock,
  readBlockHash,
  readMempool,
  readRawBlock,
  scanBlock,
} from '@kedge/bitcoin'
import {
  type Anchor,
  anchorScript,
  batchAnchor,
  type Chain,
  type ChainEvent,
  deriveBlock,
  equalBytes,
  genesisChain,
  type L1Block,
  L1Facts,
  networkId,
  type Params,
  regtestRules,
  resumeAnchor,
  ZERO_HASH,
} from '@kedge/core'
import { Bitcoind, findBitcoind, type RelayPolicy } from '@kedge/regtest'
import { links, Store } from '@kedge/storage'
import { AnchorKeeper, type CommitmentLog, type FeePolicy, Publisher, Purse } from '../src/index.ts'

/** A network of one node on a real bitcoind: it follows the chain as nodes do, and its store outlives what uses it. */

export const secretOf = (seed: number): Uint8Array => new Uint8Array(32).fill(seed)
export const hashOf = (seed: number): Uint8Array => new Uint8Array(32).fill(seed)

export const FEES: FeePolicy = { cap: 50, fallback: 2 }

/** No reason ever to raise anything. */
export const FLAT: FeePolicy = { cap: 2, fallback: 2 }

/** Tests are then skipped with one line; in CI there must be a bitcoind. */
export const NO_BITCOIND = !hasBitcoind()

function hasBitcoind(): boolean {
  try {
    return findBitcoind() !== ''
  } catch (error) {
    if (process.env.CI === 'true') throw error
    process.stderr.write(`skipped: ${String(error)}\n`)
    return false
  }
}

export const SILENT: CommitmentLog = { info: () => undefined, warn: () => undefined }

interface Point {
  readonly chain: Chain
  readonly coins: Coins
  readonly block: L1Block
  readonly events: readonly ChainEvent[]
}

export class World {
  readonly bitcoind: Bitcoind
  readonly params: Params
  readonly datadir: string
  readonly wire: Wire
  store: Store
  purse = new Purse(secretOf(5))
  chain: Chain
  private readonly folder: string
  private readonly start: Chain
  private readonly points: Point[] = []

  private constructor(bitcoind: Bitcoind, params: Params, folder: string, wire: Wire, store: Store, chain: Chain) {
    this.bitcoind = bitcoind
    this.params = params
    this.folder = folder
    this.datadir = join(folder, 'bitcoind')
    this.wire = wire
    this.store = store
    this.chain = chain
    this.start = chain
  }

  /** @param coins satoshis of each of the purse's coins */
  static async open(
    policy: RelayPolicy,
    coins: readonly bigint[],
    rules: Partial<Params['windows']> = {},
    blocks: { readonly blockWeight?: number } = {},
  ): Promise<World> {
    const folder = await mkdtemp(join(tmpdir(), 'kedge-commitment-'))
    const bitcoind = new Bitcoind({ datadir: join(folder, 'bitcoind'), policy, ...blocks })
    await bitcoind.start()
    const blank = paramsWith(rules, { txid: new Uint8Array(32), vout: 0 }, 0)
    const genesis = await bitcoind.fund(anchorScript(blank), 30_000n)
    const purse = new Purse(secretOf(5))
    const [first = new Uint8Array(32)] = await bitcoind.mine(1)
    const { height } = readBlock(await readRawBlock(bitcoind.rpc, first), await heightOf(bitcoind.rpc))
    const params = paramsWith(rules, genesis, height + 1)
    const wire = await Wire.open(bitcoind.rpc)
    const store = await Store.open(join(folder, 'db'), networkId(params))
    const world = new World(bitcoind, params, folder, wire, store, genesisChain(params, first))
    for (const value of coins) await bitcoind.fund(purse.key.script, value)
    await world.mine()
    return world
  }

  async close(): Promise<void> {
    await this.store.close()
    await this.wire.close()
    await this.bitcoind.stop()
    await rm(this.folder, { recursive: true })
  }

  get rpc(): Rpc {
    return this.wire.rpc
  }

  /** What the newest block changed. */
  get events(): readonly ChainEvent[] {
    return this.points.at(-1)?.events ?? []
  }

  get newest(): L1Block {
    const point = this.points.at(-1)
    if (point === undefined) throw new Error('no block was read')
    return point.block
  }

  /** A keeper that knows nothing but the store, as after a crash. */
  async keeper(fees = FEES, log = SILENT): Promise<AnchorKeeper> {
    const { store, rpc, params, purse } = this
    const keeper = new AnchorKeeper({ store, rpc, params, secret: secretOf(1), purse, fees, log })
    await keeper.load()
    return keeper
  }

  async publisher(fees = FEES, log = SILENT): Promise<Publisher> {
    const { store, rpc, params, purse } = this
    const publisher = new Publisher({ store, rpc, params, purse, fees, log })
    await publisher.load()
    return publisher
  }

  /** Forgets all that was in memory about coins. */
  crash(): void {
    this.purse = new Purse(secretOf(5))
    this.count()
  }

  async mine(blocks = 1): Promise<void> {
    await this.bitcoind.mine(blocks)
    await this.follow()
  }

  /** A block of exactly these, in this order. */
  async mineExactly(...transactions: Uint8Array[]): Promise<void> {
    await this.bitcoind.mineBlock(transactions)
    await this.follow()
  }

  async reorg(depth: number, blocks: number | readonly (readonly Uint8Array[])[]): Promise<void> {
    await this.bitcoind.reorg(depth, blocks)
    await this.follow()
  }

  /** To bitcoind's tip, back to the fork first. */
  async follow(): Promise<void> {
    await this.dropForked()
    for (;;) {
      const hash = await readBlockHash(this.bitcoind.rpc, this.chain.height + 1)
      if (hash === undefined) break
      const block = readBlock(await readRawBlock(this.bitcoind.rpc, hash), this.chain.height + 1)
      const derived = deriveBlock(this.court(), this.chain, block)
      const coins = scanBlock(this.points.at(-1)?.coins ?? NO_COINS, block, this.purse.key.script)
      this.points.push({ chain: derived.chain, coins, block, events: derived.events })
      this.chain = derived.chain
      await this.putLinks(derived.events)
    }
    this.count()
  }

  /**
   * Restarts bitcoind with these lines in its configuration and nothing in its mempool. It also forgets what fees it has
   * seen, so that the fallback counts again.
   */
  async restart(...lines: string[]): Promise<void> {
    const conf = ['[regtest]', 'persistmempool=0', ...lines].join('\n')
    await writeFile(join(this.datadir, 'bitcoin.conf'), `${conf}\n`)
    // The running one still writes its mempool if it was started without the line.
    await this.bitcoind.stop()
    for (const file of ['mempool.dat', 'fee_estimates.dat'])
      await rm(join(this.datadir, 'regtest', file), { force: true })
    await this.bitcoind.start()
    await this.wire.point(this.bitcoind.rpc)
  }

  /** Printed txids, sorted. */
  async mempool(): Promise<string[]> {
    return (await readMempool(this.bitcoind.rpc)).map(printHash).sort()
  }

  /** Adds satoshis, or takes them off, to what miners think a transaction pays. */
  async prioritise(txid: Uint8Array, satoshis: bigint): Promise<void> {
    await callRpc(this.bitcoind.rpc, 'prioritisetransaction', [printHash(txid), 0, Number(satoshis)])
  }

  private count(): void {
    this.purse.setConfirmed(this.points.at(-1)?.coins ?? NO_COINS, this.chain.height)
  }

  private async dropForked(): Promise<void> {
    for (let point = this.points.at(-1); point !== undefined; point = this.points.at(-1)) {
      const hash = await readBlockHash(this.bitcoind.rpc, point.chain.height)
      if (hash !== undefined && equalBytes(hash, point.chain.hash)) return
      this.points.pop()
      this.chain = this.points.at(-1)?.chain ?? this.start
    }
  }

  private court() {
    const facts = new L1Facts(this.params.scanHeight)
    for (const { chain } of this.points)
      facts.append(chain.height, chain.hash, { deposits: [], swept: [], refunded: [], forced: [], final: [] })
    return { params: this.params, network: networkId(this.params), facts, isSigned: () => true }
  }

  private async putLinks(events: readonly ChainEvent[]): Promise<void> {
    const height = this.chain.height
    for (const event of events) {
      if (event.kind !== 'link') continue
      const { number, outcome, txid } = event
      await this.store.commit([links.put(number, { number, outcome, txid, height })])
    }
  }
}

/** Binds the keeper to an anchor, as a sequencer does. */
export async function bind(world: World, keeper: AnchorKeeper, number: number, anchor: Anchor): Promise<void> {
  await world.store.commit(keeper.intent(number, anchor))
  keeper.noted(number, anchor)
}

/** The resume that begins a chain, as number 1, then batches, each on the one before it. @param origin of a batch that is to live */
export function anchorOf(number: number, origin = { height: 0, hash: hashOf(0) }): Anchor {
  if (number === 1) return resumeAnchor(hashOf(0), hashOf(9))
  const parent = number === 2 ? hashOf(0) : hashOf(number - 1)
  return batchAnchor({ parent, origin, post: hashOf(number) }, hashOf(number))
}

function paramsWith(rules: Partial<Params['windows']>, genesis: Params['genesis'], scanHeight: number): Params {
  const watchers = [secretOf(11), secretOf(12), secretOf(13)].map(publicKeyOf)
  const [anchor, slot, fees] = [secretOf(1), secretOf(2), secretOf(3)].map(publicKeyOf) as [
    Uint8Array,
    Uint8Array,
    Uint8Array,
  ]
  const keys = { anchor, slot, fees, watchers, threshold: 2 }
  const vault = { txid: ZERO_HASH, vout: 0, value: 10_000n }
  return { ...regtestRules, genesis, vault, scanHeight, keys, windows: { ...regtestRules.windows, ...rules } }
}

async function heightOf(rpc: Rpc): Promise<number> {
  return (await callRpc(rpc, 'getblockcount', [])) as number
}

/**
 * What lies between the node and bitcoind. It can be cut at a call: before bitcoind hears of it, or after bitcoind has
 * done it and before the answer is back.
 */
class Wire {
  readonly rpc: Rpc
  private readonly server: Server
  private target: Rpc
  private fault: { readonly at: 'before' | 'after'; readonly method: string; left: number } | undefined

  private constructor(server: Server, rpc: Rpc, target: Rpc) {
    this.server = server
    this.rpc = rpc
    this.target = target
  }

  static async open(target: Rpc): Promise<Wire> {
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    const wire = new Wire(server, { ...target, url: `http://127.0.0.1:${port}` }, target)
    server.on('request', (incoming, outgoing) => {
      const chunks: Buffer[] = []
      incoming.on('data', (chunk: Buffer) => chunks.push(chunk))
      incoming.on('end', () => {
        const body = Buffer.concat(chunks)
        const fault = wire.take(body.toString())
        if (fault === 'before') return void outgoing.destroy()
        const headers = { authorization: incoming.headers.authorization ?? '', 'content-length': body.length }
        const onward = request(wire.target.url, { method: 'POST', headers }, (answer) => {
          if (fault === 'after') return void answer.resume().on('end', () => outgoing.destroy())
          outgoing.writeHead(answer.statusCode ?? 500, { 'content-type': 'application/json' })
          answer.pipe(outgoing)
        })
        onward.on('error', () => outgoing.destroy())
        onward.end(body)
      })
    })
    return wire
  }

  async close(): Promise<void> {
    this.server.closeAllConnections()
    await new Promise((resolve) => this.server.close(resolve))
  }

  async point(target: Rpc): Promise<void> {
    this.target = target
    await heightOf(this.rpc)
  }

  /** The `count`-th call of `method` from now on fails. */
  cut(at: 'before' | 'after', method: string, count = 1): void {
    this.fault = { at, method, left: count }
  }

  private take(body: string): 'before' | 'after' | undefined {
    const { fault } = this
    if (fault === undefined || !body.includes(`"method":"${fault.method}"`)) return undefined
    fault.left -= 1
    if (fault.left > 0) return undefined
    this.fault = undefined
    return fault.at
  }
}
