import { availableParallelism } from 'node:os'
import type { Rpc, RpcLogin } from '@kedge/bitcoin'
import { z } from 'zod'
import { ConfigError } from './config-error.ts'
import { type Configured, choice, fallback, filled, list, onOff, optional, path, text, url, whole } from './setting.ts'

/** What each command can be told. The keys, schemas and words here make the TOML files, the variables and the flags. */

const MAX_PORT = 65_535
const WEEK_MS = 7 * 24 * 3_600_000

const multiaddr = z.string().regex(/^\/[^\s,]{1,250}$/, 'must be multiaddrs, such as /ip4/127.0.0.1/tcp/4001')
const origin = z.url({ protocol: /^https?$/, error: 'must be web origins, such as https://wallet.example' })

const bitcoin = {
  'bitcoin.cookie-file': optional(path('FILE', 'login to bitcoind by the cookie that it writes')),
  'bitcoin.user': optional(text('NAME', 'login to bitcoind by name', filled('must be a name'))),
  'bitcoin.password': optional(text('TEXT', 'password of that name', filled('must be a password'))),
  'bitcoin.timeout-ms': fallback(whole('N', 'milliseconds that a call may take', [100, WEEK_MS]), 30_000),
}

const node = {
  params: path('FILE', "the network's parameters, params.json"),
  keys: path('FILE', "the node's secrets, made by kedge keys new"),
  data: path('FOLDER', 'its database; made when missing'),
  'bitcoin.url': url('URL', "bitcoind's RPC, such as http://127.0.0.1:8332"),
  ...bitcoin,
  'p2p.listen': fallback(list('ADDRESS', 'multiaddrs to listen on', multiaddr), ['/ip4/0.0.0.0/tcp/4001']),
  'p2p.bootstrap': fallback(list('ADDRESS', 'multiaddrs of nodes to stay connected to', multiaddr), []),
  'api.host': fallback(text('HOST', 'address that the HTTP API listens on', filled('must be an address')), '127.0.0.1'),
  'api.port': fallback(whole('N', 'its port; 0 takes a free one', [0, MAX_PORT]), 8780),
  'api.origins': fallback(list('ORIGIN', 'web origins that may call it from a browser', origin), []),
  workers: fallback(whole('N', 'threads that check signatures', [1, 64]), Math.max(1, availableParallelism() - 1)),
  'max-fee-rate': fallback(whole('N', 'sat/vB paid to Bitcoin at most', [1, 10_000]), 100),
  'log-level': fallback(
    choice('how much is logged', ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']),
    'info',
  ),
  'allow-off-regtest': fallback(onOff('start on a chain other than regtest, knowing what is not built yet'), false),
}

export const challengerSettings = node

export const sequencerSettings = {
  ...node,
  keys: path('FILE', "the node's secrets, made by kedge keys new; FILE.slots beside it says what was signed last"),
  'seal-after-ms': fallback(whole('N', 'milliseconds that a batch stays open for transfers', [10, WEEK_MS]), 1000),
  'sign-alone': fallback(
    onOff('sign after a start also where no peer answers: from an older copy of the disk that gives the slot key away'),
    false,
  ),
}

export const walletSettings = {
  wallet: fallback(path('FILE', "the wallet's file"), 'kedge-wallet.json'),
  node: fallback(url('URL', "a node's HTTP API"), 'http://127.0.0.1:8780'),
  'bitcoin.url': optional(url('URL', "bitcoind's RPC; deposits need one, the others check more with one")),
  ...bitcoin,
  // Somebody waits for it.
  'bitcoin.timeout-ms': fallback(whole('N', 'milliseconds that a call may take', [100, WEEK_MS]), 10_000),
}

/** What a bond is looked at with. */
export const statusSettings = { node: walletSettings.node }

/** What slashing takes. */
export const slashSettings = {
  params: node.params,
  node: walletSettings.node,
  'bitcoin.url': node['bitcoin.url'],
  ...bitcoin,
  'p2p.bootstrap': node['p2p.bootstrap'],
  'max-fee-rate': node['max-fee-rate'],
}

/** What evidence of a broken promise is made with. */
export const evidenceSettings = { params: node.params, node: walletSettings.node }

/** What a receipt is checked by. */
export const receiptSettings = { params: node.params }

export const proofSettings = {
  params: node.params,
  'bitcoin.url': optional(
    url('URL', "bitcoind's RPC, which knows the blocks; without one, name a block by --checkpoint"),
  ),
  ...bitcoin,
}

/** Every key of any command: a variable that none knows is a mistake, one that another knows is not. */
export const everyKey: readonly string[] = [...Object.keys(sequencerSettings), ...Object.keys(walletSettings)]

export type NodeConfig = Configured<typeof challengerSettings>
export type SequencerConfig = Configured<typeof sequencerSettings>
export type SlashConfig = Configured<typeof slashSettings>
export type WalletConfig = Configured<typeof walletSettings>

type BitcoinConfig = Configured<typeof bitcoin>

/** @throws ConfigError unless there is exactly one way to log in. */
export function rpcAt(url: string, config: BitcoinConfig): Rpc {
  return { url, login: loginOf(config), timeoutMs: config['bitcoin.timeout-ms'] }
}

function loginOf(config: BitcoinConfig): RpcLogin {
  const { 'bitcoin.cookie-file': cookieFile, 'bitcoin.user': user, 'bitcoin.password': password } = config
  if (cookieFile !== undefined && user === undefined && password === undefined) return { cookieFile }
  if (cookieFile === undefined && user !== undefined && password !== undefined) return { user, password }
  throw new ConfigError('bitcoin.url needs a login: either bitcoin.cookie-file, or bitcoin.user and bitcoin.password')
}
