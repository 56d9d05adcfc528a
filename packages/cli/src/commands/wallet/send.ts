import { type SendRequest, send } from '@kedge/wallet'
import { type Command, InvalidArgumentError } from 'commander'
import { parseAmount, printAmount } from '../../amount.ts'
import type { Environment } from '../../options.ts'
import { answer, columns } from '../../output.ts'
import { openConfigured, walletSubcommand } from '../../wallet-command.ts'

interface SendOptions {
  readonly fee?: bigint
  readonly expiry?: number
  readonly memo?: string
}

export function sendCommand(environment: Environment): Command {
  const command = walletSubcommand('send', {
    description: 'pay to a rollup address',
    examples: [
      'send 02a9…f1 1500sat --wallet alice.json',
      'send 02a9…f1 20msat --memo lunch --wallet alice.json --json',
    ],
  })
  return command
    .argument('<TO>', "the recipient's rollup address")
    .argument('<AMOUNT>', 'with its unit: 1500sat, 20msat or 0.001btc', parseAmount)
    .option('--fee <AMOUNT>', "for the sequencer; the network's minimum without it", parseAmount)
    .option('--expiry <HEIGHT>', 'the last Bitcoin height at which it may be executed', parseHeight)
    .option('--memo <TEXT>', 'a note; the payment commits to it, and does not show it')
    .action(async (to: string, amount: bigint, options: SendOptions) => {
      const { wallet } = await openConfigured(command, environment)
      const sent = await send(wallet, requestOf(to, amount, options))
      answer(command, sent, () =>
        columns([
          ['payment', sent.id],
          ['rung', sent.rung],
          ['amount', printAmount(sent.amount)],
          ['fee', printAmount(sent.fee)],
          ['expiry', `height ${sent.expiry}`],
        ]),
      )
    })
}

function requestOf(to: string, amount: bigint, { fee, expiry, memo }: SendOptions): SendRequest {
  return {
    to,
    amount,
    ...(fee !== undefined && { fee }),
    ...(expiry !== undefined && { expiry }),
    ...(memo !== undefined && { memo }),
  }
}

function parseHeight(text: string): number {
  if (!/^[0-9]{1,9}$/.test(text)) throw new InvalidArgumentError('It must be a block height.')
  return Number(text)
}
