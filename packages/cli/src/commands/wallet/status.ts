import type { Forced } from '@kedge/api'
import { addressOf } from '@kedge/bitcoin'
import { fromHex, type Params } from '@kedge/core'
import {
  type Check,
  type CheckedWithdrawal,
  type PaymentStatus,
  readForced,
  readStatus,
  readWithdrawal,
  type Wallet,
  WalletError,
} from '@kedge/wallet'
import type { Command } from 'commander'
import { printAmount, printSats } from '../../amount.ts'
import { parsePaymentId } from '../../hex-ids.ts'
import type { Environment } from '../../options.ts'
import { answer, columns } from '../../output.ts'
import { hintFor } from '../../unplaced.ts'
import { openConfigured, walletSubcommand } from '../../wallet-command.ts'

const MARKS = { holds: '✓', fails: '✗', unchecked: '?' } as const

export function statusCommand(environment: Environment): Command {
  const command = walletSubcommand('status', {
    description:
      'where on the ladder a payment or a withdrawal stands, with what can be checked checked here; exit status 1 if a check fails',
    examples: ['status 5f…c2 --wallet alice.json', 'status 5f…c2 --config wallet.toml --json'],
  })
  return command
    .alias('verify')
    .argument('<ID>', 'as send, withdraw or force prints it', parsePaymentId)
    .action(async (id: string) => {
      const { wallet, rpc } = await openConfigured(command, environment)
      const withdrawal = await readWithdrawal(wallet, id, rpc)
      if (withdrawal !== undefined) {
        answer(command, withdrawal, () => printWithdrawal(withdrawal, wallet.params))
        if (!withdrawal.holds) process.exitCode = 1
        return
      }
      const status = await unlessForced(wallet, id, () => readStatus(wallet, id, rpc))
      if ('forced' in status) return answer(command, status, () => printForced(id, status.forced))
      answer(command, status, () => print(status))
      if (!status.holds) process.exitCode = 1
    })
}

/** A payment that no sequencer took may still stand on Bitcoin, where it was forced. */
async function unlessForced(
  wallet: Wallet,
  id: string,
  read: () => Promise<PaymentStatus>,
): Promise<PaymentStatus | { readonly id: string; readonly forced: readonly Forced[] }> {
  try {
    return await read()
  } catch (error) {
    const forced = error instanceof WalletError && error.code === 'unknown-payment' ? await readForced(wallet, id) : []
    if (forced.length === 0) throw error
    return { id, forced }
  }
}

function printForced(id: string, forced: readonly Forced[]): string[] {
  return columns([['operation', id], ...forced.map(forcedRow)])
}

function forcedRow(entry: Forced): readonly [string, string] {
  const { position, rung, effect, carriedIn, carriedAt, dueFrom, lastWithout } = entry
  const where = `on Bitcoin at height ${position.height}`
  const outcome = effect === 'none' ? 'could not be executed, and is used up' : 'executed'
  if (carriedAt !== undefined) return ['forced', `${where}: by block ${carriedAt} itself, ${outcome}`]
  if (carriedIn !== undefined)
    return ['forced', `${where}: operation ${carriedIn.index} of batch ${carriedIn.batch}, ${rung}, ${outcome}`]
  const due = `due in batches that begin at height ${dueFrom} or later; after ${lastWithout} no other can be anchored`
  return ['forced', `${where}: ${due}`]
}

function printWithdrawal({ said, forced, checks, holds }: CheckedWithdrawal, { chain }: Params): string[] {
  const facts: (readonly [string, string])[] = [
    ['withdrawal', said.id],
    ['rung', 'reason' in said ? `${said.rung}: ${said.reason}` : said.rung],
  ]
  if ('amount' in said) {
    const { amount, payoutFee, script, payableAt, payout } = said
    const place =
      said.rung === 'exit' ? `by block ${said.height} itself` : `operation ${said.index} of batch ${said.batch}`
    facts.push(
      ['place', place],
      ['amount', `${printSats(amount)}, up to ${printSats(payoutFee)} of it for the payout`],
      ['to', addressOf(fromHex(script), chain)],
    )
    if (payout !== undefined) facts.push(['paid', `in block ${payout.height} by transaction ${payout.txid}`])
    else if (payableAt !== undefined) facts.push(['payable', `from height ${payableAt} on`])
  }
  return [...columns([...facts, ...forced.map(forcedRow)]), ...printChecks(checks, holds, 'withdrawal')]
}

function printChecks(checks: readonly Check[], holds: boolean, what: string): string[] {
  const seen = checks.map(({ name, verdict, note }) => [`${MARKS[verdict]} ${name}`, note] as const)
  const verdict = holds ? [] : ['', `A check FAILED: do not rely on this ${what}.`]
  return [...(seen.length > 0 ? ['', ...columns(seen)] : []), ...verdict]
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
  const hint = rung === 'dropped' ? ['', hintFor([reason])] : []
  return [...columns(facts), ...printChecks(checks, holds, 'payment'), ...hint]
}
