import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type BatchContext, BatchExecution, checkBatch } from '../src/batch.ts'
import { concatBytes, toHex } from '../src/bytes.ts'
import { creditOf, type SweptDeposit } from '../src/deposit.ts'
import type { Due } from '../src/duty.ts'
import type { Forced, ForcedEntry } from '../src/forced.ts'
import { Ledger } from '../src/ledger.ts'
import { decodeOperation, encodeOperation, type Operation, operationId } from '../src/operation.ts'
import type { Transfer } from '../src/transfer.ts'
import type { Withdrawal } from '../src/withdrawal.ts'
import { factsOf, sweptAt } from './facts.ts'
import { firstBehind, Model } from './model.ts'
import { commit, contextOf, ledgerBytes } from './rollup.ts'
import { bytes32, CASES, FUZZ_TIMEOUT, network, params, quickKey, quickSign, quickWithdrawal } from './world.ts'

/** What somebody tries next; which cells and amounts it means depends on what there is. */
interface Try {
  readonly kind: number
  readonly who: number
  readonly whom: number
  readonly amount: bigint
  readonly flaw: number
}

const OPERATIONS = 50
const OWNERS = 12
const ORIGIN = { height: 110, hash: bytes32(110) }

const amounts = fc.oneof(
  fc.bigInt({ min: 0n, max: 300_000n }),
  fc.constantFrom(0n, 1n, 10n ** 7n, 2n ** 32n, 2n ** 63n, 2n ** 64n - 1n),
)
const tries = fc.record({
  kind: fc.nat(19),
  who: fc.nat(40),
  whom: fc.nat(40),
  amount: amounts,
  flaw: fc.nat(40),
})
const batches = fc.array(fc.array(tries, { maxLength: OPERATIONS, size: 'max' }), {
  minLength: 1,
  maxLength: 3,
  size: 'max',
})
const incoming = fc.array(fc.record({ who: fc.nat(OWNERS - 1), value: fc.bigInt({ min: 1_000n, max: 50_000n }) }), {
  minLength: 2,
  maxLength: 9,
})

const entries = fc.array(
  fc.record({
    ...{ from: fc.nat(3), nonce: fc.nat(2), whom: fc.nat(4), amount: amounts },
    ...{ isTransfer: fc.boolean(), mayCreate: fc.boolean() },
  }),
  { maxLength: 8 },
)
type Entry = typeof entries extends fc.Arbitrary<readonly (infer E)[]> ? E : never

/** What somebody forces: signed by whom the cell will belong to, as a rule. */
function entryOf(entry: Entry, at: number, owners: readonly number[]): ForcedEntry {
  const { from, nonce, whom, amount, isTransfer, mayCreate } = entry
  const owner = quickKey(owners[from] ?? 99)
  const plain = { from, nonce: BigInt(nonce) }
  const operation = isTransfer
    ? quickSign(owner, {
        ...plain,
        amount,
        to: quickKey(owners[whom] ?? 98),
        toCell: whom,
        mayCreate,
        fee: 10_100n,
      })
    : quickWithdrawal(owner, { ...plain, amount: amount % 30_000n })
  return { position: { height: 102 + 2 * at, tx: 2, index: 0 }, operation }
}

interface Duties {
  readonly swept: readonly SweptDeposit[]
  readonly forced: readonly ForcedEntry[]
}

function dutiesOf(received: readonly { readonly who: number; readonly value: bigint }[], list: readonly Entry[]) {
  const owners = [...new Set(received.map(({ who }) => who))]
  const all = {
    swept: received.map(({ who, value }, at) => sweptAt({ height: 102 + at, tx: 1, index: 1 }, quickKey(who), value)),
    forced: list.map((entry, at) => entryOf(entry, at, owners)),
  }
  const hashes = Array.from({ length: ORIGIN.height - params.scanHeight + 1 }, (_, at) =>
    bytes32(params.scanHeight + at),
  )
  const duties: Duties = {
    swept: all.swept.filter(({ position }) => position.height <= ORIGIN.height),
    forced: all.forced.filter(({ position }) => position.height <= ORIGIN.height - params.windows.forced),
  }
  return { facts: factsOf(hashes, all), duties }
}

/** What must come next, in the plainest words. */
function dueAt(duties: Duties, { totals, accounts }: Model, index: number): Due | undefined {
  const { deposits, forced } = params.caps
  const swept = firstBehind(duties.swept, totals.depositCursor)
  if (swept !== undefined && index < deposits) return { kind: 'deposit', swept }
  const entry = firstBehind(duties.forced, totals.forcedCursor)
  if (entry === undefined || index >= deposits + forced) return undefined
  return { kind: 'forced', operation: carrierOf(entry, accounts.length) }
}

function carrierOf({ position, operation }: ForcedEntry, count: number): Forced {
  if (operation.kind !== 'transfer' || !operation.mayCreate) return { kind: 'forced', position, operation }
  return { kind: 'forced', position, operation: { ...operation, toCell: count } }
}

function rightly(model: Model, due: Due): Operation {
  if (due.kind === 'forced') return due.operation
  return creditOf(params, due.swept, cellOf(model, due.swept.deposit.key))
}

/** The operation that is tried: sound, unless a flaw is asked for. */
function operationOf({ kind, who, whom, amount, flaw }: Try, model: Model, due: Due | undefined): Operation {
  const count = model.accounts.length
  if (kind === 0) return { kind: 'collect', cell: whom % (count + 2), amount }
  if (kind === 1) return collectRightly(model, amount)
  if (kind > 16 && due === undefined) return withdrawalOfTry(model, who % Math.max(count, 1), amount, flaw)
  if (kind === 2 && due?.kind === 'deposit') return creditOf(params, due.swept, whom % (count + 2))
  if (kind === 2 && due?.kind === 'forced') return elsewhere(due.operation, whom)
  if (kind > 4 && due !== undefined) return rightly(model, due)
  if (kind === 3)
    return { kind: 'deposit', position: { height: who, tx: whom, index: 0 }, key: quickKey(who), amount, cell: whom }
  const from = who % Math.max(count, 1)
  const known = (from + 1 + (whom % Math.max(count - 1, 1))) % Math.max(count, 1)
  return transferOfTry(model, from, kind > 9 ? known : whom % (count + 3), amount, flaw)
}

/** As from another place in its block, or to another cell. */
function elsewhere(forced: Forced, whom: number): Forced {
  const { position, operation } = forced
  if (operation.kind === 'withdrawal' || whom % 2 === 0)
    return { ...forced, position: { ...position, tx: 1 + (whom % 3) } }
  return { ...forced, operation: { ...operation, toCell: whom % 7 } }
}

function collectRightly(model: Model, amount: bigint): Operation {
  return { kind: 'collect', cell: cellOf(model, params.keys.fees), amount }
}

/** The cell that an owner has, or would get. */
function cellOf(model: Model, owner: Uint8Array): number {
  const at = model.accounts.findIndex((account) => toHex(account.owner) === toHex(owner))
  return at < 0 ? model.accounts.length : at
}

function transferOfTry(model: Model, from: number, toCell: number, amount: bigint, flaw: number): Transfer {
  const payer = model.accounts[from] ?? { owner: quickKey(0), nonce: 0n, balance: 0n }
  const right = {
    from,
    to: model.accounts[toCell]?.owner ?? quickKey(toCell % OWNERS),
    toCell,
    amount,
    nonce: payer.nonce,
    mayCreate: toCell >= model.accounts.length,
    fee: toCell >= model.accounts.length ? params.fees.transfer + params.fees.cell : params.fees.transfer,
  }
  const flaws: Record<number, Partial<Transfer>> = {
    1: { nonce: payer.nonce + 1n },
    2: { nonce: payer.nonce - (payer.nonce > 0n ? 1n : 0n) },
    3: { fee: params.fees.transfer - 1n },
    4: { expiry: ORIGIN.height - 1 },
    5: { expiry: ORIGIN.height },
    6: { to: quickKey(99) },
    7: { toCell: from },
    8: { amount: payer.balance - params.fees.transfer },
    9: { amount: payer.balance },
    10: { fee: 2n ** 64n - 1n },
    11: { from: model.accounts.length },
    13: { mayCreate: false },
    14: { fee: params.fees.transfer },
    15: { from: 2 ** 47 },
  }
  const payment = { ...right, ...flaws[flaw] }
  const amountInRange = payment.amount < 0n ? 0n : payment.amount
  return quickSign(flaw === 12 ? quickKey(77) : payer.owner, { ...payment, amount: amountInRange })
}

function withdrawalOfTry(model: Model, from: number, amount: bigint, flaw: number): Withdrawal {
  const payer = model.accounts[from] ?? { owner: quickKey(0), nonce: 0n, balance: 0n }
  const { fees } = params
  const most = (payer.balance - fees.transfer) / 1000n
  const right = { from, amount: amount % 10_000n, nonce: payer.nonce, payoutFee: fees.payout }
  const flaws: Record<number, Partial<Withdrawal>> = {
    1: { nonce: payer.nonce + 1n },
    2: { nonce: payer.nonce - (payer.nonce > 0n ? 1n : 0n) },
    3: { fee: fees.transfer - 1n },
    4: { expiry: ORIGIN.height - 1 },
    5: { expiry: ORIGIN.height },
    6: { payoutFee: fees.payout - 1n },
    7: { amount: fees.dust + fees.payout - 1n },
    8: { amount: fees.dust + fees.payout },
    9: { amount: most },
    10: { amount: most + 1n },
    11: { from: model.accounts.length },
    13: { amount: 2n ** 64n - 1n },
    14: { fee: 2n ** 64n - 1n },
    15: { payoutFee: 2n ** 64n - 1n },
  }
  const taking = { ...right, ...flaws[flaw] }
  return quickWithdrawal(flaw === 12 ? quickKey(77) : payer.owner, {
    ...taking,
    amount: taking.amount < 0n ? 0n : taking.amount,
  })
}

/** Builds one batch from what is tried, comparing each step with the model; gives the roots the model had. */
function build(context: BatchContext, ledger: Ledger, model: Model, duties: Duties, list: readonly Try[]) {
  const execution = new BatchExecution(context, ledger)
  const naive: Uint8Array[] = []
  for (const attempt of list) {
    const index = execution.count
    const due = dueAt(duties, model, index)
    const operation = operationOf(attempt, model, due)
    const wanted = isWanted(model, operation, due)
    const stood = wanted && model.apply(operation, ORIGIN.height)
    const refusal = execution.addBytes(encodeOperation(operation))
    expect(refusal === undefined, `${operation.kind}: ${refusal}`).toBe(stood)
    expect(execution.count).toBe(index + (stood ? 1 : 0))
    expect(model.sum()).toBe(model.totals.supply)
    expect(ledger.totals).toEqual(model.totals)
    if (stood) naive.push(model.root())
  }
  return { execution, naive }
}

function isWanted(model: Model, operation: Operation, due: Due | undefined): boolean {
  if (due === undefined) return operation.kind !== 'deposit' && operation.kind !== 'forced'
  const right = rightly(model, due)
  if (operation.kind !== 'deposit') return toHex(encodeOperation(operation)) === toHex(encodeOperation(right))
  return (
    right.kind === 'deposit' &&
    toHex(encodeOperation({ ...operation, cell: right.cell })) === toHex(encodeOperation(right))
  )
}

// A run tries 45 operations on average.
const RUNS = Math.ceil(CASES / 45)

test(
  'builder, checker and a plain model agree; undo and redo are exact; no money is made or lost',
  () => {
    fc.assert(
      fc.property(incoming, entries, batches, (received, forced, lists) => {
        const { facts, duties } = dutiesOf(received, forced)
        const context = contextOf(facts, ORIGIN)
        const [ledger, other, model] = [new Ledger(), new Ledger(), new Model()]
        for (const [number, list] of lists.entries()) {
          const before = ledgerBytes(ledger)
          const { execution, naive } = build(context, ledger, model, duties, list)
          execution.addDue(() => undefined)
          while (naive.length < execution.count) {
            model.apply(decodeOperation(execution.operations[naive.length] as Uint8Array) as Operation, ORIGIN.height)
            naive.push(model.root())
          }
          const sealed = execution.seal()
          expect(toHex(sealed.stepRoots)).toBe(toHex(concatBytes(...naive)))
          expect(toHex(sealed.post)).toBe(toHex(model.root()))
          const batch = commit({ network, number, parent: bytes32(1), origin: ORIGIN }, sealed)
          expect(toHex(batch.header.stepsRoot)).toBe(toHex(sealed.stepsRoot))
          expect(toHex(batch.header.opsRoot)).toBe(toHex(sealed.opsRoot))
          const after = ledgerBytes(ledger)
          const checked = checkBatch(context, other, batch.header, batch.operations, batch.operations.map(operationId))
          expect(checked.ok).toBe(true)
          expect(ledgerBytes(other)).toEqual(after)
          ledger.undo(sealed.delta)
          expect(ledgerBytes(ledger)).toEqual(before)
          ledger.redo(sealed.delta)
          expect(ledgerBytes(ledger)).toEqual(after)
        }
      }),
      { numRuns: RUNS },
    )
  },
  FUZZ_TIMEOUT,
)
