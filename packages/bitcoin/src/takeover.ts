import { anchorOutput, type Params, toHex } from '@kedge/core'
import { publicKeyOf } from './keys.ts'
import { type BuiltLink, buildLink, type LinkPlan } from './link.ts'
import type { Spend } from './transaction.ts'

/**
 * The next link, by the watchers, once the present one has stood for X blocks: for a lost anchor key.
 * @param secrets those of `threshold` watchers or more
 * @throws RangeError when they are fewer
 * @throws InsufficientFundsError
 */
export function buildTakeover(plan: LinkPlan, secrets: readonly Uint8Array[]): BuiltLink {
  const { script, leaf, control } = anchorOutput(plan.params)
  const signers = signersOf(plan.params, secrets)
  const witness: Spend['witness'] = (sign) => [
    ...signers.map((secret) => (secret === undefined ? new Uint8Array(0) : sign(secret))).reverse(),
    leaf,
    control,
  ]
  // BIP112: the input's relative lock must be the leaf's number of blocks or more.
  return buildLink(plan, { ...plan.link, script, sequence: plan.params.windows.takeover, leaf, witness })
}

/** For each watcher its secret, where it signs. The leaf wants exactly `threshold` signatures, no more. */
function signersOf({ keys }: Params, secrets: readonly Uint8Array[]): (Uint8Array | undefined)[] {
  const byKey = new Map(secrets.map((secret) => [toHex(publicKeyOf(secret)), secret]))
  const present = keys.watchers.filter((key) => byKey.has(toHex(key))).slice(0, keys.threshold)
  if (present.length < keys.threshold)
    throw new RangeError(`${present.length} watchers of the ${keys.threshold} that must sign`)
  return keys.watchers.map((key) => (present.includes(key) ? byKey.get(toHex(key)) : undefined))
}
