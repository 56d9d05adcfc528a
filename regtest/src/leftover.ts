import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { callRpc, type Rpc, RpcUnreachableError } from '@kedge/bitcoin'
import { callRegtest, RegtestError, readRegtestState } from '@kedge/cli'
import { bitcoindFolder } from './layout.ts'
import { pidFileOf } from './node-process.ts'
import { waitFor } from './waiting.ts'

/**
 * A network that ended without stopping leaves a bitcoind in its folder, which is stopped here, and nodes that end by
 * themselves once the process that started them is gone, which are waited for.
 * @throws Error when the network still runs
 */
export async function clearLeftovers(folder: string): Promise<void> {
  const state = readRegtestState(folder)
  if (state === undefined) return
  if (await isRunning(folder)) throw new Error(`a network runs in ${folder} already`)
  const regtest = join(bitcoindFolder(folder), 'regtest')
  await stopBitcoind({ url: state.bitcoind, login: { cookieFile: join(regtest, '.cookie') }, timeoutMs: 5000 })
  const pidFiles = [join(regtest, 'bitcoind.pid'), ...readdirSync(folder).map((name) => pidFileOf(join(folder, name)))]
  await waitFor({ until: 'what an earlier run left has ended' }, (note) => {
    const left = pidFiles.filter(isAlive)
    note(left.join(', '))
    return left.length === 0 ? true : undefined
  })
}

async function isRunning(folder: string): Promise<boolean> {
  try {
    await callRegtest(folder, 'status', {})
    return true
  } catch (error) {
    if (error instanceof RegtestError) return false
    throw error
  }
}

async function stopBitcoind(rpc: Rpc): Promise<void> {
  try {
    await callRpc(rpc, 'stop', [])
  } catch (error) {
    if (error instanceof RpcUnreachableError) return
    throw error
  }
}

/** A file that its process would have deleted at its end may have outlived it. */
function isAlive(pidFile: string): boolean {
  if (!existsSync(pidFile)) return false
  try {
    return process.kill(Number(readFileSync(pidFile, 'utf8')), 0)
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ESRCH') return false
    throw error
  }
}
