import { concatBytes } from '../src/bytes.ts'
import { type Account, encodeAccount } from '../src/cell.ts'
import { sha256, ZERO_HASH } from '../src/hash.ts'
import { comparePositions, type Position } from '../src/l1.ts'
import type { Operation } from '../src/operation.ts'
import { encodeTotals, GENESIS_TOTALS, type Totals } from '../src/totals.ts'
import { isQuickSigned, params } from './world.ts'

/**
 * The ledger once more, as plainly as the specification says it: a list of accounts, and every root hashed from all
 * leaves. It shares no rule with the code under test, only the layouts.
 */
export class Model {
  accounts: readonly Account[] = []
  totals: Totals = GENESIS_TOTALS

  /** Whether the operation stands; if so it is applied. */
  apply(operation: Operation, originHeight: number): boolean {
    switch (operation.kind) {
      case 'transfer':
        return this.transfer(operation, originHeight)
      case 'withdrawal':
        return this.withdraw(operation, originHeight)
      case 'deposit':
        return this.credit(operation)
      case 'collect':
        return this.collect(operation)
      case 'forced':
        return this.force(operation, originHeight)
    }
  }

  private transfer(operation: Operation & { kind: 'transfer' }, originHeight: number): boolean {
    const { from, to, toCell, nonce, amount, fee, expiry, mayCreate } = operation
    const payer = this.accounts[from]
    const creates = toCell === this.accounts.length
    if (payer === undefined || from === toCell || amount === 0n) return false
    if (creates ? !mayCreate : !owns(this.accounts[toCell], to)) return false
    if (nonce !== payer.nonce || originHeight > expiry || payer.balance < amount + fee) return false
    if (fee < params.fees.transfer + (creates ? params.fees.cell : 0n)) return false
    if (!isQuickSigned(payer.owner, operation)) return false
    this.set(from, { ...payer, nonce: nonce + 1n, balance: payer.balance - amount - fee })
    this.give(toCell, to, amount)
    this.totals = { ...this.totals, count: this.accounts.length, fees: this.totals.fees + fee }
    return true
  }

  /** It stands, whether or not what it carries does. */
  private force({ operation, position }: Operation & { kind: 'forced' }, originHeight: number): boolean {
    this.apply(operation, originHeight)
    this.totals = { ...this.totals, forcedCursor: position }
    return true
  }

  private withdraw(operation: Operation & { kind: 'withdrawal' }, originHeight: number): boolean {
    const { from, nonce, amount, payoutFee, fee, expiry } = operation
    const payer = this.accounts[from]
    if (payer === undefined || nonce !== payer.nonce || originHeight > expiry) return false
    if (fee < params.fees.transfer || payoutFee < params.fees.payout || amount - payoutFee < params.fees.dust)
      return false
    const taken = amount * 1000n
    if (payer.balance < taken + fee || !isQuickSigned(payer.owner, operation)) return false
    this.set(from, { ...payer, nonce: nonce + 1n, balance: payer.balance - taken - fee })
    const { fees, owed, withdrawals } = this.totals
    this.totals = { ...this.totals, fees: fees + fee, owed: owed + taken, withdrawals: withdrawals + 1 }
    return true
  }

  private credit(operation: Operation & { kind: 'deposit' }): boolean {
    const { cell, key, amount, position } = operation
    const cost = cell === this.accounts.length ? params.fees.cell : 0n
    if (cost === 0n && !owns(this.accounts[cell], key)) return false
    if (amount <= cost) return false
    this.give(cell, key, amount - cost)
    const { supply, fees } = this.totals
    const count = this.accounts.length
    this.totals = { ...this.totals, count, supply: supply + amount, fees: fees + cost, depositCursor: position }
    return true
  }

  private collect({ cell, amount }: Operation & { kind: 'collect' }): boolean {
    const cost = cell === this.accounts.length ? params.fees.cell : 0n
    if (cost === 0n && !owns(this.accounts[cell], params.keys.fees)) return false
    if (amount <= cost || amount > this.totals.fees) return false
    this.give(cell, params.keys.fees, amount - cost)
    this.totals = { ...this.totals, count: this.accounts.length, fees: this.totals.fees - amount + cost }
    return true
  }

  private give(cell: number, owner: Uint8Array, amount: bigint): void {
    const account = this.accounts[cell] ?? { owner, nonce: 0n, balance: 0n }
    this.set(cell, { ...account, balance: account.balance + amount })
  }

  private set(cell: number, account: Account): void {
    this.accounts = cell === this.accounts.length ? [...this.accounts, account] : this.accounts.with(cell, account)
  }

  root(): Uint8Array {
    const leaves = this.accounts.map((account) => sha256(encodeAccount(account)))
    return sha256(concatBytes(naiveRoot(leaves), sha256(encodeTotals(this.totals))))
  }

  /** What supply must equal. */
  sum(): bigint {
    return this.accounts.reduce((sum, { balance }) => sum + balance, this.totals.fees + this.totals.owed)
  }
}

function owns(account: Account | undefined, owner: Uint8Array): boolean {
  return account?.owner.every((byte, at) => byte === owner[at]) ?? false
}

/** The root over leaves padded with zeros up to a power of two. */
export function naiveRoot(leaves: readonly Uint8Array[]): Uint8Array {
  let width = 1
  while (width < leaves.length) width *= 2
  let row = Array.from({ length: width }, (_, at) => leaves[at] ?? ZERO_HASH)
  while (row.length > 1) {
    row = Array.from({ length: row.length / 2 }, (_, at) =>
      sha256(concatBytes(row[2 * at] as Uint8Array, row[2 * at + 1] as Uint8Array)),
    )
  }
  return row[0] as Uint8Array
}

/** The first of the deposits that lies behind a position. */
export function firstBehind<D extends { readonly position: Position }>(
  deposits: readonly D[],
  position: Position,
): D | undefined {
  return deposits.find((deposit) => comparePositions(deposit.position, position) > 0)
}
