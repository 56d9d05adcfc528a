import { Command } from 'commander'
import { challengerOptions } from '../node-options.ts'
import { addSettings, configOf, type Environment } from '../options.ts'
import { runNode } from '../run-node.ts'
import { challengerSettings } from '../settings.ts'

export function challengerCommand(environment: Environment): Command {
  const command = new Command('challenger').description('check every batch, and put on Bitcoin what is wrong or hidden')
  return addSettings(command, challengerSettings)
    .addHelpText(
      'after',
      `
Examples:
  kedge challenger --config challenger.toml
  kedge challenger --config challenger.toml --p2p-bootstrap /dns4/sequencer.example/tcp/4001`,
    )
    .action(async () => {
      const options = challengerOptions(configOf(command, challengerSettings, environment))
      const { startChallenger } = await import('@kedge/challenger')
      process.exitCode = await runNode(options, startChallenger)
    })
}
