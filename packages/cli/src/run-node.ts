import { constants } from 'node:os'
import { networkId, toHex } from '@kedge/core'
import type { NodeOptions, RunningNode } from '@kedge/node'
import { z } from 'zod'

/** What a node says on standard output, as one line of JSON, once it is ready. */
const readyLine = z.strictObject({
  ready: z.literal(true),
  /** URL of its HTTP API. */
  api: z.string(),
  /** Multiaddrs with peer id. */
  addresses: z.array(z.string()).readonly(),
  /** Where to send bitcoin for the node's fees. */
  fundingAddress: z.string(),
  /** The network's id, hex. */
  network: z.string(),
})

export type ReadyLine = z.output<typeof readyLine>

/** Undefined for any other line. */
export function parseReadyLine(line: string): ReadyLine | undefined {
  return line.startsWith('{"ready"') ? readyLine.safeParse(JSON.parse(line)).data : undefined
}

/**
 * Runs a node until it is told to stop, or fails. The first SIGINT or SIGTERM stops it in good order, the second at
 * once; so does the end of a parent process that started it with a channel.
 *
 * @returns the exit code: 0 after a stop, 1 after a failure, which the log tells. What an operator can mend at the start
 * is one sentence on standard error instead.
 */
export async function runNode<O extends NodeOptions>(
  options: O,
  start: (options: O) => Promise<RunningNode>,
): Promise<number> {
  const { log } = options
  let isReady = false
  try {
    const node = await start(options)
    isReady = true
    // Whoever reads the line may ask to stop at once.
    const asked = stopRequest()
    process.stdout.write(`${JSON.stringify(describe(node, options))}\n`)
    const stop = async () => {
      log.info({ why: await asked }, 'stopping')
      await node.stop()
    }
    await Promise.race([node.done, stop()])
    log.info('stopped')
    return 0
  } catch (error) {
    // Loaded by whoever starts a node, and by nothing else: it is large.
    const { explainStart } = await import('@kedge/node')
    if (isReady) log.fatal({ err: error }, 'the node failed')
    else {
      log.debug({ err: error }, 'the node did not start')
      process.stderr.write(`kedge: ${sentenceOf(error, explainStart(error))}\n`)
    }
    return 1
  } finally {
    process.removeAllListeners('disconnect')
    if (process.connected) process.disconnect()
  }
}

/** In one line, with what a taken port is mended by. */
function sentenceOf(error: unknown, fault: string | undefined): string {
  const said =
    fault ??
    `the node could not start: ${error instanceof Error ? error.message : String(error)}; --log-level debug tells where`
  const isTaken = said.includes('EADDRINUSE')
  return isTaken
    ? `${said}; another port is chosen by ${said.startsWith('peers') ? '--p2p-listen' : '--api-port'}`
    : said
}

function describe(node: RunningNode, { params }: NodeOptions): ReadyLine {
  const { apiUrl, addresses, fundingAddress } = node
  return { ready: true, api: apiUrl, addresses, fundingAddress, network: toHex(networkId(params)) }
}

/** Resolves with the reason to stop; after that, the next signal ends the process. */
function stopRequest(): Promise<string> {
  return new Promise((resolve) => {
    let isAsked = false
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      process.on(signal, () => {
        if (isAsked) process.exit(128 + constants.signals[signal])
        isAsked = true
        resolve(signal)
      })
    }
    process.once('disconnect', () => resolve('the process that started this one is gone'))
  })
}
