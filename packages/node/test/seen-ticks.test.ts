import { publicKeyOf } from '@kedge/bitcoin'
import {
  decodeReceipt,
  encodeReceipt,
  networkId,
  type Params,
  type Receipt,
  regtestRules,
  ZERO_HASH,
} from '@kedge/core'
import { SlotSigner } from '@kedge/regtest'
import { expect, it } from 'vitest'
import { SeenTicks, type WatchTick } from '../src/seen-ticks.ts'
import { secretOf } from './ground.ts'

const SLOT = secretOf(3)

const nowhere = { txid: ZERO_HASH, vout: 0 }
const key = publicKeyOf(SLOT)
const params: Params = {
  ...regtestRules,
  caps: { ...regtestRules.caps, ticks: 8 },
  keys: { anchor: key, slot: key, fees: key, watchers: [key], threshold: 1 },
  genesis: nowhere,
  vault: { ...nowhere, value: 1n },
  scanHeight: 1,
}
const signer = new SlotSigner(params, SLOT)

function tick(number: number, index: number): Receipt {
  const place = { number, index, origin: { height: 1, hash: ZERO_HASH }, parent: ZERO_HASH }
  return { ...signer.sign({ ...place, count: index + 1, opsRoot: ZERO_HASH }), opIndex: 0, path: [] }
}

const forged = (number: number, index: number): Receipt => ({ ...tick(number, index), signature: tick(1, 0).signature })

function open(watch?: WatchTick) {
  const seen = new SeenTicks(params, networkId(params), watch)
  const newest = () => {
    const bytes = seen.newest()
    const known = bytes && decodeReceipt(bytes)?.tick
    return known && [known.number, known.index]
  }
  const listener = seen.listen()
  return { seen, newest, listener, take: (receipt: Receipt) => listener.take(encodeReceipt(receipt)) }
}

it('knows the newest tick that it was told, whatever comes behind it', () => {
  const { newest, take } = open()
  expect(newest()).toBeUndefined()
  for (const [number, index] of [
    [1, 0],
    [1, 3],
    [2, 1],
    [1, 4],
    [2, 0],
  ] as const)
    expect(take(tick(number, index))).toBe(true)
  expect(newest()).toEqual([2, 1])
  expect(take(tick(2, 2))).toBe(true)
  expect(newest()).toEqual([2, 2])
})

it('keeps what came last over a stream that has ended', () => {
  const { newest, take, listener } = open()
  take(tick(1, 0))
  take(tick(1, 1))
  listener.end()
  expect(newest()).toEqual([1, 1])
})

it('believes nothing that is not signed, and has its peer blamed', () => {
  const { newest, take, seen } = open()
  expect(take(forged(7, 0))).toBe(false)
  expect(newest()).toBeUndefined()
  expect(seen.listen().take(Uint8Array.of(1))).toBe(false)
  expect(seen.note(forged(7, 0))).toBe(false)
})

it('is not kept from what others tell by one that tells more than was signed', () => {
  const { seen, newest, take } = open()
  expect(take(tick(1, 0))).toBe(true)
  expect(take(forged(9, 0))).toBe(true)
  const other = seen.listen()
  other.take(encodeReceipt(tick(1, 1)))
  other.take(encodeReceipt(tick(1, 2)))
  expect(newest()).toEqual([1, 2])
  expect(take(tick(1, 3))).toBe(false)
  expect(newest()).toEqual([1, 2])
})

it('knows what it signed, and what it passed on', () => {
  const { seen, newest } = open()
  seen.noteOwn(tick(1, 1))
  seen.noteOwn(tick(1, 0))
  expect(newest()).toEqual([1, 1])
  expect(seen.note(tick(1, 2))).toBe(true)
  expect(newest()).toEqual([1, 2])
})

it('tells who watches of each that comes, however old, and blames a peer for what is found false', () => {
  const told: (readonly [number, number])[] = []
  const { seen, take } = open(({ tick: { number, index } }) => {
    told.push([number, index])
    return number < 9
  })
  expect(take(tick(2, 1))).toBe(true)
  expect(take(tick(1, 0))).toBe(true)
  expect(seen.note(tick(1, 1))).toBe(true)
  expect(seen.note(tick(9, 1))).toBe(false)
  expect(take(tick(9, 0))).toBe(false)
  expect(take(tick(2, 2))).toBe(false)
  expect(told).toEqual([
    [2, 1],
    [1, 0],
    [1, 1],
    [9, 1],
    [9, 0],
  ])
})
