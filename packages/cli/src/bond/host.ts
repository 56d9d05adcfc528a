import { randomBytes } from 'node:crypto'
import { networkId, type Params } from '@kedge/core'
import { createHost, type Host } from '@kedge/p2p'

/** For so long after the first connection others may still come. */
const SETTLE_MS = 3_000
const POLL_MS = 100

/** A peer for the time of one command: it asks, and serves nothing. Who speaks stands in the messages. */
export async function withBondHost<T>(
  params: Params,
  bootstrap: readonly string[],
  work: (host: Host) => Promise<T>,
): Promise<T> {
  const host = await createHost({
    secretKey: Uint8Array.from(randomBytes(32)),
    network: networkId(params),
    listen: [],
    bootstrap,
    validateHeader: () => 'reject',
    answerData: () => Promise.resolve(undefined),
    report: (error) => process.stderr.write(`kedge: ${error.message}\n`),
  })
  try {
    await connect(host, bootstrap.length)
    return await work(host)
  } finally {
    await host.stop()
  }
}

/** Until every peer that was named is connected, or has had its time. */
async function connect(host: Host, wanted: number): Promise<void> {
  for (let waited = 0; waited < SETTLE_MS && host.peers().length < wanted; waited += POLL_MS)
    await new Promise((resolve) => setTimeout(resolve, POLL_MS))
}
