import { runCommand, sequencerCommand } from '@kedge/cli'
import { startSequencer } from '@kedge/sequencer'

/** The sequencer as `kedge sequencer` starts it, but that it checks no signatures: to measure everything else. */
const command = sequencerCommand(process.env, (options) =>
  startSequencer({ ...options, verifier: { engine: 'none', benchmarkOnly: true } }),
)

await runCommand(command, process.argv.slice(2))
