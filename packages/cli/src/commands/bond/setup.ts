import { type Command, InvalidArgumentError } from 'commander'
import { parseSats } from '../../amount.ts'
import { bondSubcommand } from '../../bond-command.ts'
import type { Environment } from '../../options.ts'
import { sequencerSettings } from '../../settings.ts'

export interface SetupOptions {
  readonly value?: bigint
  readonly returnTo?: string
  readonly timeout: number
}

const TIMEOUT_S = 120

export function setupCommand(environment: Environment): Command {
  const text = {
    description: 'sign a bond with all watchers, then fund it; where it was left off, it goes on',
    examples: [
      'setup --config sequencer.toml --p2p-bootstrap /dns4/watcher.example/tcp/4001',
      'setup --config sequencer.toml --value 0.5btc --return-to bc1p… --yes --json',
    ],
  }
  const command = bondSubcommand('setup', text, sequencerSettings)
  return command
    .option('--value <AMOUNT>', "what is staked; the network's least without it", parseSats)
    .option('--return-to <ADDRESS>', "where the bond goes in the end; the operator's bond address without it")
    .option('--timeout <SECONDS>', 'how long to wait for the watchers', parseSeconds, TIMEOUT_S)
    .action(async (options: SetupOptions) =>
      (await import('../../bond/setup.ts')).setUpBond(command, environment, options),
    )
}

function parseSeconds(text: string): number {
  const seconds = Number(text)
  if (!/^[0-9]{1,5}$/.test(text) || seconds < 1) throw new InvalidArgumentError('It must be seconds, such as 120.')
  return seconds
}
