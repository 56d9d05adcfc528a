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

/** Order of a stop: the loop; requests in flight; what the role has accepted, to disk; then the parts. */
async function runToEnd(
  node: NodeParts,
  role: Role,
  signal: AbortSignal,
  closeApi: () => Promise<void>,
  settle: () => Promise<void>,
): Promise<void> {
  try {
    await runNode(node, role, signal)
  } finally {
    await closeApi()
    await settle()
    await closeNode(node)
  }
}
