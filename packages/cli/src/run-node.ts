import { constants } from 'node:os'
import { networkId, toHex } from '@kedge/core'
import type { NodeOptions, RunningNode } from '@kedge/node'

/** What a node says on standard output, as one line of JSON, once it is ready. */
export interface ReadyLine {
  readonly ready: true
  /** URL of its HTTP API. */
  readonly api: string
  /** Multiaddrs with peer id. */
  readonly addresses: readonly string[]
  /** Where to send bitcoin for the node's fees. */
  readonly fundingAddress: string
  /** The network's id, hex. */
  readonly network: string
}

/**
 * Runs a node until it is told to stop, or fails. The first SIGINT or SIGTERM stops it in good order, the second at
 * once; so does the end of a parent process that started it with a channel.
 *
 * @returns the exit code: 0 after a stop, 1 after a failure, which the log tells.
 */
export async function runNode<O extends NodeOptions>(
  options: O,
  start: (options: O) => Promise<RunningNode>,
): Promise<number> {
  const { log } = options
  try {
    const node = await start(options)
    process.stdout.write(`${JSON.stringify(readyLine(node, options))}\n`)
    const stop = async () => {
      log.info({ why: await stopRequest() }, 'stopping')
      await node.stop()
    }
    await Promise.race([node.done, stop()])
    log.info('stopped')
    return 0
  } catch (error) {
    log.fatal({ err: error }, 'the node failed')
    return 1
  } finally {
    if (process.connected) process.disconnect()
  }
}

function readyLine(node: RunningNode, { params }: NodeOptions): ReadyLine {
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
