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

/**
 * The same, of signatures that the watchers gave.
 * @param signatures by the watchers' places among the keys
 * @throws RangeError when they are fewer than `threshold`
 */
export function signedWitness(
  { keys }: Params,
  signatures: ReadonlyMap<number, Uint8Array>,
  { leaf, control }: { readonly leaf: Uint8Array; readonly control: Uint8Array },
): Uint8Array[] {
  const signers = keys.watchers.map((_, at) => at).filter((at) => signatures.has(at))
  if (signers.length < keys.threshold) throw tooFew(signers.length, keys.threshold)
  const counted = signers.slice(0, keys.threshold)
  const items = keys.watchers.map((_, at) => (counted.includes(at) ? signatures.get(at) : undefined))
  return [...items.map((signature) => signature ?? new Uint8Array(0)).reverse(), leaf, control]
}

function tooFew(present: number, threshold: number): RangeError {
  return new RangeError(`${present} watchers of the ${threshold} that must sign`)
}

/** For each watcher its secret, where it signs. The leaf wants exactly `threshold` signatures, no more. */
function signersOf({ keys }: Params, secrets: readonly Uint8Array[]): (Uint8Array | undefined)[] {
  const byKey = new Map(secrets.map((secret) => [toHex(publicKeyOf(secret)), secret]))
  const present = keys.watchers.filter((key) => byKey.has(toHex(key))).slice(0, keys.threshold)
  if (present.length < keys.threshold) throw tooFew(present.length, keys.threshold)
  return keys.watchers.map((key) => (present.includes(key) ? byKey.get(toHex(key)) : undefined))
}
