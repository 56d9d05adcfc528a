import { readWaitingMessages } from '../mempool-messages.ts'
import type { RegtestNetwork } from '../network.ts'

/** Batches and resumes whose anchors wait for a block. */
export async function countUnconfirmed({ bitcoind }: RegtestNetwork): Promise<number> {
  const waiting = await readWaitingMessages(bitcoind.rpc)
  return waiting.filter(({ message }) => message.kind === 'batch' || message.kind === 'resume').length
}

export async function untilUnconfirmed(network: RegtestNetwork, count: number): Promise<void> {
  await network.waitFor({ until: `${count} anchors wait for a block`, withinMs: 60_000 }, async (note) => {
    const now = await countUnconfirmed(network)
    note(`${now}`)
    return now >= count ? true : undefined
  })
}
