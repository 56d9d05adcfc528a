import type { Command } from 'commander'
import { bondSubcommand } from '../../bond-command.ts'
import type { Environment } from '../../options.ts'
import { sequencerSettings } from '../../settings.ts'

export function returnCommand(environment: Environment): Command {
  const text = {
    description: 'take bonds back whose T blocks are over, without anybody else',
    examples: ['return --config sequencer.toml', 'return --config sequencer.toml --yes --json'],
  }
  const command = bondSubcommand('return', text, sequencerSettings)
  return command.action(async () => (await import('../../bond/return.ts')).returnBonds(command, environment))
}
