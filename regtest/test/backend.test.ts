import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  checkBackend,
  RPC_CODES,
  type Rpc,
  RpcError,
  RpcUnreachableError,
  readTip,
  UnfitBackendError,
} from '@kedge/bitcoin'
import { expect, test } from 'vitest'
import { findBitcoind } from '../src/bitcoind.ts'
import { describeOnBitcoind } from './ground.ts'

/** A node of the main chain that talks to nobody: enough to see which rules it would follow. */
async function onMainChain(look: (rpc: Rpc) => Promise<void>): Promise<void> {
  const datadir = await mkdtemp(join(tmpdir(), 'kedge-bitcoind-'))
  const port = await freePort()
  const alone = ['-connect=0', '-listen=0', '-networkactive=0', '-dnsseed=0', '-disablewallet', '-server']
  const child = spawn(findBitcoind(), ['-chain=main', `-datadir=${datadir}`, `-rpcport=${port}`, ...alone], {
    stdio: 'ignore',
  })
  const rpc = { url: `http://127.0.0.1:${port}`, login: { cookieFile: join(datadir, '.cookie') }, timeoutMs: 5_000 }
  try {
    for (let tries = 0; !(await answers(rpc)); tries++) {
      if (tries > 300) throw new Error('bitcoind did not start')
      await sleep(50)
    }
    await look(rpc)
  } finally {
    const exited = once(child, 'exit')
    child.kill('SIGKILL')
    await exited
    await rm(datadir, { recursive: true })
  }
}

async function answers(rpc: Rpc): Promise<boolean> {
  const outcome = await readTip(rpc).catch((error: unknown) => error)
  if (outcome instanceof RpcUnreachableError) return false
  if (outcome instanceof RpcError && outcome.code === RPC_CODES.warmup) return false
  if (outcome instanceof Error) throw outcome
  return true
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  return port
}

describeOnBitcoind('on the main chain', () => {
  test('a Knots with a flag day of its own is refused, a Core is not', async () => {
    const version = execFileSync(findBitcoind(), ['-version'], { encoding: 'utf8' })
    await onMainChain(async (rpc) => {
      const outcome = await checkBackend(rpc, 'main').catch((error: unknown) => error)
      if (!version.includes('Knots')) expect(outcome).toBeUndefined()
      else if (version.includes('v29.4')) expect(outcome).toBeInstanceOf(UnfitBackendError)
      await expect(checkBackend(rpc, 'regtest')).rejects.toThrow('bitcoind follows main, not regtest')
    })
  })
})
