import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Anchor, encodeMessage } from '@kedge/core'
import { anchorTransactions, intents, links, type SignedRecord, Store } from '@kedge/storage'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Intents } from '../src/intents.ts'

const hashOf = (seed: number): Uint8Array => new Uint8Array(32).fill(seed)
const anchor = (number: number, seed = number): Anchor => ({
  kind: 'batch',
  headerHash: hashOf(seed),
  word: hashOf(seed),
  mark: hashOf(seed).slice(0, 7),
})
const signed: SignedRecord = { raw: hashOf(1), txid: hashOf(2), fee: 3n, vsize: 4, sentAt: 5 }

describe('intents', () => {
  let folder: string
  let store: Store

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'kedge-intents-'))
    store = await Store.open(folder, hashOf(0))
  })

  afterEach(async () => {
    await store.close()
    rmSync(folder, { recursive: true })
  })

  async function bind(held: Intents, number: number): Promise<void> {
    await store.commit([held.propose(number, anchor(number))])
    held.noted(number, anchor(number))
  }

  test('are found again, with what was signed for them', async () => {
    const held = await Intents.load(store)
    for (const number of [7, 8, 9]) await bind(held, number)
    const eight = held.get(8)
    if (eight === undefined) throw new Error('8 was bound')
    await held.addVersion(eight, signed)
    const again = await Intents.load(store)
    expect([again.first, again.last, again.all.length]).toEqual([7, 9, 3])
    expect(again.get(8)).toEqual({
      number: 8,
      record: { payload: encodeMessage(anchor(8)), headerHash: hashOf(8) },
      versions: [signed],
    })
  })

  test('there is one anchor a number, over crashes too', async () => {
    const held = await Intents.load(store)
    await bind(held, 1)
    expect(held.propose(1, anchor(1))).toEqual(
      intents.put(1, { payload: encodeMessage(anchor(1)), headerHash: hashOf(1) }),
    )
    expect(() => held.propose(1, anchor(1, 99))).toThrow('number 1 is bound to another anchor')
    const again = await Intents.load(store)
    expect(() => again.propose(1, anchor(1, 99))).toThrow('number 1 is bound to another anchor')
  })

  test('one that was handed out counts, though nobody knows yet whether it is on disk', async () => {
    const held = await Intents.load(store)
    held.propose(1, anchor(1))
    expect(() => held.propose(1, anchor(1, 99))).toThrow('number 1 is bound to another anchor')
    expect(() => held.noted(1, anchor(1, 99))).toThrow('was never asked for')
    // After a crash before the commit, nothing was ever said.
    expect((await Intents.load(store)).propose(1, anchor(1, 99))).toBeDefined()
  })

  test('numbers leave no gap and never go back', async () => {
    const held = await Intents.load(store)
    await bind(held, 4)
    for (const number of [6, 3, 1])
      expect(() => held.propose(number, anchor(number))).toThrow('out of turn: the next number is 5')
  })

  test('numbers that Bitcoin gave to others are left out', async () => {
    const held = await Intents.load(store)
    await bind(held, 4)
    held.sawLinks(7)
    expect(() => held.propose(5, anchor(5))).toThrow('the next number is 8')
    await bind(held, 8)
    expect([held.first, held.last, held.get(6)]).toEqual([4, 8, undefined])
    await store.commit([links.put(9, { number: 9, outcome: 'null', height: 1, txid: hashOf(9) })])
    expect(() => held.propose(10, anchor(10))).toThrow('the next number is 9')
    expect((await Intents.load(store)).propose(10, anchor(10))).toBeDefined()
  })

  test('those buried under a thousand final ones are forgotten, and still never bound again', async () => {
    const held = await Intents.load(store)
    for (const number of [1, 2, 3]) await bind(held, number)
    await held.forgetBuried(1_003)
    expect([held.first, held.last, held.all.length]).toEqual([3, 3, 1])
    expect(await store.get(intents, 2)).toBeUndefined()
    expect(() => held.propose(2, anchor(2, 99))).toThrow('out of turn')
    expect((await Intents.load(store)).all.length).toBe(1)
  })

  test('transactions without an intent are damage, not data', async () => {
    await store.commit([anchorTransactions.put(1, [signed])])
    await expect(Intents.load(store)).rejects.toThrow('stored without their intent')
  })
})
