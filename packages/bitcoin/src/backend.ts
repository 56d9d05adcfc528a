import type { BitcoinChain } from '@kedge/core'
import { asRecord, asText, isRecord } from './answer.ts'
import { batchRpc, type Rpc } from './rpc.ts'

/** @throws UnfitBackendError when this bitcoind can't tell what stands in the Bitcoin that `chain` names. */
export async function checkBackend(rpc: Rpc, chain: BitcoinChain): Promise<void> {
  const [info, deployments] = await batchRpc(rpc, [
    { method: 'getblockchaininfo', params: [] },
    { method: 'getdeploymentinfo', params: [] },
  ])
  const fault = findBackendFault(chain, info, deployments)
  if (fault !== undefined) throw new UnfitBackendError(fault)
}

/**
 * Why this backend is unfit, or undefined, from its `getblockchaininfo` and `getdeploymentinfo`. Some releases of
 * Bitcoin Knots carry a change of proof of work and narrower block rules with a flag day: from then on they follow
 * another chain than Bitcoin's. On regtest they change nothing.
 */
export function findBackendFault(chain: BitcoinChain, info: unknown, deployments: unknown): string | undefined {
  const follows = asText(asRecord(info, 'getblockchaininfo').chain, 'chain')
  if (follows !== chain) return `bitcoind follows ${follows}, not ${chain}`
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
