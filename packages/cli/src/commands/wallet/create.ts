import { createWallet } from '@kedge/wallet'
import type { Command } from 'commander'
import { networkParams, printWallet } from '../../new-wallet.ts'
import type { Environment } from '../../options.ts'
import { walletConfig, walletSubcommand } from '../../wallet-command.ts'

export function createCommand(environment: Environment): Command {
  const command = walletSubcommand('create', {
    description: 'make a wallet, and print the words that restore it',
    examples: ['create --wallet alice.json', 'create --wallet alice.json --params params.json --json'],
  })
  return command
    .option('--params <FILE>', "the network's parameters; the node is asked without them")
    .action(async ({ params }: { params?: string }) => {
      const config = walletConfig(command, environment)
      const network = await networkParams(config, params)
      printWallet(command, config.wallet, await createWallet(config.wallet, network), network)
    })
}
