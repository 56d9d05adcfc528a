import { isHex } from '@kedge/core'
import { InvalidArgumentError } from 'commander'

/** @throws InvalidArgumentError for what no payment can be called */
export function parsePaymentId(text: string): string {
  if (!isHex(text, 32)) throw new InvalidArgumentError("It must be a payment's id: 64 hex digits, as send prints it.")
  return text
}

/** @throws InvalidArgumentError for what no transaction can be called */
export function parseTxid(text: string): string {
  if (!isHex(text, 32))
    throw new InvalidArgumentError("It must be a transaction's id: 64 hex digits, as deposit prints it.")
  return text
}
