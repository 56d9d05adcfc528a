import { Command } from 'commander'
import type { Environment } from '../options.ts'
import { addressCommand } from './wallet/address.ts'
import { balanceCommand } from './wallet/balance.ts'
import { createCommand } from './wallet/create.ts'
import { depositCommand } from './wallet/deposit.ts'
import { forceCommand } from './wallet/force.ts'
import { historyCommand } from './wallet/history.ts'
import { proofCommand } from './wallet/proof.ts'
import { receiptCommand } from './wallet/receipt.ts'
import { refundCommand } from './wallet/refund.ts'
import { restoreCommand } from './wallet/restore.ts'
import { resumeCommand } from './wallet/resume.ts'
import { sendCommand } from './wallet/send.ts'
import { statusCommand } from './wallet/status.ts'
import { verifyProofCommand } from './wallet/verify-proof.ts'
import { verifyReceiptCommand } from './wallet/verify-receipt.ts'
import { withdrawCommand } from './wallet/withdraw.ts'

const SUBCOMMANDS = [
  ...[createCommand, restoreCommand, addressCommand, balanceCommand],
  ...[depositCommand, refundCommand, withdrawCommand, forceCommand],
  ...[sendCommand, resumeCommand, historyCommand, statusCommand],
  ...[receiptCommand, proofCommand, verifyReceiptCommand, verifyProofCommand],
]

export function walletCommand(environment: Environment): Command {
  const command = new Command('wallet').description(
    'keys, deposits, payments and withdrawals; every proof is checked here',
  )
  for (const subcommand of SUBCOMMANDS) command.addCommand(subcommand(environment))
  return command.addHelpText(
    'after',
    `
Examples:
  kedge wallet create --wallet alice.json --node http://127.0.0.1:8780
  kedge wallet deposit 100000sat --config wallet.toml
  kedge wallet send d1c4…7e 1500sat --wallet alice.json
  kedge wallet withdraw 50000sat bc1q…9x --wallet alice.json
  kedge wallet status 5f…c2 --wallet alice.json
  kedge wallet proof 5f…c2 --out rent.kedge --wallet alice.json
  kedge wallet verify-proof rent.kedge --params params.json --checkpoint 840123:0000…5d`,
  )
}
