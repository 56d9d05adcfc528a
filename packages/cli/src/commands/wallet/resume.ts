import {
  type ResumedDeposit,
  type ResumedPublication,
  type ResumedSend,
  resumeDeposits,
  resumePublications,
  resumeSends,
} from '@kedge/wallet'
import type { Command } from 'commander'
import { printSats } from '../../amount.ts'
import type { Environment } from '../../options.ts'
import { answer } from '../../output.ts'
import { openConfigured, walletSubcommand } from '../../wallet-command.ts'

export function resumeCommand(environment: Environment): Command {
  const command = walletSubcommand('resume', {
    description:
      'send again what is not where it should be: payments and withdrawals that are in no batch, and, where a bitcoind is configured, deposits and what was forced',
    examples: ['resume --wallet alice.json', 'resume --config wallet.toml --json'],
  })
  return command.action(async () => {
    const { wallet, rpc } = await openConfigured(command, environment)
    const deposits = rpc === undefined ? [] : await resumeDeposits(wallet, rpc)
    const publications = rpc === undefined ? [] : await resumePublications(wallet, rpc)
    const sends = await resumeSends(wallet)
    answer(command, { deposits, publications, sends }, () => {
      const lines = [...deposits.map(printDeposit), ...publications.map(printPublication), ...sends.map(printSend)]
      return lines.length === 0 ? ['nothing was left to send'] : lines
    })
  })
}

function printDeposit({ txid, sats, outcome, reason }: ResumedDeposit): string {
  const deposit = `deposit of ${printSats(sats)}, transaction ${txid}:`
  if (outcome === 'sent') return `${deposit} sent to Bitcoin again`
  if (outcome === 'waiting') return `${deposit} waits for a block`
  if (outcome === 'refused') return `${deposit} not taken by Bitcoin's node now (${reason}); resume later`
  return `${deposit} given up, because what it spends is spent or missing`
}

function printPublication({ id, txid, outcome, reason }: ResumedPublication): string {
  const publication = `what forces ${id}, transaction ${txid}:`
  if (outcome === 'sent') return `${publication} waits for a block`
  if (outcome === 'refused') return `${publication} not taken by Bitcoin's node now (${reason}); resume later`
  return `${publication} given up, because what it spends is spent or missing`
}

function printSend({ id, kind, rung, reason, replaces }: ResumedSend): string {
  const outcome = reason === undefined ? rung : `${rung}: ${reason}`
  return `${kind ?? 'payment'} ${id}: ${outcome}${replaces === undefined ? '' : `, signed anew in the place of ${replaces}`}`
}
