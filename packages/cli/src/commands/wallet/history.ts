import { type HistoryLine, type HistoryPage, readHistory } from '@kedge/wallet'
import { type Command, InvalidArgumentError } from 'commander'
import { printAmount } from '../../amount.ts'
import type { Environment } from '../../options.ts'
import { answer, table } from '../../output.ts'
import { openConfigured, walletSubcommand } from '../../wallet-command.ts'

interface Place {
  readonly batch: number
  readonly index: number
}

export function historyCommand(environment: Environment): Command {
  const command = walletSubcommand('history', {
    description: 'what happened to the money, newest first',
    examples: ['history --wallet alice.json', 'history --limit 100 --before 12-40 --wallet alice.json --json'],
  })
  return command
    .option('--limit <N>', 'lines to show', parseLimit, 20)
    .option('--before <BATCH-INDEX>', 'go on where the page before ended', parsePlace)
    .action(async ({ limit, before }: { limit: number; before?: Place }) => {
      const { wallet } = await openConfigured(command, environment)
      const page = await readHistory(wallet, before === undefined ? { limit } : { limit, before })
      answer(command, page, () => print(page, wallet.params.fees.cell))
    })
}

function print({ entries, next }: HistoryPage, opening: bigint): string[] {
  if (entries.length === 0) return ['nothing so far']
  const rows = table(['batch', 'kind', '', 'amount', 'fee', 'rung', 'id', 'with', 'memo'], entries.map(rowOf), [3, 4])
  const mayOpen = entries.some(({ kind, direction, fee }) =>
    kind === 'deposit' ? direction === 'in' : direction === 'out' && fee >= opening,
  )
  if (mayOpen)
    rows.push(
      '',
      `Opening an account costs ${printAmount(opening)}: the first deposit to a key is credited less that, and the fee of its first payment holds it.`,
    )
  return next === undefined ? rows : [...rows, `older: --before ${next.batch}-${next.index}`]
}

function rowOf(line: HistoryLine): string[] {
  const { batch, index, kind, direction, amount, fee, rung, id, counterparty = '', text = '' } = line
  return [
    `${batch}-${index}`,
    kind,
    direction,
    printAmount(amount),
    printAmount(fee),
    rung,
    id,
    counterparty.slice(0, 16),
    text,
  ]
}

function parseLimit(text: string): number {
  const limit = Number(text)
  if (!/^[0-9]{1,4}$/.test(text) || limit < 1) throw new InvalidArgumentError('It must be a whole number from 1 on.')
  return limit
}

function parsePlace(text: string): Place {
  const match = /^([0-9]{1,10})-([0-9]{1,10})$/.exec(text)
  if (match === null) throw new InvalidArgumentError('It must be a batch and an index, such as 12-40.')
  return { batch: Number(match[1]), index: Number(match[2]) }
}
