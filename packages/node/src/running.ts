import { closeNode, fundingAddressOf, type NodeParts, type Role, runNode } from './node.ts'
import type { RunningNode } from './options.ts'
import type { Responders } from './serve.ts'
import { serveApi } from './serve.ts'

/** Serves the API and runs the loop. `settle` finishes, at a stop, what the role has under way. */
export async function startNode(
  node: NodeParts,
  role: Role,
  handlers: Responders,
  settle: () => Promise<void>,
): Promise<RunningNode> {
  const { api, log } = node.options
  const served = await serveApi({ handlers, host: api.host, port: api.port, origins: api.origins, log })
  const stopping = new AbortController()
  const done = runToEnd(node, role, stopping.signal, () => served.stop(), settle)
  return {
    apiUrl: served.url,
    addresses: node.host.addresses(),
    fundingAddress: fundingAddressOf(node),
    done,
    stop: async () => {
      stopping.abort()
      await done
    },
  }
}

/** What `start` makes of the node; when that fails, the node is closed. */
export async function orClose<T>(node: NodeParts, start: () => Promise<T>): Promise<T> {
  try {
    return await start()
  } catch (error) {
    await closeNode(node)
    throw error
  }
}

/**
 * Order of a stop: the loop; requests in flight; what the role has accepted, to disk; the ledger, to disk; then the parts.
 * Each is done whatever came of those before it, and the first failure is what the node ends with. Behind one the ledger
 * may be ahead of its head, and stays on disk as it was.
 */
async function runToEnd(
  node: NodeParts,
  role: Role,
  signal: AbortSignal,
  closeApi: () => Promise<void>,
  settle: () => Promise<void>,
): Promise<void> {
  const failures: unknown[] = []
  const attempt = async (work: () => Promise<void>) => {
    try {
      await work()
    } catch (error) {
      if (failures.length > 0) node.options.log.error({ err: error }, 'the stop failed too')
      failures.push(error)
    }
  }
  await attempt(() => runNode(node, role, signal))
  await attempt(closeApi)
  await attempt(settle)
  if (failures.length === 0) await attempt(() => node.executor.flush())
  await attempt(() => closeNode(node))
  if (failures.length > 0) throw failures[0]
}
