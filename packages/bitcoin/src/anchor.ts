import { anchorScript, takeoverLeaf, tapLeafHash } from '@kedge/core'
import { tweakSecret } from './keys.ts'
import { type BuiltLink, buildLink, type LinkPlan } from './link.ts'
import { keySpend } from './transaction.ts'

/**
 * The next link, by the sequencer's key. The same plan at a higher fee rate replaces it while it is unconfirmed.
 * @throws InsufficientFundsError
 */
export function buildAnchor(plan: LinkPlan, anchorSecret: Uint8Array): BuiltLink {
  const { params, link } = plan
  const secret = tweakSecret(anchorSecret, tapLeafHash(takeoverLeaf(params)))
  return buildLink(plan, keySpend(link, anchorScript(params), secret))
}
