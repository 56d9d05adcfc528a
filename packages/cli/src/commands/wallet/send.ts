import {
  fetchReceipt,
  findRecentSend,
  readTold,
  type SendRequest,
  type SentPayment,
  send,
  type Wallet,
} from '@kedge/wallet'
import { type Command, InvalidArgumentError } from 'commander'
import { parseAmount, printAmount } from '../../amount.ts'
import { type DocumentFile, newDocumentFile } from '../../document-file.ts'
import { addIntent, type IntentOptions, intentOf, mayRepeat, REPEAT_NOTE } from '../../intent.ts'
import type { Environment } from '../../options.ts'
import { answer, columns } from '../../output.ts'
import { openConfigured, walletSubcommand } from '../../wallet-command.ts'

interface SendOptions extends IntentOptions {
  readonly fee?: bigint
  readonly expiry?: number
  readonly memo?: string
  readonly receipt?: string
}

export function sendCommand(environment: Environment): Command {
  const command = walletSubcommand('send', {
    description: 'pay to a rollup address',
    examples: [
      'send d1c4…7e 1500sat --wallet alice.json',
      'send d1c4…7e 20msat --memo lunch --wallet alice.json --json',
      'send d1c4…7e 20msat --receipt lunch.receipt --wallet alice.json',
      'send d1c4…7e 1500sat --again --wallet alice.json',
    ],
  })
  return addIntent(command, 'payment')
    .argument('<TO>', "the recipient's rollup address: 64 hex digits, as wallet address prints them")
    .argument('<AMOUNT>', 'with its unit: 1500sat, 20msat or 0.001btc', parseAmount)
    .option('--fee <AMOUNT>', "for the sequencer; the network's minimum without it", parseAmount)
    .option(
      '--expiry <HEIGHT>',
      'the last Bitcoin height at which it may be executed; a week of blocks ahead, or more, without it',
      parseHeight,
    )
    .option('--memo <TEXT>', 'a note; the payment commits to it, and does not show it')
    .option('--receipt <FILE>', "where to keep the sequencer's promise; as JSON where it ends in .json")
    .action(async (to: string, amount: bigint, options: SendOptions) => {
      const { wallet } = await openConfigured(command, environment)
      const { receipt } = options
      const request = { ...requestOf(to, amount, options), told: await readTold(wallet.path) }
      if (!(await mayRepeat(options, 'payment', () => findRecentSend(wallet, request))))
        return answer(command, { done: false }, () => ['nothing was done'])
      // Whether there is room for it shows before the money goes.
      const file = receipt === undefined ? undefined : newDocumentFile(receipt)
      const sent = await keeping(file, () => send(wallet, request))
      const kept = file !== undefined && (await keepReceipt(file, wallet, sent))
      const opening = printAmount(wallet.params.fees.cell)
      answer(command, kept ? { ...sent, receipt } : sent, () =>
        columns([
          ['payment', sent.id],
          ['rung', sent.rung],
          ['amount', printAmount(sent.amount)],
          [
            'fee',
            sent.opensAccount
              ? `${printAmount(sent.fee)}, ${opening} of it for opening the recipient's account`
              : printAmount(sent.fee),
          ],
          ['expiry', `height ${sent.expiry}`],
          ...(sent.isRepeat ? [['repeat', REPEAT_NOTE] as const] : []),
          ...(receipt === undefined
            ? []
            : [['receipt', kept ? receipt : 'none so far: nobody has acknowledged it'] as const]),
        ]),
      )
    })
}

/** What fails leaves no empty file behind. */
async function keeping<T>(file: DocumentFile | undefined, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    file?.discard()
    throw error
  }
}

/** Whether there was one: a node that is no sequencer's passes the payment on, and has none at once. */
function keepReceipt(file: DocumentFile, wallet: Wallet, { id, rung }: SentPayment): Promise<boolean> {
  return keeping(file, async () => {
    if (rung === 'pending') file.discard()
    else file.write(await fetchReceipt(wallet, id))
    return rung !== 'pending'
  })
}

function requestOf(to: string, amount: bigint, options: SendOptions): SendRequest {
  const { fee, expiry, memo } = options
  return {
    to,
    amount,
    ...intentOf(options),
    ...(fee !== undefined && { fee }),
    ...(expiry !== undefined && { expiry }),
    ...(memo !== undefined && { memo }),
  }
}

function parseHeight(text: string): number {
  if (!/^[0-9]{1,9}$/.test(text)) throw new InvalidArgumentError('It must be a block height.')
  return Number(text)
}
