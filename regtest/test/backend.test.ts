import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  addressOf,
  callRpc,
  checkBackend,
  RPC_CODES,
  type Rpc,
  RpcError,
  RpcUnreachableError,
  readTip,
  UnfitBackendError,
} from '@kedge/bitcoin'
import { expect, test } from 'vitest'
import { findBitcoind, freePort } from '../src/bitcoind.ts'
import { describeOnBitcoind, freshKey } from './ground.ts'

/** A bitcoind that talks to nobody. */
async function onChain(
  { chain, args = [] }: { readonly chain: 'main' | 'regtest'; readonly args?: readonly string[] },
  look: (rpc: Rpc) => Promise<void>,
): Promise<void> {
  const datadir = await mkdtemp(join(tmpdir(), 'kedge-bitcoind-'))
  const port = await freePort()
  const alone = ['-connect=0', '-listen=0', '-networkactive=0', '-dnsseed=0', '-disablewallet', '-server']
  const own = [`-chain=${chain}`, `-datadir=${datadir}`, `-rpcport=${port}`]
  const child = spawn(findBitcoind(), [...own, ...alone, ...args], { stdio: 'ignore' })
  const cookieFile = join(datadir, chain === 'main' ? '' : chain, '.cookie')
  const rpc = { url: `http://127.0.0.1:${port}`, login: { cookieFile }, timeoutMs: 30_000 }
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

describeOnBitcoind('on the main chain', () => {
  test('a Knots with a flag day of its own is refused, a Core is not', async () => {
    const version = execFileSync(findBitcoind(), ['-version'], { encoding: 'utf8' })
    // Enough to see which rules it would follow.
    await onChain({ chain: 'main' }, async (rpc) => {
      const outcome = await checkBackend(rpc, { chain: 'main', scanHeight: 0 }).catch((error: unknown) => error)
      if (!version.includes('Knots')) expect(outcome).toBeUndefined()
      else if (version.includes('v29.4')) expect(outcome).toBeInstanceOf(UnfitBackendError)
      await expect(checkBackend(rpc, { chain: 'regtest', scanHeight: 0 })).rejects.toThrow(
        'bitcoind follows main, not regtest',
      )
    })
  })
})

describeOnBitcoind('that has pruned blocks', () => {
  test('is refused where the network begins below what it has kept, and says what to do', async () => {
    await onChain({ chain: 'regtest', args: ['-prune=1', '-fastprune'] }, async (rpc) => {
      await checkBackend(rpc, { chain: 'regtest', scanHeight: 1 })
      const address = addressOf(freshKey().script, 'regtest')
      // Pruning goes by files of blocks, 64 KiB each here, and keeps the newest 288.
      for (let mined = 0; mined < 1_000; mined += 100) await callRpc(rpc, 'generatetoaddress', [100, address])
      await callRpc(rpc, 'pruneblockchain', [700])
      const { pruneheight } = (await callRpc(rpc, 'getblockchaininfo', [])) as { pruneheight: number }
      expect(pruneheight).toBeGreaterThan(100)
      await checkBackend(rpc, { chain: 'regtest', scanHeight: pruneheight })
      await expect(checkBackend(rpc, { chain: 'regtest', scanHeight: pruneheight - 1 })).rejects.toThrow(
        `bitcoind has pruned the blocks below ${pruneheight}, and this network begins at ${pruneheight - 1}: connect to`,
      )
    })
  }, 60_000)
})
