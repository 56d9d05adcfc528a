import { checkReceipt, type ProvenReceipt } from '@kedge/wallet'
import type { Command } from 'commander'
import { readDocumentFile } from '../../document-file.ts'
import { readParams } from '../../node-options.ts'
import { configOf, type Environment } from '../../options.ts'
import { answer, columns } from '../../output.ts'
import { operationRows, printVerdict } from '../../proven.ts'
import { receiptSettings } from '../../settings.ts'
import { walletSubcommand } from '../../wallet-command.ts'

export function verifyReceiptCommand(environment: Environment): Command {
  const text = {
    description:
      "check a receipt by the network's parameters alone, without a node; exit status 1 if it proves nothing",
    examples: [
      'verify-receipt rent.receipt --params params.json',
      'verify-receipt rent.json --params params.json --json',
    ],
  }
  const command = walletSubcommand('verify-receipt', text, receiptSettings)
  return command.argument('<FILE>', 'as receipt or send has kept it').action((file: string) => {
    const { params } = configOf(command, receiptSettings, environment)
    const proven = checkReceipt(readParams(params), readDocumentFile(file))
    answer(command, proven, () => print(proven))
  })
}

function print({ id, operation, receipt: { tick, opIndex }, reservations }: ProvenReceipt): string[] {
  const facts = [
    ...operationRows(id, operation),
    ['promised', `operation ${opIndex} of batch ${tick.number}, by tick ${tick.index}`] as const,
    ['origin', `block ${tick.origin.height} of Bitcoin`] as const,
  ]
  return [...columns(facts), ...printVerdict('The sequencer has signed for this.', reservations)]
}
