import { type PaymentStatus, readStatus } from '@kedge/wallet'
import type { Command } from 'commander'
import { printAmount } from '../../amount.ts'
import type { Environment } from '../../options.ts'
import { answer, columns } from '../../output.ts'
import { parsePaymentId } from '../../payment-id.ts'
import { RESUME_HINT } from '../../unplaced.ts'
import { openConfigured, walletSubcommand } from '../../wallet-command.ts'

const MARKS = { holds: '✓', fails: '✗', unchecked: '?' } as const

export function statusCommand(environment: Environment): Command {
  const command = walletSubcommand('status', {
    description: 'where on the ladder a payment stands, with its proof checked here; exit status 1 if a check fails',
    examples: ['status 5f…c2 --wallet alice.json', 'status 5f…c2 --config wallet.toml --json'],
  })
  return command
    .alias('verify')
    .argument('<PAYMENT>', 'its id, as send prints it', parsePaymentId)
    .action(async (id: string) => {
      const { wallet, rpc } = await openConfigured(command, environment)
      const status = await readStatus(wallet, id, rpc)
      answer(command, status, () => print(status))
      if (!status.holds) process.exitCode = 1
    })
}

function print({ id, rung, reason, batch, index, depth, transfer, memo, checks, holds }: PaymentStatus): string[] {
  const facts: (readonly [string, string])[] = [
    ['payment', id],
    ['rung', reason === undefined ? rung : `${rung}: ${reason}`],
  ]
  if (batch !== undefined) facts.push(['place', `operation ${index} of batch ${batch}`])
  if (depth !== undefined) facts.push(['depth', `${depth} ${depth === 1 ? 'block' : 'blocks'}`])
  if (transfer !== undefined)
    facts.push(['amount', printAmount(transfer.amount)], ['to', Buffer.from(transfer.to).toString('hex')])
  if (memo !== undefined) facts.push(['memo', memo])
  const seen = checks.map(({ name, verdict, note }) => [`${MARKS[verdict]} ${name}`, note] as const)
  const verdict = holds ? [] : ['', 'A check FAILED: do not rely on this payment.']
  const hint = rung === 'dropped' ? ['', RESUME_HINT] : []
  return [...columns(facts), ...(seen.length > 0 ? ['', ...columns(seen)] : []), ...verdict, ...hint]
}
