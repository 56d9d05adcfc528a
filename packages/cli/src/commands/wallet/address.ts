import { readAddresses } from '@kedge/wallet'
import type { Command } from 'commander'
import type { Environment } from '../../options.ts'
import { answer, columns } from '../../output.ts'
import { walletConfig, walletSubcommand } from '../../wallet-command.ts'

export function addressCommand(environment: Environment): Command {
  const command = walletSubcommand('address', {
    description: 'where to pay this wallet, on the rollup and on Bitcoin; asks no node',
    examples: ['address --wallet alice.json', 'address --wallet alice.json --json'],
  })
  return command.action(async () => {
    const addresses = await readAddresses(walletConfig(command, environment).wallet)
    const { rollup, bitcoin } = addresses
    answer(command, addresses, () =>
      columns([
        ['rollup', rollup],
        ['bitcoin', bitcoin],
      ]),
    )
  })
}
