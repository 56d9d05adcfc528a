import type { Params } from '@kedge/core'
import { type HistoryLine, type HistoryPage, readHistory } from '@kedge/wallet'
import { type Command, InvalidArgumentError } from 'commander'
import { printAmount, printSats } from '../../amount.ts'
import type { Environment } from '../../options.ts'
import { answer, table } from '../../output.ts'
import { hintFor, printUnplaced } from '../../unplaced.ts'
import { openConfigured, walletSubcommand } from '../../wallet-command.ts'

type Fees = Params['fees']

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
      answer(command, page, () => print(page, wallet.params.fees))
    })
}

function print({ entries, next, unplaced }: HistoryPage, fees: Fees): string[] {
  const open =
    unplaced.length === 0 ? [] : [...printUnplaced(unplaced), '', hintFor(unplaced.map(({ reason }) => reason)), '']
  return [...open, ...printPlaced(entries, next, fees)]
}

function printPlaced(entries: HistoryPage['entries'], next: HistoryPage['next'], fees: Fees): string[] {
  if (entries.length === 0) return ['nothing so far']
  const rows = table(['batch', 'kind', '', 'amount', 'fee', 'rung', 'id', 'with', 'memo'], entries.map(rowOf), [3, 4])
  const costs = costsIn(entries, fees)
  if (costs.length > 0) rows.push('', ...costs)
  return next === undefined ? rows : [...rows, `older: --before ${next.batch}-${next.index}`]
}

/** Where what arrives is less than what was sent, or a fee is more than the least: why. */
function costsIn(entries: readonly HistoryLine[], { cell, deposit }: Fees): string[] {
  const isOpening = ({ kind, direction, fee }: HistoryLine) => kind === 'transfer' && direction === 'out' && fee >= cell
  const lines: string[] = []
  if (entries.some(({ kind }) => kind === 'deposit'))
    lines.push(
      `A deposit is credited less ${printSats(deposit)} for moving it into the vault, and less ${printAmount(cell)} where it opens the account.`,
    )
  if (entries.some(isOpening))
    lines.push(`The fee of the first payment to a key has ${printAmount(cell)} in it for opening an account.`)
  return lines
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
