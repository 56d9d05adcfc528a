import { type SignedOperation, type Transfer, toHex } from '@kedge/core'
import { printAmount, printSats } from './amount.ts'

/** What was proven of a payment, for people. */

export function transferRows(id: Uint8Array, { amount, fee, from, to }: Transfer): (readonly [string, string])[] {
  return [
    ['payment', toHex(id)],
    ['amount', printAmount(amount)],
    ['fee', printAmount(fee)],
    ['from', `cell ${from}`],
    ['to', toHex(to)],
  ]
}

export function operationRows(id: Uint8Array, operation: SignedOperation): (readonly [string, string])[] {
  if (operation.kind === 'transfer') return transferRows(id, operation)
  const { amount, payoutFee, fee, from, script } = operation
  return [
    ['withdrawal', toHex(id)],
    ['amount', `${printSats(amount)}, up to ${printSats(payoutFee)} of it for the payout`],
    ['fee', printAmount(fee)],
    ['from', `cell ${from}`],
    ['to', `script ${toHex(script)}`],
  ]
}

export interface Reserved {
  readonly name: string
  readonly sentence: string
}

/** The verdict, and what it leaves open. */
export function printVerdict(verdict: string, reservations: readonly Reserved[]): string[] {
  return ['', verdict, 'What it can’t exclude:', ...reservations.map(({ name, sentence }) => `- ${name}: ${sentence}`)]
}
