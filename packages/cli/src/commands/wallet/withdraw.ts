import {
  findRecentWithdrawal,
  quoteWithdrawal,
  readTold,
  type SentWithdrawal,
  type WithdrawalQuote,
  withdraw,
} from '@kedge/wallet'
import type { Command } from 'commander'
import { parseAmount, parseSats, printAmount, printSats } from '../../amount.ts'
import { confirm } from '../../confirm.ts'
import { addIntent, type IntentOptions, intentOf, mayRepeat, REPEAT_NOTE } from '../../intent.ts'
import type { Environment } from '../../options.ts'
import { answer, columns } from '../../output.ts'
import { openConfigured, walletSubcommand } from '../../wallet-command.ts'

interface WithdrawOptions extends IntentOptions {
  readonly payoutFee?: bigint
  readonly fee?: bigint
  readonly yes?: boolean
  readonly quote?: boolean
}

export function withdrawCommand(environment: Environment): Command {
  const command = walletSubcommand('withdraw', {
    description: 'take bitcoin out to any address; says what it costs and when it is paid before it asks',
    examples: [
      'withdraw 50000sat bc1q…9x --wallet alice.json',
      'withdraw 0.001btc bc1p…7d --payout-fee 800sat --yes --config wallet.toml --json',
      'withdraw 50000sat bc1q…9x --quote --wallet alice.json',
    ],
  })
  return addIntent(command, 'withdrawal')
    .argument('<AMOUNT>', 'that leaves the account, with its unit: 50000sat or 0.001btc', parseSats)
    .argument('<ADDRESS>', 'to be paid on Bitcoin: P2PKH, P2SH, P2WPKH, P2WSH or P2TR')
    .option(
      '--payout-fee <AMOUNT>',
      "the most that its share of the payout's fee may take of it; twice the present rate without it",
      parseSats,
    )
    .option('--fee <AMOUNT>', "for the sequencer; the network's minimum without it", parseAmount)
    .option('--yes', 'do not ask')
    .option('--quote', 'only say what it costs, and when it is paid')
    .action(async (sats: bigint, address: string, options: WithdrawOptions) => {
      const { wallet, rpc } = await openConfigured(command, environment)
      const { fee, payoutFee, yes = false } = options
      const request = { address, sats, ...(fee !== undefined && { fee }) }
      const limited = payoutFee === undefined ? request : { ...request, payoutFee }
      const told = await readTold(wallet.path)
      const quote = await quoteWithdrawal(wallet, limited, rpc)
      if (options.quote) return answer(command, quote, () => printQuote(quote))
      if (!(await mayRepeat(options, 'withdrawal', () => findRecentWithdrawal(wallet, request))))
        return answer(command, { done: false }, () => ['nothing was done'])
      if (!(await confirm(yes, printQuote(quote)))) return answer(command, { done: false }, () => ['nothing was done'])
      const sent = await withdraw(wallet, { ...request, ...intentOf(options), told, payoutFee: quote.payoutFee })
      return answer(command, { ...sent, payableAt: quote.payableAt }, () => printSent(sent, quote))
    })
}

function printQuote(quote: WithdrawalQuote): string[] {
  return columns([
    ...termRows(quote),
    [
      'paid',
      `from height ${quote.payableAt} on, ${quote.payableAt - quote.height} blocks from now, if the next block anchors it`,
    ],
  ])
}

function printSent(sent: SentWithdrawal, { payableAt }: WithdrawalQuote): string[] {
  return columns([
    ['withdrawal', sent.id],
    ['rung', sent.rung],
    ...termRows(sent),
    ...(sent.isRepeat ? [['repeat', REPEAT_NOTE] as const] : []),
    ['paid', `from height ${payableAt} on, if the next block anchors it; wallet status tells`],
  ])
}

function termRows({
  address,
  sats,
  fee,
  payoutFee,
  arrives,
}: Pick<SentWithdrawal, 'address' | 'sats' | 'fee' | 'payoutFee' | 'arrives'>): (readonly [string, string])[] {
  return [
    ['amount', printSats(sats)],
    ['to', address],
    ['fee', `${printAmount(fee)} for the sequencer, on top`],
    ['payout', `up to ${printSats(payoutFee)} of the amount, so that ${printSats(arrives)} arrive at least`],
  ]
}
