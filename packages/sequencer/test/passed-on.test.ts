import { encodeTransfer, TRANSFER_BYTES, ZERO_HASH } from '@kedge/core'
import type { IntakeResult } from '@kedge/node'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { keyOf, type Sequencer, Workshop } from './workshop.ts'

const [ALICE, BOB, EVE, CAROL] = [20, 21, 22, 23]
/** More than what goes before larger requests. */
const FEW = 20
const MANY = 1000

let workshop: Workshop
let sequencer: Sequencer
let nonce = 0n

beforeAll(async () => {
  workshop = await Workshop.start(200)
  sequencer = await workshop.open(1e9)
  await sequencer.turn()
  for (const seed of [ALICE, EVE]) await workshop.deposit(keyOf(seed), 100_000n)
  for (let block = 0; block < 6; block++) {
    await workshop.bitcoind.mine(1)
    await sequencer.turn()
  }
  expect(sequencer.node.executor.ledger.totals.count).toBe(2)
}, 60_000)

afterAll(async () => {
  await sequencer.crash()
  await workshop.stop()
})

const repeat = (row: Uint8Array, times: number): Uint8Array => Buffer.concat(Array(times).fill(row))

/** Eve's, signed, and never to be executed: a nonce that is far ahead. */
const vain = () => workshop.signed(EVE, { from: 1, to: keyOf(BOB), amount: 1n, nonce: 1_000_000n })

const alices = (rows: number): Uint8Array =>
  Buffer.concat(
    Array.from({ length: rows }, () => workshop.signed(ALICE, { from: 0, to: keyOf(BOB), amount: 5n, nonce: nonce++ })),
  )

/** From a cell, with nobody's signature. */
function forged(from: number, rows: number): Uint8Array {
  const plain = { kind: 'transfer', from, to: keyOf(BOB), toCell: 0, mayCreate: true, nonce: 1_000_000n } as const
  const terms = { amount: 1n, fee: 1_000_000n, expiry: 0xffffffff, memo: ZERO_HASH, signature: new Uint8Array(64) }
  return repeat(encodeTransfer({ ...plain, ...terms }), rows)
}

/** Everybody who follows Bitcoin knows the cells that there are now. */
async function settle(): Promise<void> {
  expect(await passOn('anybody', { alice: alices(1) })).toEqual(['alice: ok'])
  for (let block = 0; block < 7; block++) {
    await workshop.bitcoind.mine(1)
    await sequencer.turn()
  }
}

const codesOf = (results: readonly IntakeResult[]) => new Set(results.map((result) => (result.ok ? 'ok' : result.code)))

/** What a peer passes on, several requests at once: in which order they are answered. */
async function passOn(address: string, requests: Readonly<Record<string, Uint8Array>>): Promise<string[]> {
  const done: string[] = []
  await Promise.all(
    Object.entries(requests).map(async ([name, rows]) => {
      expect(rows.length % TRANSFER_BYTES).toBe(0)
      const codes = await sequencer.intake.submit({ kind: 'transfer', rows }, { address }).then(codesOf)
      done.push(`${name}: ${[...codes].join(', ')}`)
    }),
  )
  return done
}

it('a gateway does not answer for what its clients signed, and these do', async () => {
  const eves = repeat(vain(), MANY)
  expect(await passOn('gateway', { eve: eves })).toEqual(['eve: nonce-ahead'])
  const together = { first: eves, second: eves, alice: alices(FEW) }
  const order = await passOn('gateway', together)
  // Eve's come one at a time; as a stranger the gateway itself would have had to wait behind both.
  expect(order).toEqual(['first: nonce-ahead', 'alice: ok', 'second: nonce-ahead'])
  const mixed = await passOn('gateway', { mixed: Buffer.concat([vain(), alices(2)]) })
  expect(mixed).toEqual(['mixed: nonce-ahead, ok'])
})

it('who passes on what nobody signed answers for it, and not whose name stands there', async () => {
  await settle()
  const forgeries = forged(0, MANY)
  expect(await passOn('liar', { forgeries })).toEqual(['forgeries: bad-signature'])
  const eves = repeat(vain(), MANY)
  const order = await passOn('gateway', { first: eves, second: eves, alice: alices(FEW) })
  expect(order).toEqual(['first: nonce-ahead', 'alice: ok', 'second: nonce-ahead'])
  const behind = await passOn('liar', { first: forgeries, second: forgeries, alice: alices(FEW) })
  expect(behind).toEqual(['first: bad-signature', 'second: bad-signature', 'alice: ok'])
})

it('but not for cells that it can’t know yet', async () => {
  const eves = repeat(vain(), MANY)
  const newest = sequencer.node.executor.ledger.tree.count
  const carol = workshop.signed(ALICE, { from: 0, to: keyOf(CAROL), amount: 5_000n, nonce: nonce++ })
  expect(await passOn('gateway', { carol })).toEqual(['carol: ok'])
  expect(sequencer.node.executor.ledger.tree.owner(newest)).toEqual(keyOf(CAROL))
  const forgeries = forged(newest, MANY)
  expect(await passOn('innocent', { forgeries })).toEqual(['forgeries: bad-signature'])
  const order = await passOn('innocent', { first: eves, second: eves, alice: alices(FEW) })
  expect(order).toEqual(['first: nonce-ahead', 'alice: ok', 'second: nonce-ahead'])
  await settle()
  expect(await passOn('innocent', { forgeries })).toEqual(['forgeries: bad-signature'])
  const behind = await passOn('innocent', { first: eves, second: eves, alice: alices(FEW) })
  expect(behind.at(-1)).toBe('alice: ok')
})
