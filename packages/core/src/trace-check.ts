import { equalBytes } from './bytes.ts'
import { type Account, decodeAccount, encodeAccount } from './cell.ts'
import { hashPair, hashRecord, zeroHash } from './hash.ts'
import {
  applyOperation,
  type Context,
  decodeOperation,
  MissingCellError,
  type Outcome,
  touchedCells,
} from './operation.ts'
import { decodeTotals, encodeTotals } from './totals.ts'
import { type TraceRule, type TraceValue, valueAt } from './trace.ts'

/**
 * The first value that does not follow by its rule; undefined where all do. The rules' names are fixed by the operation
 * and the cells that it changes, so whoever disputes a trace compares them first.
 */
export function findFalseValue(
  context: Context,
  cells: readonly number[],
  values: readonly TraceValue[],
): string | undefined {
  const byName = new Map(values.map(({ name, value }) => [name, value]))
  const outcome = reapply(context, cells, byName)
  return values.find(({ value, rule }) => !follows(byName, outcome, value, rule))?.name
}

function follows(
  byName: ReadonlyMap<string, Uint8Array>,
  outcome: Outcome | undefined,
  value: Uint8Array,
  rule: TraceRule,
): boolean {
  switch (rule.kind) {
    case 'given':
      return true
    case 'absent':
      return equalBytes(value, zeroHash(rule.level))
    case 'record':
      return equalBytes(value, hashRecord(valueAt(byName, rule.of)))
    case 'pair':
      return equalBytes(value, hashPair(valueAt(byName, rule.left), valueAt(byName, rule.right)))
    case 'equal':
      return rule.to.every((name) => equalBytes(value, valueAt(byName, name)))
    case 'applied':
      return equalBytes(value, appliedTo(outcome, rule.to) ?? NO_BYTES)
  }
}

function appliedTo(outcome: Outcome | undefined, to: number | 'totals'): Uint8Array | undefined {
  if (outcome?.ok !== true) return undefined
  if (to === 'totals') return encodeTotals(outcome.totals)
  const account = outcome.updates.find(({ cell }) => cell === to)?.account
  return account && encodeAccount(account)
}

/** The operation on the records as the trace has them; undefined where it is about other cells. */
function reapply(
  context: Context,
  cells: readonly number[],
  byName: ReadonlyMap<string, Uint8Array>,
): Outcome | undefined {
  const operation = decodeOperation(valueAt(byName, 'operation'))
  const totals = decodeTotals(valueAt(byName, 'totals'))
  if (operation === undefined || totals === undefined) return undefined
  const accounts = new Map<number, Account | undefined>()
  for (const [at, cell] of cells.entries()) accounts.set(cell, decodeAccount(byName.get(`${at}.record`) ?? NO_BYTES))
  const needed = touchedCells(operation, totals.count).filter((cell) => cell < totals.count)
  if (needed.some((cell) => accounts.get(cell) === undefined)) return undefined
  const account = (cell: number) => {
    const known = accounts.get(cell)
    if (known === undefined) throw new MissingCellError(cell)
    return known
  }
  return applyOperation(context, { account }, totals, operation)
}

const NO_BYTES = new Uint8Array(0)
