import { fetchProof } from '@kedge/wallet'
import type { Command } from 'commander'
import { newDocumentFile } from '../../document-file.ts'
import { parsePaymentId } from '../../hex-ids.ts'
import type { Environment } from '../../options.ts'
import { answer } from '../../output.ts'
import { openConfigured, walletSubcommand } from '../../wallet-command.ts'

export function proofCommand(environment: Environment): Command {
  const command = walletSubcommand('proof', {
    description:
      'keep the proof of an anchored payment, with Bitcoin’s headers; anybody can check it with verify-proof',
    examples: [
      'proof 5f…c2 --out rent.proof --wallet alice.json',
      'proof 5f…c2 --out rent.json --config wallet.toml --json',
    ],
  })
  return command
    .argument('<PAYMENT>', 'its id, as send prints it', parsePaymentId)
    .requiredOption('--out <FILE>', 'a file that is not there yet; JSON where its name ends in .json')
    .action(async (id: string, { out }: { out: string }) => {
      const { wallet } = await openConfigured(command, environment)
      const document = await fetchProof(wallet, id)
      newDocumentFile(out).write(document)
      const sizes = { proofBytes: document.proof.length, blockHeaders: document.blockHeaders.length / 80 }
      answer(command, { id, file: out, ...sizes }, () => [
        `proof of ${id} in ${out}: ${sizes.proofBytes} bytes, beside ${sizes.blockHeaders} Bitcoin headers`,
      ])
    })
}
