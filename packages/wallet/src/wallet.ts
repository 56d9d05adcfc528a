import type { Client } from '@kedge/api'
import { networkId, type Params, toHex } from '@kedge/core'
import type { WalletContent } from './content.ts'
import { WalletError } from './errors.ts'
import { changeWalletFile, createWalletFile, readWalletFile } from './file.ts'
import { type Addresses, addressesOf, deriveKeys, type WalletKeys } from './keys.ts'
import { createWords, parseWords } from './words.ts'

/** A wallet at work: its file, its keys, the network they are for, and the node that is asked. */
export interface Wallet {
  readonly path: string
  readonly keys: WalletKeys
  readonly params: Params
  readonly network: Uint8Array
  readonly client: Client
}

export interface CreatedWallet {
  /** To be written down. They stand in the file too. */
  readonly words: string
  readonly addresses: Addresses
}

/**
 * Makes a wallet for the network of `params`: a new one, or that of `words` as somebody typed them.
 * @throws WalletError `bad-words` or `wallet-exists`.
 */
export async function createWallet(path: string, params: Params, words?: string): Promise<CreatedWallet> {
  const seed = words === undefined ? createWords() : parseWords(words)
  const keys = await deriveKeys(seed, params.chain)
  const network = toHex(networkId(params))
  await createWalletFile(path, {
    version: 1,
    network,
    chain: params.chain,
    words: seed,
    sends: [],
    deposits: [],
    publications: [],
  })
  return { words: seed, addresses: addressesOf(keys, params.chain) }
}

/** What can be said without a node. @throws WalletError `no-wallet` or `wallet-damaged`. */
export async function readAddresses(path: string): Promise<Addresses> {
  const { words, chain } = await readWalletFile(path)
  return addressesOf(await deriveKeys(parseWords(words), chain), chain)
}

/**
 * Opens a wallet beside a node of its network. The node's word is not taken for which network that is: the
 * parameters it gives must hash to the id in the file.
 * @throws WalletError `no-wallet`, `wallet-damaged` or `wrong-network`; ApiError when the node does not answer.
 */
export async function openWallet(path: string, client: Client): Promise<Wallet> {
  const { words, chain, network: expected } = await readWalletFile(path)
  const { params } = await client.params()
  const network = networkId(params)
  if (toHex(network) !== expected) {
    throw new WalletError(
      `The wallet ${path} belongs to the network ${expected.slice(0, 16)}…, the node at ${client.baseUrl} to ${toHex(network).slice(0, 16)}…. Use a node of the wallet’s network.`,
      { code: 'wrong-network', details: { wallet: expected, node: toHex(network) } },
    )
  }
  return { path, keys: await deriveKeys(parseWords(words), chain), params, network, client }
}

export function readContent(wallet: Wallet): Promise<WalletContent> {
  return readWalletFile(wallet.path)
}

export function changeContent(
  wallet: Wallet,
  change: (content: WalletContent) => WalletContent,
): Promise<WalletContent> {
  return changeWalletFile(wallet.path, change)
}
