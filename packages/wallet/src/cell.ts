import type { Account } from '@kedge/api'
import { type SendRecord, signedOf, type WalletContent } from './content.ts'
import { WalletError } from './errors.ts'

/** The cell and the nonce that the wallet's next operation is signed for. */

type OwnCell = Account['cells'][number]

/** The nonce of what is signed next for a cell. */
export type NonceOf = (account: Account, cell: OwnCell, content: WalletContent) => bigint

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
      `It takes ${amount} msat and ${fee} msat of fee, the account holds ${fullest.balance} msat.${split}`,
      {
        code: 'insufficient-funds',
        details: { needed: String(amount + fee), held: String(fullest.balance) },
      },
    )
  }
  return fullest
}

/**
 * A node that sequences knows everything that is acknowledged. Any other says where the last batch stands: there,
 * what the wallet has on its way takes nonces too.
 */
export const nextNonce: NonceOf = (account, cell, { sends }) =>
  account.rung === 'sequenced' ? cell.nonce : firstFree(cell, sends.filter(isOnItsWay))

/**
 * What the sequencer has not promised takes no nonce: it is what gives way to the forced one, or is it. What was forced
 * before does, as Bitcoin will carry it into a batch.
 */
export const nextForcedNonce: NonceOf = (_, cell, { sends, publications }) => {
  const published = new Set(publications.map(({ id }) => id))
  return firstFree(
    cell,
    sends.filter((record) => isOnItsWay(record) && (record.state !== 'recorded' || published.has(record.id))),
  )
}

function isOnItsWay({ state }: SendRecord): boolean {
  return state !== 'refused' && state !== 'dropped'
}

function firstFree({ cell, nonce }: OwnCell, sends: readonly SendRecord[]): bigint {
  const taken = new Set(
    sends
      .map(signedOf)
      .filter(({ from }) => from === cell)
      .map((sent) => sent.nonce),
  )
  let next = nonce
  while (taken.has(next)) next += 1n
  return next
}
