import { copyFile, cp, mkdir, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { freePort } from '../bitcoind.ts'
import { KEDGE } from '../kedge.ts'
import { bitcoinSettings, writeNodeConfig } from '../layout.ts'
import type { RegtestNetwork } from '../network.ts'
import { NodeProcess } from '../node-process.ts'
import { dataFolder } from './archive.ts'

/** What operators do to a sequencer's data folder, and should not. It must not run meanwhile. */

/** What lies beside the keys: where the slot key was used last. */
const TALLY = 'keys.json.slots'

/** @param name of the copy, as of a node: an archive can be read by it */
export async function backUp({ folder, sequencer }: RegtestNetwork, name: string): Promise<void> {
  await cp(dataFolder(folder, sequencer.name), dataFolder(folder, name), { recursive: true })
  await copyFile(join(folder, sequencer.name, TALLY), join(folder, name, TALLY))
}

/**
 * The present folder goes aside, and a copy takes its place.
 * @param copy its name; undefined for nothing
 * @param aside name for the present one
 */
export async function restore(
  { folder, sequencer }: RegtestNetwork,
  copy: string | undefined,
  aside: string,
): Promise<void> {
  const own = dataFolder(folder, sequencer.name)
  await mkdir(join(folder, aside), { recursive: true })
  await rename(own, dataFolder(folder, aside))
  if (copy !== undefined) await cp(dataFolder(folder, copy), own, { recursive: true })
}

/** The same of the whole machine: with what lies beside the keys. */
export async function restoreMachine(network: RegtestNetwork, copy: string, aside: string): Promise<void> {
  await restore(network, copy, aside)
  const { folder, sequencer } = network
  const own = join(folder, sequencer.name, TALLY)
  await rename(own, join(folder, aside, TALLY))
  await copyFile(join(folder, copy, TALLY), own)
}

/** A second sequencer with the same keys, and what lies beside them, on a copy of the first one's data. It is not started. */
export async function clone(
  network: RegtestNetwork,
  copy: string,
  name: string,
  sealAfterMs: number,
): Promise<NodeProcess> {
  const { folder, sequencer, bitcoind, challengers } = network
  const own = join(folder, name)
  await mkdir(own, { recursive: true })
  for (const file of ['keys.json', TALLY]) await copyFile(join(folder, sequencer.name, file), join(own, file))
  await cp(dataFolder(folder, copy), dataFolder(folder, name), { recursive: true })
  const config = writeNodeConfig(folder, own, {
    ...bitcoinSettings(bitcoind.rpc),
    'api.port': await freePort(),
    'p2p.listen': ['/ip4/127.0.0.1/tcp/0'],
    'p2p.bootstrap': challengers.flatMap(({ ready }) => ready.addresses.slice(0, 1)),
    'seal-after-ms': sealAfterMs,
  })
  return new NodeProcess({ name, folder: own, command: [KEDGE, 'sequencer', '--config', config] })
}
