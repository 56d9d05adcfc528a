import { type Refund, refund } from '@kedge/wallet'
import type { Command } from 'commander'
import { printSats } from '../../amount.ts'
import { ConfigError } from '../../config-error.ts'
import { parseRate } from '../../fee-rate.ts'
import { parseTxid } from '../../hex-ids.ts'
import type { Environment } from '../../options.ts'
import { answer } from '../../output.ts'
import { openConfigured, walletSubcommand } from '../../wallet-command.ts'

export function refundCommand(environment: Environment): Command {
  const command = walletSubcommand('refund', {
    description: 'take back deposits that nobody moved into the vault in time; nobody else has to agree',
    examples: ['refund --config wallet.toml', 'refund 8f…31 --fee-rate 5 --config wallet.toml --json'],
  })
  return command
    .argument(
      '[TXID]',
      "the deposit's transaction, as deposit prints it; all that can be taken back without it",
      parseTxid,
    )
    .option('--fee-rate <N>', "sat/vB; bitcoind's estimate without it", parseRate)
    .action(async (txid: string | undefined, { feeRate }: { feeRate?: number }) => {
      const { wallet, rpc } = await openConfigured(command, environment)
      if (rpc === undefined) throw new ConfigError('a refund needs a bitcoind: set bitcoin.url and its login')
      const request = { ...(txid !== undefined && { txid }), ...(feeRate !== undefined && { feeRate }) }
      const refunds = await refund(wallet, rpc, request)
      answer(command, refunds, () => refunds.map(printRefund))
    })
}

function printRefund({ txid, deposit, sats, fee }: Refund): string {
  return `deposit ${deposit} of ${printSats(sats)} taken back to this wallet, for a fee of ${printSats(fee)}: transaction ${txid}`
}
