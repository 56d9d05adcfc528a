import { deposit } from '@kedge/wallet'
import type { Command } from 'commander'
import { parseSats, printAmount, printSats } from '../../amount.ts'
import { ConfigError } from '../../config-error.ts'
import { parseRate } from '../../fee-rate.ts'
import type { Environment } from '../../options.ts'
import { answer } from '../../output.ts'
import { openConfigured, walletSubcommand } from '../../wallet-command.ts'

export function depositCommand(environment: Environment): Command {
  const command = walletSubcommand('deposit', {
    description: "pay bitcoin from the wallet's address into the vault, to be credited on the rollup",
    examples: ['deposit 100000sat --config wallet.toml', 'deposit 0.001btc --fee-rate 5 --config wallet.toml --json'],
  })
  return command
    .argument('<AMOUNT>', 'with its unit: 100000sat or 0.001btc', parseSats)
    .option('--fee-rate <N>', "sat/vB; bitcoind's estimate without it", parseRate)
    .action(async (sats: bigint, { feeRate }: { feeRate?: number }) => {
      const { wallet, rpc } = await openConfigured(command, environment)
      if (rpc === undefined) throw new ConfigError('a deposit needs a bitcoind: set bitcoin.url and its login')
      const sent = await deposit(wallet, rpc, feeRate === undefined ? { sats } : { sats, feeRate })
      answer(command, sent, () => [
        `deposit of ${printSats(sent.sats)} sent to Bitcoin, for a fee of ${printSats(sent.fee)}: transaction ${sent.txid}`,
        `It is credited by the first batch that may, once it is ${wallet.params.windows.originDepth + 1} blocks deep.`,
        `Of it ${printSats(wallet.params.fees.deposit)} pay for moving it into the vault, and ${printAmount(wallet.params.fees.cell)} for the account where it is the wallet's first money.`,
      ])
    })
}
