import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { createServer } from 'node:net'
import { delimiter, join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { callRpc, type Rpc, RpcError, RpcUnreachableError, readTip } from '@kedge/bitcoin'

/** A bitcoind on a regtest of its own, whose coinbases go to the address that each test names. */
export interface OwnBitcoind {
  readonly rpc: Rpc
  mine(blocks: number, address: string): Promise<void>
  /** Ends it as a power cut would: what is in no block is forgotten. */
  kill(): Promise<void>
  start(): Promise<void>
}

/** `$BITCOIND`, the one fetched into the repository, or one on PATH. */
export function findBitcoind(): string | undefined {
  const { BITCOIND, PATH = '' } = process.env
  const fetched = fileURLToPath(new URL('../../../.cache/bitcoind/bin/bitcoind', import.meta.url))
  const paths = BITCOIND ? [BITCOIND] : [fetched, ...PATH.split(delimiter).map((folder) => join(folder, 'bitcoind'))]
  return paths.find((path) => existsSync(path))
}

export async function startBitcoind(binary: string, datadir: string): Promise<OwnBitcoind> {
  const port = await freePort()
  const login = { cookieFile: join(datadir, 'regtest', '.cookie') }
  const rpc: Rpc = { url: `http://127.0.0.1:${port}`, login, timeoutMs: 30_000 }
  const args = [
    '-regtest',
    '-server',
    '-disablewallet',
    '-printtoconsole=0',
    '-listen=0',
    '-dnsseed=0',
    '-fixedseeds=0',
  ]
  const places = [`-datadir=${datadir}`, `-rpcport=${port}`, '-rpcbind=127.0.0.1', '-rpcallowip=127.0.0.1']
  let child: ChildProcess | undefined
  const start = async () => {
    child = spawn(binary, [...args, ...places], { stdio: 'ignore' })
    for (let tries = 0; !(await answers(rpc)); tries++) {
      if (child.exitCode !== null || tries > 1000) throw new Error('bitcoind did not start')
      await pause(20)
    }
  }
  const kill = async () => {
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const exited = once(child, 'exit')
    child.kill('SIGKILL')
    await exited
  }
  const mine = async (blocks: number, address: string) => {
    await callRpc(rpc, 'generatetoaddress', [blocks, address])
  }
  await start()
  return { rpc, mine, kill, start }
}

async function answers(rpc: Rpc): Promise<boolean> {
  try {
    await readTip(rpc)
    return true
  } catch (error) {
    if (error instanceof RpcUnreachableError || error instanceof RpcError) return false
    throw error
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('no free port')
  return address.port
}
