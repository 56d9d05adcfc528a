import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { availableParallelism, cpus, release, totalmem, type } from 'node:os'
import { join } from 'node:path'
import { fastestHasher } from '@kedge/node'
import { createVerifier } from '@kedge/signatures'
import { findBitcoind } from '../bitcoind.ts'
import { network } from './world.ts'

export interface Machine {
  readonly processor: string
  readonly cores: number
  readonly memoryGiB: number
  readonly system: string
}

export function describeMachine(): Machine {
  const memoryGiB = Math.round(totalmem() / 2 ** 30)
  const processor = cpus()[0]?.model.trim() ?? 'unknown'
  return { processor, cores: availableParallelism(), memoryGiB, system: `${type()} ${release()}` }
}

const LIBRARIES = [
  ...['@chainsafe/hashtree', 'tiny-secp256k1', '@noble/curves', '@noble/hashes'],
  ...['level', 'classic-level', 'hono', '@hono/node-server', 'libp2p'],
]

/** What ran: Node, bitcoind, the libraries that the figures depend on, and which of them this machine uses. */
export async function describeVersions(): Promise<Record<string, string>> {
  const verifier = await createVerifier({ workers: 1, network, capacityRows: 1 })
  const { engine } = verifier
  await verifier.close()
  const libraries = LIBRARIES.map((name) => [name, versionOf(name)] as const)
  return {
    ...{ node: process.versions.node, v8: process.versions.v8, bitcoind: bitcoindVersion() },
    ...{ hasher: fastestHasher().name, engine },
    ...Object.fromEntries(libraries),
  }
}

/** Packages hide their package.json from imports, so it is looked for where imports look. */
function versionOf(library: string): string {
  const folders = createRequire(import.meta.url).resolve.paths(library) ?? []
  const file = folders.map((folder) => join(folder, library, 'package.json')).find((path) => existsSync(path))
  if (file === undefined) return 'not installed'
  const { version }: { version: string } = JSON.parse(readFileSync(file, 'utf8'))
  return version
}

function bitcoindVersion(): string {
  const [first = ''] = execFileSync(findBitcoind(), ['-version'], { encoding: 'utf8' }).split('\n')
  return first.replace(/^.*version /, '')
}
