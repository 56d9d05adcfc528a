/**
 * What keeps a wallet from doing what it was asked. Codes are stable; the message says what to do about it.
 * - `no-wallet`, `wallet-exists`, `wallet-damaged`, `wallet-busy`: the file
 * - `bad-words`, `bad-recipient`, `bad-address`, `bad-amount`, `bad-expiry`, `bad-memo`: what was typed
 * - `wrong-network`, `bad-answer`: the node is another network's, or lies
 * - `no-account`, `insufficient-funds`, `no-coins`: there is too little money
 * - `refused`: the network refused a transfer for good, `details.reason` says why
 * - `not-answered`: nobody has taken the transfer yet; it is kept and sent again
 * - `earlier-open`: whether something that was signed before is executed is not known; `details.id` names it
 * - `nonce-unproven`: the node names a nonce that is not this wallet's, and shows nothing that used the one below
 * - `paid-already`: the same was paid a short while ago, or turns out to be, and nothing says that it is meant once more;
 *   `details.id` names it
 * - `nothing-to-replace`: nothing is open
 * - `no-receipt`, `not-anchored`: there is nothing to keep yet
 * - `bad-document`, `not-proven`: a receipt or proof that is damaged, or that shows nothing
 * - `nothing-to-refund`, `too-early`: no deposit can be taken back, or not now; `details.height` says from when on
 * - `unknown-payment`, `deposit-refused`, `refund-refused`, `publication-refused`: see the message
 */
export type WalletErrorCode =
  | 'no-wallet'
  | 'wallet-exists'
  | 'wallet-damaged'
  | 'wallet-busy'
  | 'bad-words'
  | 'bad-recipient'
  | 'bad-address'
  | 'bad-amount'
  | 'bad-expiry'
  | 'bad-memo'
  | 'wrong-network'
  | 'bad-answer'
  | 'no-account'
  | 'insufficient-funds'
  | 'no-coins'
  | 'refused'
  | 'not-answered'
  | 'earlier-open'
  | 'nonce-unproven'
  | 'paid-already'
  | 'nothing-to-replace'
  | 'no-receipt'
  | 'not-anchored'
  | 'bad-document'
  | 'not-proven'
  | 'unknown-payment'
  | 'deposit-refused'
  | 'nothing-to-refund'
  | 'too-early'
  | 'refund-refused'
  | 'publication-refused'

export class WalletError extends Error {
  override readonly name = 'WalletError'
  readonly code: WalletErrorCode
  readonly details: Readonly<Record<string, string>>

  constructor(message: string, about: { code: WalletErrorCode; details?: Record<string, string>; cause?: unknown }) {
    super(message, about.cause === undefined ? undefined : { cause: about.cause })
    this.code = about.code
    this.details = about.details ?? {}
  }
}

/** Whether an error is the system's of this name. */
export function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code
}
