import { type Balance, readBalance } from '@kedge/wallet'
import type { Command } from 'commander'
import { printAmount, printSats } from '../../amount.ts'
import type { Environment } from '../../options.ts'
import { answer, columns } from '../../output.ts'
import { countOf, hintFor } from '../../unplaced.ts'
import { openConfigured, walletSubcommand } from '../../wallet-command.ts'

export function balanceCommand(environment: Environment): Command {
  const command = walletSubcommand('balance', {
    description: 'the money on the rollup, and on Bitcoin where a bitcoind is configured',
    examples: ['balance --wallet alice.json', 'balance --config wallet.toml --json'],
  })
  return command.action(async () => {
    const { wallet, rpc } = await openConfigured(command, environment)
    const balance = await readBalance(wallet, rpc)
    answer(command, balance, () => print(balance))
  })
}

function print({ balance, rung, waiting, bitcoin, deposits = [], unplaced }: Balance): string[] {
  const credits = waiting.map(
    ({ sats, dueAt, refundableAt }) =>
      [
        'waiting',
        dueAt === undefined
          ? `${printSats(sats)}, a deposit that is not swept yet; from height ${refundableAt} on you may take it back`
          : `${printSats(sats)}, a deposit that is due from height ${dueAt} on`,
      ] as const,
  )
  const onBitcoin = bitcoin === undefined ? [] : [['bitcoin', printSats(bitcoin)] as const]
  const unmined = deposits.map(({ sats, standing, txid }) =>
    standing === 'waiting'
      ? (['unmined', `${printSats(sats)}, deposit ${txid} waits for a block`] as const)
      : (['missing', `${printSats(sats)}, deposit ${txid}: Bitcoin does not have it (any more)`] as const),
  )
  const isMissing = deposits.some(({ standing }) => standing === 'missing')
  const unpaid =
    unplaced.length === 0
      ? []
      : [['unpaid', `${countOf(unplaced)}, still part of the above; history lists them`] as const]
  return [
    ...columns([['rollup', `${printAmount(balance)} (${rung})`], ...credits, ...onBitcoin, ...unmined, ...unpaid]),
    ...(isMissing || unplaced.length > 0 ? ['', hintFor(unplaced.map(({ reason }) => reason))] : []),
  ]
}
