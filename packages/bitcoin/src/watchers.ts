import { type Params, toHex } from '@kedge/core'
import { publicKeyOf } from './keys.ts'
import type { Spend } from './transaction.ts'

/**
 * The witness of a spend by a leaf that ends in the watchers' t-of-n.
 * @param secrets those of `threshold` watchers or more
 * @throws RangeError when they are fewer
 */
export function watchersWitness(
  params: Params,
  secrets: readonly Uint8Array[],
  { leaf, control }: { readonly leaf: Uint8Array; readonly control: Uint8Array },
): Spend['witness'] {
  const signers = signersOf(params, secrets)
  return (sign) => [
    ...signers.map((secret) => (secret === undefined ? new Uint8Array(0) : sign(secret))).reverse(),
    leaf,
    control,
  ]
}

/** For each watcher its secret, where it signs. The leaf wants exactly `threshold` signatures, no more. */
function signersOf({ keys }: Params, secrets: readonly Uint8Array[]): (Uint8Array | undefined)[] {
  const byKey = new Map(secrets.map((secret) => [toHex(publicKeyOf(secret)), secret]))
  const present = keys.watchers.filter((key) => byKey.has(toHex(key))).slice(0, keys.threshold)
  if (present.length < keys.threshold)
    throw new RangeError(`${present.length} watchers of the ${keys.threshold} that must sign`)
  return keys.watchers.map((key) => (present.includes(key) ? byKey.get(toHex(key)) : undefined))
}
