import { type BitcoinChain, taprootKey, taprootScript, tapTweak } from '@kedge/core'
import { address, initEccLib, networks } from 'bitcoinjs-lib'
import * as ecc from 'tiny-secp256k1'

/** Keys that own coins, and the addresses that people write scripts as. */

initEccLib(ecc)

/** A secret key's coins: taproot outputs of the key alone (BIP86). */
export interface CoinKey {
  /** x-only, before the tweak: what stands in leaves. */
  readonly publicKey: Uint8Array
  /** Signs in leaves. */
  readonly secret: Uint8Array
  /** Signs spends of `script`. */
  readonly spendingSecret: Uint8Array
  readonly script: Uint8Array
}

/** @throws Error unless `secret` is a secp256k1 secret key. */
export function coinKey(secret: Uint8Array): CoinKey {
  const publicKey = publicKeyOf(secret)
  const script = taprootScript(taprootKey(publicKey).key)
  return { publicKey, secret, spendingSecret: tweakSecret(secret), script }
}

/** The x-only public key. @throws Error unless `secret` is a secp256k1 secret key. */
export function publicKeyOf(secret: Uint8Array): Uint8Array {
  if (!ecc.isPrivate(secret)) throw new RangeError('not a secp256k1 secret key')
  return ecc.xOnlyPointFromScalar(secret)
}

/** Signs key-path spends of an output made from the secret's key and a script tree's root (BIP341). */
export function tweakSecret(secret: Uint8Array, root?: Uint8Array): Uint8Array {
  const point = ecc.pointFromScalar(secret, true)
  const even = point?.[0] === 2 ? secret : ecc.privateNegate(secret)
  const tweaked = ecc.privateAdd(even, tapTweak(publicKeyOf(secret), root))
  if (tweaked === null) throw new RangeError('a tweak that cancels its key')
  return tweaked
}

/**
 * BIP340, with no randomness beside the key: the same transaction always gets the same signature, so that one built
 * again after a crash is the same to the byte.
 */
export function signHash(hash: Uint8Array, secret: Uint8Array): Uint8Array {
  return ecc.signSchnorr(hash, secret)
}

/** Whether it is BIP340's signature of `hash` by an x-only key. */
export function isSignatureOf(signature: Uint8Array, hash: Uint8Array, key: Uint8Array): boolean {
  return signature.length === 64 && ecc.isXOnlyPoint(key) && ecc.verifySchnorr(hash, key, signature)
}

const NETWORKS = {
  main: networks.bitcoin,
  testnet4: networks.testnet,
  signet: networks.testnet,
  regtest: networks.regtest,
} as const

/** @throws Error for a script that has no address. */
export function addressOf(script: Uint8Array, chain: BitcoinChain): string {
  return address.fromOutputScript(script, NETWORKS[chain])
}

export type ParsedAddress =
  | { readonly ok: true; readonly script: Uint8Array }
  | { readonly ok: false; readonly reason: string }

/** The script of an address of `chain`, as somebody typed it. */
export function parseAddress(text: string, chain: BitcoinChain): ParsedAddress {
  try {
    return { ok: true, script: address.toOutputScript(text, NETWORKS[chain]) }
  } catch (error) {
    return { ok: false, reason: error instanceof Error ? error.message : String(error) }
  }
}
