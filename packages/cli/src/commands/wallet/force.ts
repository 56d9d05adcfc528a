import {
  type EarlierSame,
  type ForcedOperation,
  type ForceRequest,
  findRecentSend,
  findRecentWithdrawal,
  type PreparedForce,
  prepareForce,
  publishForce,
  quoteWithdrawal,
  type Wallet,
} from '@kedge/wallet'
import { Command } from 'commander'
import { parseAmount, parseSats, printAmount, printSats } from '../../amount.ts'
import { ConfigError } from '../../config-error.ts'
import { confirm } from '../../confirm.ts'
import { parseRate } from '../../fee-rate.ts'
import { type IntentOptions, intentOf, mayRepeat } from '../../intent.ts'
import type { Environment } from '../../options.ts'
import { answer, columns } from '../../output.ts'
import { type OpenedWallet, openConfigured, walletSubcommand } from '../../wallet-command.ts'

interface ForceOptions extends Pick<IntentOptions, 'again' | 'trustNode'> {
  readonly feeRate?: number
  readonly yes?: boolean
  readonly quote?: boolean
}

type Opened = Required<OpenedWallet>

export function forceCommand(environment: Environment): Command {
  return new Command('force')
    .description('publish a payment or a withdrawal on Bitcoin, so that no sequencer can leave it out')
    .addCommand(forceTransferCommand(environment))
    .addCommand(forceWithdrawCommand(environment))
    .addHelpText(
      'after',
      `
Examples:
  kedge wallet force transfer d1c4…7e 1500sat --config wallet.toml
  kedge wallet force withdraw 50000sat bc1q…9x --config wallet.toml`,
    )
}

function forceTransferCommand(environment: Environment): Command {
  const command = walletSubcommand('transfer', {
    description: 'force a payment to a rollup address; says what it costs, and when a batch must contain it',
    examples: ['force transfer d1c4…7e 1500sat --config wallet.toml'],
  })
  command
    .argument('<TO>', "the recipient's rollup address: 64 hex digits")
    .argument('<AMOUNT>', 'with its unit: 1500sat, 20msat or 0.001btc', parseAmount)
  return withOptions(command).action((to: string, amount: bigint, options: ForceOptions) =>
    force(command, environment, options, () =>
      Promise.resolve({ kind: 'transfer', transfer: { to, amount, ...intentOf(options) } }),
    ),
  )
}

function forceWithdrawCommand(environment: Environment): Command {
  const command = walletSubcommand('withdraw', {
    description: 'force a withdrawal; says what it costs, and when a batch must contain it',
    examples: ['force withdraw 50000sat bc1q…9x --config wallet.toml'],
  })
  command
    .argument('<AMOUNT>', 'that leaves the account, with its unit: 50000sat or 0.001btc', parseSats)
    .argument('<ADDRESS>', 'to be paid on Bitcoin: P2PKH, P2SH, P2WPKH, P2WSH or P2TR')
    .option('--payout-fee <AMOUNT>', "the most that its share of the payout's fee may take of it", parseSats)
  return withOptions(command).action(
    (sats: bigint, address: string, options: ForceOptions & { readonly payoutFee?: bigint }) =>
      force(command, environment, options, async ({ wallet, rpc }) => {
        const { payoutFee: limit } = options
        const asked = limit === undefined ? { address, sats } : { address, sats, payoutFee: limit }
        const { payoutFee } = await quoteWithdrawal(wallet, asked, rpc)
        return { kind: 'withdrawal', withdrawal: { address, sats, payoutFee, ...intentOf(options) } }
      }),
  )
}

function withOptions(command: Command): Command {
  return command
    .option('--fee-rate <N>', "sat/vB for Bitcoin; bitcoind's estimate without it", parseRate)
    .option('--yes', 'do not ask')
    .option('--quote', 'only say what it costs, and when a batch must contain it')
    .option('--again', 'it is meant beside what is open and pays the same')
    .option('--trust-node', "take the node's word for operations of these words that it shows no evidence for")
}

async function force(
  command: Command,
  environment: Environment,
  { feeRate, yes = false, quote, again }: ForceOptions,
  requestOf: (opened: Opened) => Promise<ForceRequest>,
): Promise<void> {
  const { wallet, rpc } = await openConfigured(command, environment)
  if (rpc === undefined) throw new ConfigError('forcing needs a bitcoind: set bitcoin.url and its login')
  const request = await requestOf({ wallet, rpc })
  if (!quote && !(await mayRepeat({ again }, ...repeatOf(wallet, request))))
    return answer(command, { done: false }, () => ['nothing was done'])
  const prepared = await prepareForce(wallet, rpc, feeRate === undefined ? request : { ...request, feeRate })
  const { record, publication: _, ...told } = prepared
  if (quote) return answer(command, { id: record.id, ...told }, () => print(prepared))
  if (!(await confirm(yes, print(prepared)))) return answer(command, { done: false }, () => ['nothing was done'])
  const forced = await publishForce(wallet, rpc, prepared)
  return answer(command, forced, () => [...columns([['transaction', forced.txid]]), ...print(forced, forced.id)])
}

/** What is asked for, and whether it was made a short while ago. */
function repeatOf(
  wallet: Wallet,
  request: ForceRequest,
): ['payment' | 'withdrawal', () => Promise<EarlierSame | undefined>] {
  if (request.kind === 'transfer') return ['payment', () => findRecentSend(wallet, request.transfer)]
  return ['withdrawal', () => findRecentWithdrawal(wallet, request.withdrawal)]
}

function print(
  { operation, cost, isExit, dueFrom, lastWithout }: PreparedForce | ForcedOperation,
  id?: string,
): string[] {
  const { kind, fee } = operation
  const amount = kind === 'transfer' ? printAmount(operation.amount) : printSats(operation.amount)
  return columns([
    ...(id === undefined ? [] : [[kind === 'transfer' ? 'payment' : 'withdrawal', id] as const]),
    ['forced', `a ${kind} of ${amount}, with ${printAmount(fee)} for the sequencer`],
    ['cost', `${printSats(cost)} on Bitcoin`],
    [
      'due',
      isExit
        ? 'at once: the chain of batches has ended, and the block that holds it executes it'
        : `in batches that begin at height ${dueFrom} or later; after ${lastWithout} no other can be anchored`,
    ],
  ])
}
