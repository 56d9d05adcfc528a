import type { RunningNode } from '@kedge/node'
import type { SequencerOptions } from '@kedge/sequencer'
import { Command } from 'commander'
import { sequencerOptions } from '../node-options.ts'
import { addSettings, configOf, type Environment } from '../options.ts'
import { runNode } from '../run-node.ts'
import { sequencerSettings } from '../settings.ts'

type Start = (options: SequencerOptions) => Promise<RunningNode>

/** Nodes are loaded when one is started: libp2p and all the rest would make every other command slow. */
const loadAndStart: Start = async (options) => (await import('@kedge/sequencer')).startSequencer(options)

/** @param start the test network's lying sequencer is started by another function; everything else is the same */
export function sequencerCommand(environment: Environment, start = loadAndStart): Command {
  const command = new Command('sequencer').description('order transfers into batches and anchor them in Bitcoin')
  return addSettings(command, sequencerSettings)
    .addHelpText(
      'after',
      `
Examples:
  kedge sequencer --config sequencer.toml
  KEDGE_LOG_LEVEL=debug kedge sequencer --config sequencer.toml --api-port 8790
  NODE_OPTIONS=--max-semi-space-size=64 kedge sequencer --config sequencer.toml   # under much load: less time for garbage`,
    )
    .action(async () => {
      const options = sequencerOptions(configOf(command, sequencerSettings, environment))
      process.exitCode = await runNode(options, start)
    })
}
