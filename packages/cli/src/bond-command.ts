import { Command } from 'commander'
import { ConfigError } from './config-error.ts'
import { confirm } from './confirm.ts'
import { addSettings } from './options.ts'
import type { Settings } from './setting.ts'

export interface BondCommandText {
  readonly description: string
  readonly examples: readonly string[]
}

/** A command on the bond: its settings, --json, --yes where it does something, and examples. */
export function bondSubcommand(
  name: string,
  { description, examples }: BondCommandText,
  settings: Settings,
  acts = true,
): Command {
  const command = new Command(name).description(description).option('--json', 'one JSON value on standard output')
  if (acts) command.option('--yes', 'do it without asking')
  const lines = examples.map((example) => `  kedge bond ${example}`)
  return addSettings(command, settings).addHelpText('after', `\nExamples:\n${lines.join('\n')}`)
}

/** Says what comes of a command that acts, and goes on when that is agreed to. @throws ConfigError where it is not */
export async function agree(command: Command, consequences: readonly string[]): Promise<void> {
  const isAgreed = await confirm(command.opts<{ yes?: boolean }>().yes === true, consequences)
  if (!isAgreed) throw new ConfigError('nothing was done')
}
