import type { BatchContext } from '../src/batch.ts'
import { concatBytes } from '../src/bytes.ts'
import type { Ledger } from '../src/ledger.ts'
import {
  applyOperation,
  type CellUpdate,
  type Context,
  decodeOperation,
  encodeOperation,
  type Operation,
} from '../src/operation.ts'
import type { Totals } from '../src/totals.ts'
import type { Transfer } from '../src/transfer.ts'
import type { Withdrawal } from '../src/withdrawal.ts'
import { depositTransaction } from './bitcoin.ts'
import { type Batch, type Content, type Rollup, startedRollup } from './rollup.ts'
import {
  isQuickSigned,
  isSigned,
  keyOf,
  type Payment,
  params,
  quickKey,
  quickSign,
  quickWithdrawal,
  secretOf,
  sign,
  signWithdrawal,
  type Taking,
} from './world.ts'

/** Who owns the cells, and how they sign. */
export interface Owners {
  readonly key: (owner: number) => Uint8Array
  readonly sign: (owner: number, payment: Payment) => Transfer
  readonly signWithdrawal: (owner: number, taking: Taking) => Withdrawal
  readonly isSigned: Context['isSigned']
}

/** Any number of them, at no cost. */
const quickOwners: Owners = {
  key: quickKey,
  sign: (owner, payment) => quickSign(quickKey(owner), payment),
  signWithdrawal: (owner, taking) => quickWithdrawal(quickKey(owner), taking),
  isSigned: isQuickSigned,
}

const realKeys = Array.from({ length: 12 }, (_, at) => keyOf(41 + at))

/** A dozen, with keys and signatures as Bitcoin has them. */
export const realOwners: Owners = {
  key: (owner) => realKeys[owner] as Uint8Array,
  sign: (owner, payment) => sign(secretOf(41 + owner), payment),
  signWithdrawal: (owner, taking) => signWithdrawal(secretOf(41 + owner), taking),
  isSigned,
}

/** A rollup on which `count` accounts hold 100,000 sat each: cell i is owner i's. */
export function fundedRollup(count = 5, owners = quickOwners): { rollup: Rollup; last: Batch } {
  const rollup = startedRollup(owners.isSigned)
  rollup.mine(
    ...rollup.swept(...Array.from({ length: count }, (_, at) => depositTransaction(owners.key(at), 100_000n))),
  )
  let last = rollup.build()
  rollup.post(last)
  while (rollup.ledger.tree.count < count) {
    last = rollup.build()
    rollup.post(last)
  }
  return { rollup, last }
}

/** A transfer from cell to cell. */
export function pay(
  from: number,
  to: number,
  nonce: number,
  more: Partial<Payment> = {},
  owners = quickOwners,
): Transfer {
  const plain = { from, to: owners.key(to), toCell: to, amount: 1000n, nonce: BigInt(nonce) }
  return owners.sign(from, { ...plain, ...more })
}

/** A transfer that creates the cell `to`. */
export function payNew(from: number, to: number, nonce: number, owners = quickOwners): Transfer {
  return pay(from, to, nonce, { mayCreate: true, fee: params.fees.transfer + params.fees.cell }, owners)
}

/** A withdrawal of 5,000 sat from a cell. */
export function withdraw(from: number, nonce: number, more: Partial<Taking> = {}, owners = quickOwners): Withdrawal {
  return owners.signWithdrawal(from, { from, nonce: BigInt(nonce), amount: 5_000n, ...more })
}

/** What a rigged step leaves behind, given what it started from. */
export type Rig = (
  ledger: Ledger,
  operation: Operation | undefined,
) => { updates: readonly CellUpdate[]; totals: Totals }

/** Commits to a false outcome of operation `at`; the others are executed as they should be. */
export function rig(
  context: BatchContext,
  ledger: Ledger,
  operations: readonly (Operation | Uint8Array)[],
  at: number,
  how: Rig,
): Content {
  const encoded = operations.map((operation) =>
    operation instanceof Uint8Array ? operation : encodeOperation(operation),
  )
  const pre = ledger.root
  encoded.forEach((bytes, index) => {
    const operation = decodeOperation(bytes)
    const outcome = index === at ? how(ledger, operation) : operation && honestly(context, ledger, operation)
    if (outcome === undefined) throw new Error(`operation ${index} does not decode`)
    ledger.apply(outcome.updates, outcome.totals)
  })
  const { roots, delta } = ledger.seal()
  return { pre, operations: encoded, stepRoots: roots, delta }
}

function honestly(context: BatchContext, ledger: Ledger, operation: Operation) {
  const outcome = applyOperation(context, ledger.tree, ledger.totals, operation)
  if (!outcome.ok) throw new Error(`an operation beside the rigged one is refused: ${outcome.refusal}`)
  return outcome
}

/** The step that changes nothing: what a liar commits to for an operation that can't stand. */
export const nothing: Rig = (ledger) => ({ updates: [], totals: ledger.totals })

/** The right step, and `amount` more for `cell` out of nowhere. */
export function mint(context: BatchContext, cell: number, amount: bigint): Rig {
  return (ledger, operation) => {
    const { updates, totals } = honestly(context, ledger, operation as Operation)
    return {
      totals,
      updates: updates.map((update) =>
        update.cell === cell
          ? { cell, account: { ...update.account, balance: update.account.balance + amount } }
          : update,
      ),
    }
  }
}

/** Step roots with one of them, or all from one on, replaced. */
export function withRoot(stepRoots: Uint8Array, at: number, root: Uint8Array): Uint8Array {
  return concatBytes(stepRoots.slice(0, 32 * at), root, stepRoots.slice(32 * at + 32))
}
