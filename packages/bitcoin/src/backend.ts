import type { Params } from '@kedge/core'
import { asInteger, asRecord, asText, isRecord } from './answer.ts'
import { batchRpc, type Rpc } from './rpc.ts'

/** What a network asks of a bitcoind. */
type Needs = Pick<Params, 'chain' | 'scanHeight'>

/** @throws UnfitBackendError when this bitcoind can't tell what stands in the Bitcoin that the network lives on. */
export async function checkBackend(rpc: Rpc, needs: Needs): Promise<void> {
  const [info, deployments] = await batchRpc(rpc, [
    { method: 'getblockchaininfo', params: [] },
    { method: 'getdeploymentinfo', params: [] },
  ])
  const fault = findBackendFault(needs, info, deployments)
  if (fault !== undefined) throw new UnfitBackendError(fault)
}

/**
 * Why this backend is unfit, or undefined, from its `getblockchaininfo` and `getdeploymentinfo`. Some releases of
 * Bitcoin Knots carry a change of proof of work and narrower block rules with a flag day: from then on they follow
 * another chain than Bitcoin's. On regtest they change nothing.
 */
export function findBackendFault(
  { chain, scanHeight }: Needs,
  info: unknown,
  deployments: unknown,
): string | undefined {
  const { chain: named, pruneheight } = asRecord(info, 'getblockchaininfo')
  const follows = asText(named, 'chain')
  if (follows !== chain)
    return `bitcoind follows ${follows}, not ${chain}: connect to one that follows ${chain}, or check the network's parameters`
  // The lowest block that it still has whole. The network's blocks are read from the first on, and again after a reset.
  const lowest = pruneheight === undefined ? 0 : asInteger(pruneheight, 'pruneheight')
  if (lowest > scanHeight)
    return `bitcoind has pruned the blocks below ${lowest}, and this network begins at ${scanHeight}: connect to one that keeps them, or let it fetch them again (prune=0 and -reindex)`
  if (chain === 'regtest') return undefined
  const report = asRecord(deployments, 'getdeploymentinfo')
  const listed = isRecord(report.deployments) ? report.deployments : {}
  const foreign = ['blake2b', 'reduced_data'].find((rule) => rule in report || rule in listed)
  return (
    foreign && `bitcoind enforces ${foreign}, which is no rule of Bitcoin's ${chain} chain: run Bitcoin Core instead`
  )
}

export class UnfitBackendError extends Error {
  override readonly name = 'UnfitBackendError'
}
