import { fetchReceipt } from '@kedge/wallet'
import type { Command } from 'commander'
import { newDocumentFile } from '../../document-file.ts'
import { parsePaymentId } from '../../hex-ids.ts'
import type { Environment } from '../../options.ts'
import { answer } from '../../output.ts'
import { openConfigured, walletSubcommand } from '../../wallet-command.ts'

export function receiptCommand(environment: Environment): Command {
  const command = walletSubcommand('receipt', {
    description: "keep the sequencer's promise for a payment; anybody can check it with verify-receipt",
    examples: [
      'receipt 5f…c2 --out rent.receipt --wallet alice.json',
      'receipt 5f…c2 --out rent.json --config wallet.toml --json',
    ],
  })
  return command
    .argument('<PAYMENT>', 'its id, as send prints it', parsePaymentId)
    .requiredOption('--out <FILE>', 'a file that is not there yet; JSON where its name ends in .json')
    .action(async (id: string, { out }: { out: string }) => {
      const { wallet } = await openConfigured(command, environment)
      const receipt = await fetchReceipt(wallet, id)
      newDocumentFile(out).write(receipt)
      answer(command, { id, file: out }, () => [`receipt for ${id} in ${out}`])
    })
}
