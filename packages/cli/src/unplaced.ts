import type { UnplacedSend } from '@kedge/wallet'
import { printAmount } from './amount.ts'
import { table } from './output.ts'

/** Payments of the wallet's own that stand in no batch, as people read them. */

export const RESUME_HINT = 'To send again what can be sent again: kedge wallet resume'

export function countOf(unplaced: readonly UnplacedSend[]): string {
  const total = unplaced.reduce((sum, { amount }) => sum + amount, 0n)
  return `${unplaced.length} ${unplaced.length === 1 ? 'payment' : 'payments'} of ${printAmount(total)} in no batch that the node knows`
}

export function printUnplaced(unplaced: readonly UnplacedSend[]): string[] {
  const heads = ['in no batch', 'amount', 'fee', 'expiry', 'id', 'to', 'memo']
  return table(heads, unplaced.map(rowOf), [1, 2, 3])
}

function rowOf({ standing, reason, amount, fee, expiry, id, to, text = '' }: UnplacedSend): string[] {
  const state = reason === undefined ? standing : `${standing}: ${reason}`
  return [state, printAmount(amount), printAmount(fee), String(expiry), id, to.slice(0, 16), text]
}
