import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { createServer } from 'node:net'
import { delimiter, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import {
  addressOf,
  callRpc,
  parseAddress,
  printHash,
  RPC_CODES,
  type Rpc,
  RpcError,
  RpcUnreachableError,
  readBlockHash,
  readTip,
} from '@kedge/bitcoin'
import { concatBytes, fromHex, type Outpoint, reverseBytes, sha256, toHex } from '@kedge/core'
import { Faucet } from './faucet.ts'
import { MinedBlocks } from './mined-blocks.ts'

export interface BitcoindOptions {
  /** Kept when the node stops: a start on the same folder goes on with its chain. */
  readonly datadir: string
  readonly policy: RelayPolicy
  /** Of its RPC; a free one unless given. */
  readonly port?: number
  /** Weight units of its blocks; Bitcoin's own limit unless given. Small ones fill up, and then fees decide. */
  readonly blockWeight?: number
}

/** What relays: `default` as the binary comes, `core` as Bitcoin Core would. The same thing where it is Core. */
export type RelayPolicy = 'default' | 'core'

/** Enough for the first coinbases to be mature, and a few more to split. */
const FIRST_BLOCKS = 110
const START_TIMEOUT_MS = 30_000
/** Far less than what a call may take. */
const BLOCKS_A_CALL = 100

/** A real bitcoind on a regtest chain of its own. It starts with money to give away. */
export class Bitcoind {
  private readonly options: BitcoindOptions
  private child: ChildProcess | undefined
  private port = 0
  private faucet: Faucet | undefined
  private readonly blocks: MinedBlocks
  private failure: Error | undefined

  constructor(options: BitcoindOptions) {
    this.options = options
    this.blocks = new MinedBlocks(join(options.datadir, 'mined-blocks'))
  }

  /** @throws Error when it ended by itself. */
  check(): void {
    if (this.failure !== undefined) throw this.failure
  }

  /** The same over restarts. @throws Error before the first start. */
  get rpc(): Rpc {
    if (this.port === 0) throw new Error('this bitcoind was never started')
    const cookieFile = join(this.options.datadir, 'regtest', '.cookie')
    return { url: `http://127.0.0.1:${this.port}`, login: { cookieFile }, timeoutMs: 30_000 }
  }

  /** On a new datadir: mines to maturity, and splits coins for funding. */
  async start(): Promise<void> {
    if (this.child !== undefined) throw new Error('this bitcoind runs already')
    await mkdir(this.options.datadir, { recursive: true })
    if (this.port === 0) this.port = this.options.port ?? (await freePort())
    this.failure = undefined
    const child = this.launch(findBitcoind())
    this.child = child
    child.once('exit', (code, signal) => this.ended(child, code, signal))
    await this.answering(child)
    this.faucet ??= new Faucet(this.rpc)
    await this.blocks.restore(this.rpc)
    if ((await readTip(this.rpc)).height > 0) return
    await this.mine(FIRST_BLOCKS)
    await this.faucet.splitFloat()
    await this.mine(1)
  }

  /** Ends it in good order: mempool and chain are written. */
  async stop(): Promise<void> {
    await this.end('SIGTERM')
  }

  /** Ends it as a power cut would. Started again on its datadir, it has its blocks, and an empty mempool. */
  async kill(): Promise<void> {
    await this.end('SIGKILL')
  }

  /** Mines what the mempool holds. @returns the blocks' hashes */
  async mine(blocks: number): Promise<Uint8Array[]> {
    const address = addressOf(this.running().key.script, 'regtest')
    const hashes: Uint8Array[] = []
    while (hashes.length < blocks) {
      const count = Math.min(blocks - hashes.length, BLOCKS_A_CALL)
      const mined = toHashes(await callRpc(this.rpc, 'generatetoaddress', [count, address]))
      await this.blocks.remember(this.rpc, mined)
      hashes.push(...mined)
    }
    return hashes
  }

  /** Mines a block of exactly these transactions, whether or not they would relay. @throws RpcError for invalid ones */
  async mineBlock(transactions: readonly Uint8Array[]): Promise<Uint8Array> {
    const hash = await this.mineTo(addressOf(this.running().key.script, 'regtest'), transactions)
    await this.blocks.remember(this.rpc, [hash])
    return hash
  }

  /**
   * Replaces the newest `depth` blocks.
   * @param blocks a number: that many, with what the mempool holds, into which the replaced blocks' transactions go
   * back (those of the newest ten blocks). A list: for each block exactly its transactions.
   * @returns the new blocks' hashes
   */
  async reorg(depth: number, blocks: number | readonly (readonly Uint8Array[])[]): Promise<Uint8Array[]> {
    const { height } = await readTip(this.rpc)
    const fork = await readBlockHash(this.rpc, height - depth + 1)
    if (fork === undefined) throw new RangeError(`no ${depth} blocks to replace at height ${height}`)
    this.blocks.rememberInvalid(fork)
    await callRpc(this.rpc, 'invalidateblock', [printHash(fork)])
    const count = typeof blocks === 'number' ? blocks : blocks.length
    const hashes: Uint8Array[] = []
    for (let at = 0; at < count; at++) {
      // A coinbase of its own: blocks like those replaced would be the same blocks, which are invalid.
      const address = addressOf(branchScript(fork, at), 'regtest')
      const mined =
        typeof blocks === 'number'
          ? toHashes(await callRpc(this.rpc, 'generatetoaddress', [1, address]))
          : [await this.mineTo(address, blocks[at] ?? [])]
      await this.blocks.remember(this.rpc, mined)
      hashes.push(...mined)
    }
    return hashes
  }

  /** Pays satoshis to a script or address. @returns the output, in the mempool */
  async fund(to: Uint8Array | string, value: bigint): Promise<Outpoint> {
    return await this.running().pay(typeof to === 'string' ? scriptOf(to) : to, value)
  }

  private async mineTo(address: string, transactions: readonly Uint8Array[]): Promise<Uint8Array> {
    const answer = await callRpc(this.rpc, 'generateblock', [address, transactions.map(toHex)])
    if (typeof answer !== 'object' || answer === null || !('hash' in answer))
      throw new TypeError('generateblock gave no hash')
    return toHash(answer.hash)
  }

  private ended(child: ChildProcess, code: number | null, signal: NodeJS.Signals | null): void {
    if (this.child !== child) return
    this.child = undefined
    const log = join(this.options.datadir, 'regtest', 'debug.log')
    this.failure = new Error(`bitcoind ended by itself (${signal ?? `exit code ${code}`}); its log is ${log}`)
  }

  private running(): Faucet {
    this.check()
    if (this.faucet === undefined || this.child === undefined) throw new Error('this bitcoind does not run')
    return this.faucet
  }

  private launch(binary: string): ChildProcess {
    const { datadir, policy, blockWeight = 4_000_000 } = this.options
    const args = [
      ...['-regtest', '-server', '-disablewallet', '-printtoconsole=0', '-listen=0', '-dnsseed=0', '-fixedseeds=0'],
      ...[`-datadir=${datadir}`, `-rpcport=${this.port}`, '-rpcbind=127.0.0.1', '-rpcallowip=127.0.0.1'],
      // Every node of a scenario keeps one call waiting for the next block.
      ...['-rpcthreads=16', '-rpcworkqueue=256', `-blockmaxweight=${blockWeight}`],
      ...(isKnots(binary)
        ? [
            '-blockmaxsize=4000000',
            ...(blockWeight < 4_000_000 ? ['-blockprioritysize=0'] : []),
            ...(policy === 'core' ? ['-corepolicy=1'] : []),
          ]
        : []),
    ]
    const child = spawn(binary, args, { stdio: ['ignore', 'ignore', 'pipe'] })
    const orphaned = () => child.kill('SIGKILL')
    process.once('exit', orphaned)
    child.once('exit', () => process.off('exit', orphaned))
    return child
  }

  private async answering(child: ChildProcess): Promise<void> {
    let complaint = ''
    child.stderr?.on('data', (text: Buffer) => {
      complaint += text
    })
    const deadline = Date.now() + START_TIMEOUT_MS
    while (!(await this.answers())) {
      if (this.child !== child || Date.now() > deadline) {
        await this.kill()
        throw new Error(`bitcoind did not start in ${this.options.datadir}: ${complaint.trim()}`)
      }
      await sleep(20)
    }
  }

  private async answers(): Promise<boolean> {
    try {
      await readTip(this.rpc)
      return true
    } catch (error) {
      const starting = error instanceof RpcError && error.code === RPC_CODES.warmup
      if (starting || error instanceof RpcUnreachableError) return false
      throw error
    }
  }

  private async end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    const { child } = this
    this.child = undefined
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const exited = once(child, 'exit')
    child.kill(signal)
    await exited
  }
}

/**
 * `$BITCOIND`, else what scripts/get-bitcoind.sh left in the repository, else the one on PATH.
 * @throws Error that says what to do, when there is none
 */
export function findBitcoind(): string {
  const found = bitcoindPaths().find((path) => existsSync(path))
  if (found === undefined)
    throw new Error('no bitcoind: run scripts/get-bitcoind.sh, or put the path of one into $BITCOIND')
  return found
}

function bitcoindPaths(): string[] {
  const { BITCOIND, PATH = '' } = process.env
  if (BITCOIND !== undefined && BITCOIND !== '') return [BITCOIND]
  const fetched = fileURLToPath(new URL('../../.cache/bitcoind/bin/bitcoind', import.meta.url))
  return [fetched, ...PATH.split(delimiter).map((folder) => join(folder, 'bitcoind'))]
}

/** Bitcoin Core refuses to start with an option it does not know. */
function isKnots(binary: string): boolean {
  return execFileSync(binary, ['-version'], { encoding: 'utf8' }).includes('Knots')
}

/**
 * Where no system takes the ports of outgoing connections from, which would be taken again before they are used; above
 * 10080, the highest of those that fetch calls bad (Fetch standard, port blocking).
 */
const PORTS = { from: 10_100, to: 32_000 } as const

/** A port of this machine that nobody listens on. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(PORTS.from, PORTS.to)
    if (await isFree(port)) return port
  }
}

/** Whether nobody listens on a port of this machine. */
export async function isFree(port: number): Promise<boolean> {
  const server = createServer().listen(port, '127.0.0.1')
  try {
    await once(server, 'listening')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EADDRINUSE') return false
    throw error
  }
  server.close()
  await once(server, 'close')
  return true
}

/** A script that nobody spends, for the `at`-th block in place of `fork`. */
function branchScript(fork: Uint8Array, at: number): Uint8Array {
  return concatBytes(fromHex('0020'), sha256(concatBytes(fork, Uint8Array.of(at & 0xff, at >> 8))))
}

function scriptOf(text: string): Uint8Array {
  const parsed = parseAddress(text, 'regtest')
  if (!parsed.ok) throw new RangeError(`${text}: ${parsed.reason}`)
  return parsed.script
}

function toHashes(answer: unknown): Uint8Array[] {
  if (!Array.isArray(answer)) throw new TypeError('generatetoaddress gave no list')
  return answer.map(toHash)
}

function toHash(printed: unknown): Uint8Array {
  if (typeof printed !== 'string') throw new TypeError('a block hash that is no text')
  return reverseBytes(fromHex(printed))
}
