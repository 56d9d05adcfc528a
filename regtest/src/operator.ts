import { coinKey } from '@kedge/bitcoin'
import { type Ran, runKedge } from './kedge.ts'
import { configFile, nodeFolder, nodeKeys } from './layout.ts'
import type { RegtestNetwork } from './network.ts'

/** What the sequencer's operator does by `kedge bond`, on a network of this machine. */

const BOND_COINS = 5_000_000n

/** The settings of `kedge bond`, as arguments: the sequencer's own file, and where its watchers are. */
export function operatorArgs({ folder, challengers }: RegtestNetwork): string[] {
  const addresses = challengers.filter(({ isRunning }) => isRunning).flatMap(({ ready }) => ready.addresses)
  const own = nodeFolder(folder, 'sequencer', 'sequencer')
  return ['--config', configFile(own), ...addresses.flatMap((address) => ['--p2p-bootstrap', address])]
}

/** Money that bonds are funded from, confirmed. */
export async function fundOperator(network: RegtestNetwork): Promise<void> {
  const { return: home } = nodeKeys(nodeFolder(network.folder, 'sequencer', 'sequencer'))
  if (home === undefined) throw new Error("the sequencer's keys have none for a bond")
  await network.bitcoind.fund(coinKey(home).script, BOND_COINS)
  await network.mine()
}

/** `kedge bond NAME` by the operator. */
export function runBond(network: RegtestNetwork, name: string, ...args: readonly string[]): Promise<Ran> {
  return runKedge(['bond', name, ...operatorArgs(network), ...args])
}

/** Signed by all watchers, funded, and so deep that it covers batches. @throws Error when it fails */
export async function setUpBond(network: RegtestNetwork): Promise<string> {
  const ran = await runBond(network, 'setup', '--yes', '--json')
  if (ran.code !== 0) throw new Error(`kedge bond setup: ${ran.stdout}${ran.stderr}`)
  const { bond } = JSON.parse(ran.stdout) as { bond: { txid: string } }
  await network.mine(1 + network.params.windows.originDepth)
  return bond.txid
}
