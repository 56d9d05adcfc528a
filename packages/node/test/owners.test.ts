import { Ledger } from '@kedge/core'
import { expect, it } from 'vitest'
import { OwnerIndex } from '../src/owners.ts'

const key = (seed: number) => {
  const bytes = new Uint8Array(32).fill(seed)
  new DataView(bytes.buffer).setUint32(0, seed)
  return bytes
}

/** A ledger beside its index: makes cells as one batch does, and gives the delta to take them back with. */
function start() {
  const ledger = new Ledger()
  const make = (...seeds: readonly number[]) => {
    for (const seed of seeds) {
      const { count } = ledger.totals
      const account = { owner: key(seed), nonce: 0n, balance: 5n }
      ledger.apply([{ cell: count, account }], { ...ledger.totals, count: count + 1 })
    }
    return ledger.seal().delta
  }
  return { ledger, make, owners: new OwnerIndex(ledger.tree) }
}

it('finds the owner of a cell that was taken back and made anew while nobody asked', () => {
  const { ledger, make, owners } = start()
  const delta = make(1)
  expect(owners.find(key(1))).toBe(0)
  ledger.undo(delta)
  make(2)
  expect([1, 2].map((seed) => owners.findAll(key(seed)))).toEqual([[], [0]])
})

it('finds owners behind such cells, and those that a record of another line makes', () => {
  const { ledger, make, owners } = start()
  make(1, 2)
  const first = make(3, 4)
  ledger.undo(first)
  const second = make(4, 3, 5)
  expect([1, 2, 3, 4, 5].map((seed) => owners.find(key(seed)))).toEqual([0, 1, 3, 2, 4])
  ledger.undo(second)
  ledger.redo(first)
  expect([1, 2, 3, 4, 5].map((seed) => owners.find(key(seed)))).toEqual([0, 1, 2, 3, undefined])
})

it('finds the owners of a batch that was abandoned and built anew with others', () => {
  const { ledger, make, owners } = start()
  make(1)
  ledger.apply([{ cell: 1, account: { owner: key(2), nonce: 0n, balance: 5n } }], { ...ledger.totals, count: 2 })
  expect(owners.find(key(2))).toBe(1)
  ledger.abandon()
  make(3)
  expect([1, 2, 3].map((seed) => owners.find(key(seed)))).toEqual([0, undefined, 1])
})

it('has room for ever more owners of one cell', () => {
  const { ledger, make, owners } = start()
  for (let seed = 1; seed <= 3000; seed++) {
    const delta = make(seed)
    expect(owners.find(key(seed))).toBe(0)
    ledger.undo(delta)
  }
  expect(owners.find(key(1))).toBeUndefined()
})
