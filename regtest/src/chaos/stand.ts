import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type NetworkOptions, RegtestNetwork } from '../network.ts'

/** A network in a folder of its own, for one test or a few that follow on one another. */
export interface Stand {
  readonly network: RegtestNetwork
  /** Runs a part of a test: when it fails, the folder is kept. */
  readonly play: (work: () => Promise<void>) => Promise<void>
  /** The folder goes when all went well; else its path is printed: logs and databases tell what happened. */
  readonly close: () => Promise<void>
}

export async function openStand(options: Omit<NetworkOptions, 'folder'>): Promise<Stand> {
  const folder = await mkdtemp(join(tmpdir(), 'kedge-chaos-'))
  const network = await RegtestNetwork.start({ ...options, folder })
  let failed = false
  const play = async (work: () => Promise<void>) => {
    try {
      await work()
    } catch (error) {
      failed = true
      throw error
    }
  }
  const close = async () => {
    await network.kill()
    if (failed) console.error(`what is left of the network is in ${folder}`)
    else await rm(folder, { recursive: true })
  }
  return { network, play, close }
}
