import { headerSlotMessage, isSlotPoint, type Slot, tickMessage, toHex } from '@kedge/core'
import { schnorr, secp256k1 } from '@noble/curves/secp256k1.js'
import fc from 'fast-check'
import { verifySchnorr } from 'tiny-secp256k1'
import { describe, expect, test } from 'vitest'
import { xOnlyKey } from '../src/key.ts'
import { slotNonce, type TableId } from '../src/nonce.ts'
import { isSlotSignature, type SlotClaim } from '../src/slot-claim.ts'
import { extractSlotSecret, signSlot } from '../src/slot-signature.ts'
import { slotPath, slotTable, tableRoot, tickPoints } from '../src/slot-table.ts'

const bytes32 = fc.uint8Array({ minLength: 32, maxLength: 32 })
const secret = bytes32.filter((bytes) => secp256k1.utils.isValidSecretKey(bytes))
const of = (seed: number): Uint8Array => new Uint8Array(32).fill(seed)

const KEY = xOnlyKey(of(7))
const ID: TableId = { network: of(1), number: 9, salt: of(3) }
const TICKS = 11
const TABLE = slotTable(KEY, ID, tickPoints(KEY, ID, 0, TICKS))
const SLOTS: Slot[] = ['header', ...TABLE.ticks.keys()]
const slotOf = fc.constantFrom(...SLOTS)

function claim(slot: Slot, message: Uint8Array): SlotClaim {
  const signature = signSlot(KEY, TABLE, slot, message)
  const path = slotPath(TABLE, slot)
  return { key: KEY.publicKey, root: tableRoot(TABLE), ticks: TICKS, slot, path, signature, message }
}

describe('a signature for a slot', () => {
  test('is one of BIP340, by any key, with the nonce point of the table', () => {
    fc.assert(
      fc.property(secret, bytes32, slotOf, (seed, message, slot) => {
        const key = xOnlyKey(seed)
        expect(key.publicKey).toEqual(schnorr.getPublicKey(seed))
        const table = slotTable(key, ID, tickPoints(key, ID, 0, TICKS))
        const signature = signSlot(key, table, slot, message)
        expect(schnorr.verify(signature, message, key.publicKey)).toBe(true)
        expect(verifySchnorr(message, key.publicKey, signature)).toBe(true)
        expect(signature.slice(0, 32)).toEqual(slot === 'header' ? table.header.x : table.ticks[slot]?.x)
      }),
      { numRuns: 25 },
    )
  })

  test('holds for its slot and message, and is the same each time', () => {
    fc.assert(
      fc.property(bytes32, slotOf, (message, slot) => {
        const made = claim(slot, message)
        expect(isSlotSignature(made)).toBe(true)
        expect(claim(slot, message)).toEqual(made)
      }),
      { numRuns: 25 },
    )
  })

  test('holds for nothing else', () => {
    for (const slot of SLOTS) {
      const made = claim(slot, of(4))
      for (const other of SLOTS) expect(isSlotSignature({ ...made, slot: other })).toBe(other === slot)
      const wrong: Partial<SlotClaim>[] = [
        { message: of(5) },
        { message: new Uint8Array(31) },
        { key: schnorr.getPublicKey(of(8)) },
        { key: KEY.publicKey.slice(1) },
        { root: of(9) },
        { path: [] },
        { path: made.path.slice(0, -1) },
        { path: [...made.path, of(0)] },
        { path: made.path.map((hash) => hash.slice(1)) },
        { signature: made.signature.slice(0, 63) },
        { signature: made.signature.with(63, 0x55 ^ (made.signature[63] ?? 0)) },
      ]
      for (const change of wrong)
        expect(isSlotSignature({ ...made, ...change }), `${slot} ${Object.keys(change)}`).toBe(false)
    }
  })

  test('of a tick does not choose how long its table is', () => {
    for (const slot of TABLE.ticks.keys()) {
      const made = claim(slot, of(4))
      for (const ticks of [0, slot, TICKS + 6]) expect(isSlotSignature({ ...made, ticks })).toBe(false)
    }
  })

  test('with a nonce of its own choice is none, though BIP340 takes it', () => {
    const made = claim(3, of(4))
    const signature = schnorr.sign(of(4), KEY.secret)
    expect(schnorr.verify(signature, of(4), KEY.publicKey)).toBe(true)
    expect(isSlotSignature({ ...made, signature })).toBe(false)
  })

  test('of a slot behind the last is not made', () => {
    expect(() => signSlot(KEY, TABLE, TICKS, of(1))).toThrow('batch 9 has slots for 11 ticks, not for 11')
    expect(() => signSlot(KEY, TABLE, 0, new Uint8Array(33))).toThrow(RangeError)
    expect(() => slotTable(KEY, ID, [])).toThrow(RangeError)
  })
})

describe('a table that is longer than its points', () => {
  const leaves = 64
  const table = slotTable(KEY, ID, TABLE.ticks, leaves)

  test('signs as many ticks as it has points, each under a path of the whole length', () => {
    for (const slot of SLOTS) {
      const signature = signSlot(KEY, table, slot, of(4))
      const claimed = { key: KEY.publicKey, root: tableRoot(table), slot, signature, message: of(4) }
      const path = slotPath(table, slot)
      expect(isSlotSignature({ ...claimed, ticks: leaves, path })).toBe(true)
      expect(isSlotSignature({ ...claimed, ticks: TICKS, path })).toBe(slot === 'header')
      expect(signature).toEqual(signSlot(KEY, TABLE, slot, of(4)))
    }
    expect(() => signSlot(KEY, table, TICKS, of(1))).toThrow('batch 9 has slots for 11 ticks, not for 11')
  })

  test('has nothing behind them that anything could be signed with', () => {
    const zero = new Uint8Array(32)
    const path = [table.header.x, ...table.log.prove(TICKS)]
    expect(isSlotPoint(tableRoot(table), leaves, TICKS, zero, path)).toBe(true)
    expect(() => secp256k1.Point.fromHex(`02${toHex(zero)}`)).toThrow()
    for (const s of [0, 1, 7]) {
      const signature = new Uint8Array([...zero, ...zero.slice(1), s])
      expect(schnorr.verify(signature, of(4), KEY.publicKey)).toBe(false)
      expect(verifySchnorr(of(4), KEY.publicKey, signature)).toBe(false)
    }
  })
})

describe('two messages for one slot', () => {
  test('give the key to everybody', () => {
    fc.assert(
      fc.property(secret, bytes32, bytes32, slotOf, (seed, one, other, slot) => {
        fc.pre(toHex(one) !== toHex(other))
        const key = xOnlyKey(seed)
        const table = slotTable(key, ID, tickPoints(key, ID, 0, TICKS))
        const signed = [one, other].map((message) => ({ message, signature: signSlot(key, table, slot, message) }))
        const [first, second] = signed
        if (first === undefined || second === undefined) throw new Error('two messages')
        expect(extractSlotSecret(key.publicKey, first, second)).toEqual(key.secret)
        expect(extractSlotSecret(key.publicKey, second, first)).toEqual(key.secret)
      }),
      { numRuns: 25 },
    )
  })

  test('one message twice gives nothing, nor do two slots, another key, or a signature that is wrong', () => {
    const sign = (slot: Slot, message: Uint8Array) => ({ message, signature: signSlot(KEY, TABLE, slot, message) })
    const good = sign(2, of(4))
    expect(extractSlotSecret(KEY.publicKey, good, sign(2, of(4)))).toBeUndefined()
    expect(extractSlotSecret(KEY.publicKey, good, sign(3, of(5)))).toBeUndefined()
    expect(extractSlotSecret(schnorr.getPublicKey(of(8)), good, sign(2, of(5)))).toBeUndefined()
    const forged = { message: of(5), signature: good.signature }
    expect(extractSlotSecret(KEY.publicKey, good, forged)).toBeUndefined()
    const short = { message: of(5), signature: good.signature.slice(0, 40) }
    expect(extractSlotSecret(KEY.publicKey, good, short)).toBeUndefined()
  })
})

describe('nonces', () => {
  const hex = (id: TableId, slot: Slot, key = KEY) => toHex(slotNonce(key, id, slot))

  test('depend on key, network, number, salt and slot, each by itself', () => {
    const all = [
      ...SLOTS.map((slot) => hex(ID, slot)),
      hex({ ...ID, network: of(2) }, 0),
      hex({ ...ID, number: 10 }, 0),
      hex({ ...ID, salt: of(4) }, 0),
      hex(ID, 0, xOnlyKey(of(8))),
    ]
    expect(new Set(all).size).toBe(all.length)
    expect(hex({ ...ID }, 0)).toBe(hex(ID, 0))
  })

  test('are the same for both secrets of an x-only key', () => {
    const negative = secp256k1.Point.Fn.toBytes(secp256k1.Point.Fn.neg(secp256k1.Point.Fn.fromBytes(KEY.secret)))
    expect(xOnlyKey(negative)).toEqual(KEY)
  })

  test('of neighbours have differences that differ', () => {
    const { Fn } = secp256k1.Point
    const nonces = TABLE.ticks.map((_, index) => Fn.fromBytes(slotNonce(KEY, ID, index)))
    const offsets = nonces.flatMap((a, at) => nonces.slice(0, at).map((b) => String(Fn.sub(a, b))))
    expect(new Set(offsets).size).toBe(offsets.length)
  })

  test('a table put together from runs is the table made at once', () => {
    const runs = [tickPoints(KEY, ID, 0, 4), tickPoints(KEY, ID, 4, 1), tickPoints(KEY, ID, 5, 6)]
    expect(tableRoot(slotTable(KEY, ID, runs.flat()))).toEqual(tableRoot(TABLE))
  })

  test('no zero and no number beyond the order is a key', () => {
    expect(() => xOnlyKey(of(0))).toThrow(RangeError)
    expect(() => xOnlyKey(of(0xff))).toThrow(RangeError)
  })
})

test("a header's message is no tick's", () => {
  const tick = { number: 9, index: 0, origin: { height: 0, hash: of(0) }, parent: of(0), count: 0, opsRoot: of(0) }
  const messages = [
    headerSlotMessage(of(1), 9, of(2)),
    headerSlotMessage(of(1), 8, of(2)),
    tickMessage(of(1), tick, of(3)),
  ]
  expect(new Set(messages.map(toHex)).size).toBe(3)
})
