import { type Command, InvalidArgumentError } from 'commander'
import { bondSubcommand } from '../../bond-command.ts'
import type { Environment } from '../../options.ts'
import { slashSettings } from '../../settings.ts'

export interface SlashOptions {
  readonly to: string
  readonly evidence?: readonly string[]
  readonly batch?: number
  readonly promise?: string
}

export function slashCommand(environment: Environment): Command {
  const text = {
    description: 'slash the sequencer’s bond: by two messages for one slot, or by the word of enough watchers',
    examples: [
      'slash --evidence one.receipt --evidence other.receipt --to bc1p… --config slash.toml',
      'slash --promise rent.receipt --to bc1p… --p2p-bootstrap /dns4/watcher.example/tcp/4001 --config slash.toml',
      'slash --batch 17 --to bc1p… --p2p-bootstrap /dns4/watcher.example/tcp/4001 --config slash.toml --yes',
    ],
  }
  const command = bondSubcommand('slash', text, slashSettings)
  return command
    .requiredOption('--to <ADDRESS>', 'where what is not forfeited goes')
    .option('--evidence <FILE>', 'a receipt, or JSON with message and signature; twice', collect)
    .option(
      '--promise <FILE>',
      'a receipt that was not kept, or a broken promise: the watchers are asked for their word',
    )
    .option('--batch <NUMBER>', 'a batch that is void for a lie: the watchers are asked for their word', parseNumber)
    .action(async (options: SlashOptions) =>
      (await import('../../bond/slash.ts')).slashBond(command, environment, options),
    )
}

function collect(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, value]
}

function parseNumber(text: string): number {
  if (!/^[0-9]{1,9}$/.test(text)) throw new InvalidArgumentError('It must be the number of a batch.')
  return Number(text)
}
