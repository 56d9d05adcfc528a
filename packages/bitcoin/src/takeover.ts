import { anchorOutput } from '@kedge/core'
import { type BuiltLink, buildLink, type LinkPlan } from './link.ts'
import { watchersWitness } from './watchers.ts'

/**
 * The next link, by the watchers, once the present one has stood for X blocks: for a lost anchor key.
 * @param secrets those of `threshold` watchers or more
 * @throws RangeError when they are fewer
 * @throws InsufficientFundsError
 */
export function buildTakeover(plan: LinkPlan, secrets: readonly Uint8Array[]): BuiltLink {
  const output = anchorOutput(plan.params)
  const { script, leaf } = output
  const witness = watchersWitness(plan.params, secrets, output)
  // BIP112: the input's relative lock must be the leaf's number of blocks or more.
  return buildLink(plan, { ...plan.link, script, sequence: plan.params.windows.takeover, leaf, witness })
}
