import { createClient } from '@kedge/api'
import type { Rpc } from '@kedge/bitcoin'
import { openWallet, type Wallet } from '@kedge/wallet'
import { Command } from 'commander'
import { addSettings, configOf, type Environment } from './options.ts'
import { patientFetch } from './patient-fetch.ts'
import type { Settings } from './setting.ts'
import { rpcAt, type WalletConfig, walletSettings } from './settings.ts'

export interface WalletCommandText {
  readonly description: string
  readonly examples: readonly string[]
}

/** A command on a wallet, or on what one has kept: its settings, --json, and examples. */
export function walletSubcommand(
  name: string,
  { description, examples }: WalletCommandText,
  settings: Settings = walletSettings,
): Command {
  const command = new Command(name).description(description).option('--json', 'one JSON value on standard output')
  const lines = examples.map((example) => `  kedge wallet ${example}`)
  return addSettings(command, settings).addHelpText('after', `\nExamples:\n${lines.join('\n')}`)
}

export function walletConfig(command: Command, environment: Environment): WalletConfig {
  return configOf(command, walletSettings, environment)
}

export interface OpenedWallet {
  readonly wallet: Wallet
  /** Where a bitcoind is configured. */
  readonly rpc?: Rpc
}

/** The wallet's file beside the node that is asked. @throws ConfigError, WalletError, ApiError */
export async function openConfigured(command: Command, environment: Environment): Promise<OpenedWallet> {
  const config = walletConfig(command, environment)
  const url = config['bitcoin.url']
  const wallet = await openWallet(config.wallet, createClient(config.node, { fetch: patientFetch }))
  return url === undefined ? { wallet } : { wallet, rpc: rpcAt(url, config) }
}
