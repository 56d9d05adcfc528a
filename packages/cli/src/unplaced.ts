import type { UnplacedSend } from '@kedge/wallet'
import { printAmount } from './amount.ts'
import { table } from './output.ts'

/** What the wallet signed and stands in no batch, as people read them. */

const RESUME = 'To send again what can be sent again: kedge wallet resume'
const LEAVE = 'No batch comes any more. To take out what is left: kedge wallet force withdraw'

/** What to do about it. @param reasons why each is in no batch, as far as that is known */
export function hintFor(reasons: readonly (string | undefined)[]): string {
  return reasons.includes('chain-ended') ? LEAVE : RESUME
}

export function countOf(unplaced: readonly UnplacedSend[]): string {
  const total = unplaced.reduce((sum, { amount }) => sum + amount, 0n)
  return `${unplaced.length} ${nounOf(unplaced)} of ${printAmount(total)} in no batch that the node knows`
}

function nounOf(unplaced: readonly UnplacedSend[]): string {
  if (unplaced.some(({ kind }) => kind === 'withdrawal')) return 'payments and withdrawals'
  return unplaced.length === 1 ? 'payment' : 'payments'
}

export function printUnplaced(unplaced: readonly UnplacedSend[]): string[] {
  const heads = ['in no batch', 'kind', 'amount', 'fee', 'expiry', 'id', 'to', 'memo']
  return table(heads, unplaced.map(rowOf), [2, 3, 4])
}

function rowOf({ standing, reason, kind, amount, fee, expiry, id, to, text = '' }: UnplacedSend): string[] {
  const state = reason === undefined ? standing : `${standing}: ${reason}`
  return [state, kind, printAmount(amount), printAmount(fee), String(expiry), id, to.slice(0, 16), text]
}
