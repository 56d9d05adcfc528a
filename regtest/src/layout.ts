import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { publicKeyOf, type Rpc } from '@kedge/bitcoin'
import { createKeys, type Keys, type KeysRole, readKeys } from '@kedge/cli'
import {
  anchorScript,
  type BondParams,
  type Outpoint,
  type Params,
  paramsFromJson,
  paramsToJson,
  regtestRules,
  vaultScript,
  ZERO_HASH,
} from '@kedge/core'

/** The files of a network's data folder. */

const WATCHERS = 3

/** Watchers that must sign: two, where there are so many challengers. */
export function thresholdOf(challengers: number): number {
  return Math.min(2, Math.max(1, challengers))
}

export function bitcoindFolder(folder: string): string {
  return join(folder, 'bitcoind')
}

export function walletsFolder(folder: string): string {
  return join(folder, 'wallets')
}

function paramsFile(folder: string): string {
  return join(folder, 'params.json')
}

/** The folder of a node, made with fresh keys when it is not there. */
export function nodeFolder(folder: string, name: string, role: KeysRole): string {
  const own = join(folder, name)
  mkdirSync(own, { recursive: true })
  if (!existsSync(keysFile(own))) createKeys(keysFile(own), role)
  return own
}

export function nodeKeys(ownFolder: string): Keys {
  return readKeys(keysFile(ownFolder))
}

function keysFile(ownFolder: string): string {
  return join(ownFolder, 'keys.json')
}

/** Undefined in a folder that holds no network yet. */
export function readParams(folder: string): Params | undefined {
  const file = paramsFile(folder)
  return existsSync(file) ? paramsFromJson(JSON.parse(readFileSync(file, 'utf8'))) : undefined
}

/** Last of all that a network is made of: where this file is, the rest is there too. */
export function writeParams(folder: string, params: Params): void {
  const fresh = `${paramsFile(folder)}.new`
  writeFileSync(fresh, `${JSON.stringify(paramsToJson(params), null, 2)}\n`, { flush: true })
  renameSync(fresh, paramsFile(folder))
}

/** The two outputs that a network begins with. */
export interface Beginnings {
  readonly genesis: Outpoint
  readonly vault: Params['vault']
}

/** Satoshis of the first link, which pays for anchors for a long time, and of the vault's first output. */
const GENESIS_VALUE = 10_000_000n
const VAULT_VALUE = 10_000n

/** Pays them, to the scripts of the folder's keys. @param fund pays to a script; the output is in the mempool then */
export async function payBeginnings(
  folder: string,
  threshold: number,
  fund: (script: Uint8Array, value: bigint) => Promise<Outpoint>,
): Promise<Beginnings> {
  const nowhere = { txid: ZERO_HASH, vout: 0 }
  const draft = makeParams(folder, threshold, { genesis: nowhere, vault: { ...nowhere, value: VAULT_VALUE } }, 0)
  const genesis = await fund(anchorScript(draft), GENESIS_VALUE)
  return { genesis, vault: { ...(await fund(vaultScript(draft), VAULT_VALUE)), value: VAULT_VALUE } }
}

/** What the watchers sign with: the first challengers have a key each, and the last one lies where nobody uses it. */
export function watcherSecrets(folder: string): readonly Uint8Array[] {
  const folders = Array.from({ length: WATCHERS }, (_, at) => challengerFolder(folder, `challenger-${at + 1}`))
  return folders.map((own) => {
    const { watcher } = nodeKeys(own)
    if (watcher === undefined) throw new Error(`the keys in ${own} are not a watcher's`)
    return watcher
  })
}

/** A challenger's folder. Those whose keys hold the vault get a key of it, when they are made. */
export function challengerFolder(folder: string, name: string): string {
  const isWatcher = Array.from({ length: WATCHERS }, (_, at) => `challenger-${at + 1}`).includes(name)
  return nodeFolder(folder, name, isWatcher ? 'watcher' : 'challenger')
}

/** What a network asks of a bond, beside the keys. */
export type BondTerms = Omit<BondParams, 'sequencer' | 'return'>

/** A network of the folder's keys: those of the sequencer, of the watchers, and the fees' owner's. */
export function makeParams(
  folder: string,
  threshold: number,
  { genesis, vault }: Beginnings,
  scanHeight: number,
  asked?: BondTerms,
): Params {
  const { anchor, slot, bond, return: home } = nodeKeys(nodeFolder(folder, 'sequencer', 'sequencer'))
  if (anchor === undefined || slot === undefined) throw new Error(`the keys in ${folder} are not a sequencer's`)
  const fees = nodeKeys(nodeFolder(folder, 'fee-collector', 'challenger'))
  return {
    ...regtestRules,
    genesis,
    vault,
    scanHeight,
    keys: {
      anchor: publicKeyOf(anchor),
      slot: publicKeyOf(slot),
      fees: publicKeyOf(fees.coins),
      watchers: watcherSecrets(folder).map(publicKeyOf),
      threshold,
    },
    ...(asked && bond && home && { bond: { ...asked, sequencer: publicKeyOf(bond), return: publicKeyOf(home) } }),
  }
}

/** A TOML file of settings by their keys; undefined ones are left out. JSON's texts, numbers and lists are TOML's too. */
function writeToml(file: string, settings: Readonly<Record<string, unknown>>): string {
  const lines = Object.entries(settings).filter(([, value]) => value !== undefined)
  writeFileSync(file, lines.map(([key, value]) => `${key} = ${JSON.stringify(value)}\n`).join(''))
  return file
}

export function configFile(ownFolder: string): string {
  return join(ownFolder, 'config.toml')
}

/** What a node of the network is configured with. Gives the path of its TOML file. */
export function writeNodeConfig(
  folder: string,
  ownFolder: string,
  settings: Readonly<Record<string, unknown>>,
): string {
  return writeToml(configFile(ownFolder), {
    params: paramsFile(folder),
    keys: keysFile(ownFolder),
    data: join(ownFolder, 'data'),
    ...settings,
  })
}

/** What `kedge wallet` needs to use the network. Gives the path of the TOML file. */
export function writeWalletConfig(folder: string, node: string, rpc: Rpc): string {
  return writeToml(join(folder, 'wallet.toml'), { node, ...bitcoinSettings(rpc) })
}

export function bitcoinSettings({ url, login }: Rpc): Readonly<Record<string, unknown>> {
  return { 'bitcoin.url': url, 'bitcoin.cookie-file': 'cookieFile' in login ? login.cookieFile : undefined }
}
