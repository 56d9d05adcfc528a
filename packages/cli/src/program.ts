import { ApiError } from '@kedge/api'
import { RpcError, RpcUnreachableError } from '@kedge/bitcoin'
import { WalletError, type WalletErrorCode } from '@kedge/wallet'
import { Command, CommanderError } from 'commander'
import { bondCommand } from './commands/bond.ts'
import { challengerCommand } from './commands/challenger.ts'
import { keysCommand } from './commands/keys.ts'
import { regtestCommand } from './commands/regtest.ts'
import { sequencerCommand } from './commands/sequencer.ts'
import { walletCommand } from './commands/wallet.ts'
import { ConfigError } from './config-error.ts'
import type { Environment } from './options.ts'
import { toJson } from './output.ts'
import { RegtestError } from './regtest-control.ts'

/** Exit codes: 0 it is done, 1 it failed, 2 it was asked or configured wrongly. */
const FAILED = 1
const MISUSED = 2

/** What no other network, time or balance would make right. */
const TYPED_WRONGLY = new Set<WalletErrorCode>([
  'bad-words',
  'bad-recipient',
  'bad-address',
  'bad-amount',
  'bad-expiry',
  'bad-memo',
])

export function kedgeProgram(environment: Environment, version: string): Command {
  return new Command('kedge')
    .description('An optimistic rollup for payments, anchored in Bitcoin.')
    .version(version)
    .addCommand(sequencerCommand(environment))
    .addCommand(challengerCommand(environment))
    .addCommand(bondCommand(environment))
    .addCommand(keysCommand())
    .addCommand(walletCommand(environment))
    .addCommand(regtestCommand())
    .addHelpText(
      'after',
      `
Examples:
  kedge regtest up                                      a whole network on this machine
  kedge wallet create --wallet alice.json               a wallet on it
  kedge keys new keys.json --role challenger            secrets for a node of your own
  kedge challenger --config challenger.toml             and the node

Exit status: 0 it is done, 1 it failed, 2 it was asked or configured wrongly.`,
    )
}

/**
 * Runs a command line, and says on standard error what keeps it from being done; with --json, as JSON on standard output.
 * The process ends with it, once that is written.
 */
export async function runCommand(command: Command, args: readonly string[]): Promise<void> {
  prepare(command)
  try {
    refuseNegative(args)
    await command.parseAsync(args, { from: 'user' })
  } catch (error) {
    process.exitCode = report(error, args.includes('--json'))
  }
  // libp2p leaves a timer behind when it is stopped, for which the process would live another second.
  process.stdout.write('', () => process.exit())
}

/** It would be taken for an option. @throws ConfigError */
function refuseNegative(args: readonly string[]): void {
  const negative = args.find((arg) => /^-[0-9][0-9.]* ?(msat|sat|btc)$/i.test(arg))
  if (negative !== undefined) throw new ConfigError(`${negative}: an amount can't be negative`)
}

/** A subcommand that was made by itself inherits nothing. */
function prepare(command: Command): void {
  command.exitOverride().showHelpAfterError('Add --help to see how it is used.')
  for (const subcommand of command.commands) prepare(subcommand)
}

function report(error: unknown, asJson: boolean): number {
  // commander has said it already.
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : MISUSED
  const known = describe(error)
  if (asJson) process.stdout.write(`${toJson({ error: known })}\n`)
  else process.stderr.write(`kedge: ${known.message}\n`)
  return error instanceof ConfigError || (error instanceof WalletError && TYPED_WRONGLY.has(error.code))
    ? MISUSED
    : FAILED
}

interface Described {
  readonly code: string
  readonly message: string
  readonly details?: Readonly<Record<string, string | number>>
}

function describe(error: unknown): Described {
  if (error instanceof WalletError || error instanceof ApiError) {
    const { code, message, details } = error
    return { code, message, details }
  }
  if (error instanceof ConfigError) return { code: 'bad-config', message: error.message }
  if (error instanceof RpcError) return { code: 'bitcoind-refused', message: `bitcoind refuses: ${error.message}` }
  if (error instanceof RpcUnreachableError)
    return { code: 'bitcoind-unreachable', message: `bitcoind does not answer: ${error.message}` }
  if (error instanceof RegtestError) return { code: 'regtest', message: error.message }
  return { code: 'internal', message: error instanceof Error ? (error.stack ?? error.message) : String(error) }
}
