import { addressOf, type CoinKey, coinKey, publicKeyOf } from '@kedge/bitcoin'
import { type BitcoinChain, toHex } from '@kedge/core'
import { HDKey } from '@scure/bip32'
import { seedOf } from './words.ts'

/** Two keys grow from the words (BIP32): one owns bitcoin, the other owns money on the rollup. */

export interface WalletKeys {
  /** m/86'/coin'/0'/0/0: the first taproot address of any wallet that knows BIP86. */
  readonly bitcoin: CoinKey
  readonly rollup: RollupKey
}

export interface RollupKey {
  readonly secret: Uint8Array
  /** x-only (BIP340). */
  readonly key: Uint8Array
}

/** "KDGE" in ASCII, as a hardened purpose of its own: no other use of the words gives the same key. */
export const ROLLUP_PURPOSE = 0x4b444745

export async function deriveKeys(words: string, chain: BitcoinChain): Promise<WalletKeys> {
  const root = HDKey.fromMasterSeed(await seedOf(words))
  // SLIP-44: 0 is bitcoin, 1 every chain that is for tests.
  const coin = chain === 'main' ? 0 : 1
  const secret = secretAt(root, `m/${ROLLUP_PURPOSE}'/${coin}'/0'/0/0`)
  return {
    bitcoin: coinKey(secretAt(root, `m/86'/${coin}'/0'/0/0`)),
    rollup: { secret, key: publicKeyOf(secret) },
  }
}

/** BIP32 leaves one path in 2^127 without a key. */
function secretAt(root: HDKey, path: string): Uint8Array {
  const { privateKey } = root.derive(path)
  if (privateKey === null) throw new Error(`the words have no key at ${path}`)
  return privateKey
}

export interface Addresses {
  /** Where bitcoin for deposits is sent to. */
  readonly bitcoin: string
  /** Where rollup payments are sent to: the x-only key as hex. */
  readonly rollup: string
}

export function addressesOf(keys: WalletKeys, chain: BitcoinChain): Addresses {
  return { bitcoin: addressOf(keys.bitcoin.script, chain), rollup: toHex(keys.rollup.key) }
}
