import { createInterface } from 'node:readline/promises'
import { createWallet } from '@kedge/wallet'
import type { Command } from 'commander'
import { networkParams, printWallet } from '../../new-wallet.ts'
import type { Environment } from '../../options.ts'
import { walletConfig, walletSubcommand } from '../../wallet-command.ts'

export function restoreCommand(environment: Environment): Command {
  const command = walletSubcommand('restore', {
    description: 'make a wallet again from its words, which are read from standard input',
    examples: ['restore --wallet alice.json', 'restore --wallet alice.json --params params.json < words.txt'],
  })
  return command
    .option('--params <FILE>', "the network's parameters; the node is asked without them")
    .action(async ({ params }: { params?: string }) => {
      const config = walletConfig(command, environment)
      const network = await networkParams(config, params)
      printWallet(command, config.wallet, await createWallet(config.wallet, network, await readWords()), network)
    })
}

/** One line, never from the command line: others can read that. */
async function readWords(): Promise<string> {
  const lines = createInterface({
    input: process.stdin,
    output: process.stderr,
    terminal: process.stdin.isTTY === true,
  })
  try {
    if (process.stdin.isTTY) return await lines.question('The words, in their order: ')
    for await (const line of lines) return line
    return ''
  } finally {
    lines.close()
  }
}
