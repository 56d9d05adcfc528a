import { Command } from 'commander'
import type { Environment } from '../options.ts'
import { evidenceCommand } from './bond/evidence.ts'
import { returnCommand } from './bond/return.ts'
import { setupCommand } from './bond/setup.ts'
import { slashCommand } from './bond/slash.ts'
import { statusCommand } from './bond/status.ts'

export function bondCommand(environment: Environment): Command {
  return new Command('bond')
    .description("the sequencer's stake, which Bitcoin takes when it signs two things for one slot")
    .addCommand(setupCommand(environment))
    .addCommand(statusCommand(environment))
    .addCommand(returnCommand(environment))
    .addCommand(evidenceCommand(environment))
    .addCommand(slashCommand(environment))
    .addHelpText(
      'after',
      `
Examples:
  kedge bond status                                     what stands behind the sequencer's word
  kedge bond setup --config sequencer.toml              the operator stakes, with all watchers
  kedge bond slash --evidence a.receipt --evidence b.receipt --to bc1p… --config slash.toml
                                                        anybody takes the stake of one that lied`,
    )
}
