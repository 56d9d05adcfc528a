import type { Account } from '@kedge/api'
import { printAmount } from '@kedge/core'
import { WalletError } from './errors.ts'

/** The cell that the wallet's next operation spends from, and what it pays. */

export type OwnCell = Account['cells'][number]

/** The fullest cell: what is signed spends from one cell. */
export function chooseCell(account: Account, amount: bigint, fee: bigint): OwnCell {
  const [first, ...others] = account.cells
  if (first === undefined) {
    const waiting =
      account.waiting.length > 0
        ? ' A deposit waits to be credited; try again after that.'
        : ' Deposit bitcoin, or let somebody pay you.'
    throw new WalletError(`This wallet has no account on the rollup yet.${waiting}`, { code: 'no-account' })
  }
  const fullest = others.reduce((best, cell) => (cell.balance > best.balance ? cell : best), first)
  if (fullest.balance < amount + fee) {
    const split =
      account.balance >= amount + fee ? ' The money is spread over several accounts of this key; send it in parts.' : ''
    throw new WalletError(
      `It takes ${printAmount(amount)} and ${printAmount(fee)} of fee, the account holds ${printAmount(fullest.balance)}.${split}`,
      {
        code: 'insufficient-funds',
        details: { needed: String(amount + fee), held: String(fullest.balance) },
      },
    )
  }
  return fullest
}

/** The fee as it was asked for, or the least, in millisatoshis. @throws WalletError `bad-amount` */
export function chosenFee(asked: bigint | undefined, least: bigint): bigint {
  if (asked === undefined || asked >= least) return asked ?? least
  throw new WalletError(`The network takes no fee below ${printAmount(least)} for this.`, { code: 'bad-amount' })
}
