import { describe, expect, test } from 'vitest'
import { equalBytes } from '../src/bytes.ts'
import { applyOperation, decodeOperation, type Operation } from '../src/operation.ts'
import { type TraceValue, traceOperation } from '../src/trace.ts'
import { findFalseValue } from '../src/trace-check.ts'
import { depositTransaction, forcedTransaction } from './bitcoin.ts'
import { fundedRollup, pay, payNew, withdraw } from './economy.ts'
import { execute, type Rollup } from './rollup.ts'
import { quickKey } from './world.ts'

/** The operations of a batch one after another: what each one's trace is, and what the ledger makes of it. */
function traced(rollup: Rollup, ...operations: Operation[]) {
  const { context, ledger } = rollup
  const content = execute(context, ledger, operations)
  ledger.undo(content.delta ?? new Uint8Array(0))
  return content.operations.map((bytes, at) => {
    const operation = decodeOperation(bytes) as Operation
    const { tree, totals } = ledger
    const state = { cells: tree, totals, nodeAt: tree.nodeAt.bind(tree) }
    const trace = traceOperation(context, state, operation)
    if (!trace.ok) throw new Error(trace.refusal)
    const before = ledger.root
    const outcome = applyOperation(context, tree, totals, operation)
    if (!outcome.ok) throw new Error(outcome.refusal)
    ledger.apply(outcome.updates, outcome.totals)
    ledger.seal()
    expect(ledger.root).toEqual(content.stepRoots.slice(32 * at, 32 * at + 32))
    return { ...trace, operation, before, after: ledger.root }
  })
}

const valueIn = (values: readonly TraceValue[], name: string) => values.find((value) => value.name === name)?.value

/** Each kind, on trees of one cell to nine: with one that is made, and makes the tree deeper or not. */
function cases(): [string, () => ReturnType<typeof traced>][] {
  const sizes = [1, 2, 3, 4, 5, 7, 8, 9]
  const deposited = (cells: number, owner: number) => {
    const { rollup } = fundedRollup(cells)
    rollup.mine(...rollup.swept(depositTransaction(quickKey(owner), 50_000n)))
    return traced(rollup)
  }
  const forced = (cells: number, amount: bigint) => {
    const { rollup } = fundedRollup(cells)
    rollup.mine(forcedTransaction(withdraw(0, 0, { amount })))
    rollup.mine()
    rollup.mine()
    return traced(rollup)
  }
  return [
    ...sizes
      .slice(1)
      .map((cells): [string, () => ReturnType<typeof traced>] => [
        `payments among ${cells}`,
        () => traced(fundedRollup(cells).rollup, pay(0, cells - 1, 0), pay(cells - 1, 0, 0), pay(0, 1, 1)),
      ]),
    ...sizes.map((cells): [string, () => ReturnType<typeof traced>] => [
      `payments to new ones among ${cells}`,
      () => traced(fundedRollup(cells).rollup, payNew(0, cells, 0), payNew(cells - 1, cells + 1, cells === 1 ? 1 : 0)),
    ]),
    ['a withdrawal', () => traced(fundedRollup(5).rollup, withdraw(2, 0))],
    ['a deposit to one that is there', () => deposited(5, 1)],
    ['a deposit to a new one', () => deposited(4, 4)],
    [
      'fees collected',
      () => traced(fundedRollup(5).rollup, pay(0, 1, 0), { kind: 'collect', cell: 5, amount: 20_000n }),
    ],
    ['something forced', () => forced(5, 30_000n)],
    ['something forced that can’t stand', () => forced(5, 10n ** 7n)],
  ]
}

describe('a trace', () => {
  test.each(cases())('of %s goes from state to state, and all its values follow', (_, make) => {
    for (const { values, cells, before, after } of make()) {
      expect(valueIn(values, 'state')).toEqual(before)
      expect(valueIn(values, "state'")).toEqual(after)
      expect(new Set(values.map(({ name }) => name)).size).toBe(values.length)
      expect(values.every(({ value }) => value.length > 0)).toBe(true)
      expect(cells.length).toBeLessThanOrEqual(2)
    }
  })

  test.each(cases())('of %s with any other value in it has one that does not follow', (_, make) => {
    const { rollup } = fundedRollup(1)
    for (const { values, cells, operation } of make()) {
      const context = { ...rollup.context, originHeight: 110 }
      expect(findFalseValue(context, cells, values)).toBeUndefined()
      for (const [at, { name, value }] of values.entries()) {
        // What was forced and can't stand changes nothing, whatever it says: the batch commits to its bytes.
        if (name === 'operation' && operation.kind === 'forced') continue
        for (const byte of [0, value.length >> 1, value.length - 1]) {
          const other = value.with(byte, (value[byte] as number) ^ 1)
          const changed = values.with(at, { ...(values[at] as TraceValue), value: other })
          expect(findFalseValue(context, cells, changed), `${name}, byte ${byte}`).toBeDefined()
        }
      }
    }
  })

  test('that ends in another state has a false value, however much of it was made to fit', () => {
    const { rollup } = fundedRollup(5)
    const [trace] = traced(rollup, pay(0, 1, 0))
    if (trace === undefined) throw new Error('nothing was traced')
    const { values, cells } = trace
    // A richer payee: everything above his record is hashed anew.
    const other = traced(fundedRollup(5).rollup, pay(0, 1, 0, { amount: 12_345n }))[0]
    if (other === undefined) throw new Error('nothing was traced')
    const lie = values.map((value) =>
      value.name === 'operation' || value.rule.kind === 'given'
        ? value
        : { ...value, value: valueIn(other.values, value.name) ?? value.value },
    )
    expect(equalBytes(valueIn(lie, "state'") as Uint8Array, trace.after)).toBe(false)
    expect(findFalseValue(rollup.context, cells, lie)).toBe("0.record'")
  })

  test('of what is refused is the refusal', () => {
    const { rollup } = fundedRollup(5)
    const { tree, totals } = rollup.ledger
    const state = { cells: tree, totals, nodeAt: tree.nodeAt.bind(tree) }
    expect(traceOperation(rollup.context, state, pay(0, 1, 7))).toEqual({ ok: false, refusal: 'nonce-ahead' })
  })
})
