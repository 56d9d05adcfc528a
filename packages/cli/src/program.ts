import type { WalletErrorCode } from '@kedge/wallet'
import { Command, CommanderError } from 'commander'
import { ConfigError } from './config-error.ts'
import type { Environment } from './options.ts'
import { toJson } from './output.ts'

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

/** What can be called, in help's order. A command is loaded when it is called: others' libraries would make it slow. */
const COMMANDS: Readonly<Record<string, (environment: Environment) => Promise<Command>>> = {
  sequencer: async (environment) => (await import('./commands/sequencer.ts')).sequencerCommand(environment),
  challenger: async (environment) => (await import('./commands/challenger.ts')).challengerCommand(environment),
  bond: async (environment) => (await import('./commands/bond.ts')).bondCommand(environment),
  keys: async () => (await import('./commands/keys.ts')).keysCommand(),
  wallet: async (environment) => (await import('./commands/wallet.ts')).walletCommand(environment),
  regtest: async () => (await import('./commands/regtest.ts')).regtestCommand(),
}

/** @param args what is called: the program has the command that they begin with, or where they begin with none, all */
export async function kedgeProgram(
  environment: Environment,
  version: string,
  [name = '']: readonly string[] = [],
): Promise<Command> {
  const program = new Command('kedge')
    .description('An optimistic rollup for payments, anchored in Bitcoin.')
    .version(version)
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
  const loaders = Object.hasOwn(COMMANDS, name) ? [COMMANDS[name]] : Object.values(COMMANDS)
  for (const load of loaders) if (load !== undefined) program.addCommand(await load(environment))
  return program
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
    process.exitCode = await report(error, args.includes('--json'))
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

async function report(error: unknown, asJson: boolean): Promise<number> {
  // commander has said it already.
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : MISUSED
  const { isMisuse = false, ...known } = await describe(error)
  if (asJson) process.stdout.write(`${toJson({ error: known })}\n`)
  else process.stderr.write(`kedge: ${known.message}\n`)
  return isMisuse ? MISUSED : FAILED
}

interface Described {
  readonly code: string
  readonly message: string
  readonly details?: Readonly<Record<string, string | number>>
  readonly isMisuse?: boolean
}

async function describe(error: unknown): Promise<Described> {
  if (error instanceof ConfigError) return { code: 'bad-config', message: error.message, isMisuse: true }
  // Loaded here, where something failed: what threw one of them has loaded it before.
  const [{ ApiError }, { RpcError, RpcUnreachableError }, { RegtestError }, { WalletError }] = await Promise.all([
    import('@kedge/api'),
    import('@kedge/bitcoin'),
    import('./regtest-control.ts'),
    import('@kedge/wallet'),
  ])
  if (error instanceof WalletError) {
    const { code, message, details } = error
    return { code, message, details, isMisuse: TYPED_WRONGLY.has(code) }
  }
  if (error instanceof ApiError) {
    const { code, message, details } = error
    return { code, message, details }
  }
  if (error instanceof RpcError) return { code: 'bitcoind-refused', message: `bitcoind refuses: ${error.message}` }
  if (error instanceof RpcUnreachableError)
    return { code: 'bitcoind-unreachable', message: `bitcoind does not answer: ${error.message}` }
  if (error instanceof RegtestError) return { code: 'regtest', message: error.message }
  return { code: 'internal', message: error instanceof Error ? (error.stack ?? error.message) : String(error) }
}
