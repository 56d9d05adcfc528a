import { networkId } from '@kedge/core'
import type { Command } from 'commander'
import { bondSubcommand } from '../../bond-command.ts'
import { newDocumentFile } from '../../document-file.ts'
import { readParams } from '../../node-options.ts'
import { configOf, type Environment } from '../../options.ts'
import { answer } from '../../output.ts'
import { readPromise } from '../../promise-file.ts'
import { evidenceSettings } from '../../settings.ts'

export function evidenceCommand(environment: Environment): Command {
  const text = {
    description: 'keep what shows that a promise was broken: the receipt, with what was anchored in its place',
    examples: [
      'evidence rent.receipt --out rent.broken --params params.json',
      'evidence rent.receipt --out rent.json --params params.json --node https://node.example',
    ],
  }
  const command = bondSubcommand('evidence', text, evidenceSettings, false)
  return command
    .argument('<RECEIPT>', 'as receipt or send has kept it')
    .requiredOption('--out <FILE>', 'a file that is not there yet; JSON where its name ends in .json')
    .action(async (receipt: string, { out }: { out: string }) => {
      const config = configOf(command, evidenceSettings, environment)
      const params = readParams(config.params)
      const shown = await readPromise(params, config.node, receipt)
      newDocumentFile(out).write({ kind: 'broken-promise', network: networkId(params), ...shown })
      answer(command, { file: out }, () => [
        `what is shown is in ${out}`,
        'Whether the promise was broken is for the watchers to judge, by their own chain: kedge bond slash --promise.',
      ])
    })
}
