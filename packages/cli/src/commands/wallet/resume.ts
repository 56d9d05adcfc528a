import { resumeDeposits, resumeSends } from '@kedge/wallet'
import type { Command } from 'commander'
import type { Environment } from '../../options.ts'
import { answer } from '../../output.ts'
import { openConfigured, walletSubcommand } from '../../wallet-command.ts'

export function resumeCommand(environment: Environment): Command {
  const command = walletSubcommand('resume', {
    description: 'send again what an earlier run may not have: payments, and deposits where a bitcoind is configured',
    examples: ['resume --wallet alice.json', 'resume --config wallet.toml --json'],
  })
  return command.action(async () => {
    const { wallet, rpc } = await openConfigured(command, environment)
    if (rpc !== undefined) await resumeDeposits(wallet, rpc)
    const sends = await resumeSends(wallet)
    answer(command, { sends }, () => {
      const lines = sends.map(({ id, rung, reason }) => `${id} ${reason === undefined ? rung : `${rung}: ${reason}`}`)
      return lines.length === 0 ? ['nothing was left to send'] : lines
    })
  })
}
