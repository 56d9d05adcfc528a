import { expect, test } from 'vitest'
import { concatBytes, toHex } from '../src/bytes.ts'
import { MerkleLog, merkleRoot, rowOf } from '../src/merkle.ts'
import {
  decodeReceipt,
  encodeReceipt,
  nonceRootOf,
  type Receipt,
  receiptHolds,
  type Tick,
  tickMessage,
} from '../src/receipt.ts'
import { signTick, tableRootOf } from './slots.ts'
import { bytes32, network, params } from './world.ts'

const ids = Array.from({ length: 11 }, (_, at) => bytes32(at + 1))

/** The promise over the first `count` operations, for one of them. */
function receiptOf(count: number, opIndex: number): Receipt {
  const log = new MerkleLog()
  log.append(rowOf(ids.slice(0, count)))
  const tick: Tick = {
    number: 3,
    index: 0,
    origin: { height: 110, hash: bytes32(9) },
    parent: bytes32(8),
    count,
    opsRoot: log.root(),
  }
  return { ...signTick(tick), opIndex, path: log.prove(opIndex) }
}

test('a receipt leads from its operation to its tick, and from no other', () => {
  for (const count of [1, 2, 3, 5, 8, 9, 11]) {
    for (let at = 0; at < count; at++) {
      const receipt = receiptOf(count, at)
      expect(receiptHolds(receipt, ids[at] as Uint8Array)).toBe(true)
      expect(receiptHolds(receipt, bytes32(0xee))).toBe(false)
      expect(receiptHolds({ ...receipt, opIndex: at + 1 }, ids[at] as Uint8Array)).toBe(false)
      expect(receiptHolds({ ...receipt, path: [...receipt.path, bytes32(0)] }, ids[at] as Uint8Array)).toBe(false)
      if (receipt.path.length > 0)
        expect(receiptHolds({ ...receipt, path: receipt.path.slice(1) }, ids[at] as Uint8Array)).toBe(false)
    }
  }
})

test('an index outside the tick holds nothing, whatever the tree has there', () => {
  const padded = merkleRoot(rowOf(ids.slice(0, 4)))
  const { tick, signature, slotPath } = receiptOf(3, 2)
  const path = [ids[2] as Uint8Array, merkleRoot(rowOf(ids.slice(0, 2)))]
  const forged: Receipt = { tick: { ...tick, opsRoot: padded }, signature, slotPath, opIndex: 3, path }
  expect(receiptHolds(forged, ids[3] as Uint8Array)).toBe(false)
  expect(
    receiptHolds({ ...forged, tick: { ...tick, count: 0, opsRoot: bytes32(0) }, opIndex: 0, path: [] }, bytes32(0)),
  ).toBe(false)
})

test('every field of a tick is signed', () => {
  const { tick } = receiptOf(3, 0)
  const variants: Tick[] = [
    tick,
    { ...tick, number: 4 },
    { ...tick, index: 1 },
    { ...tick, origin: { ...tick.origin, height: 111 } },
    { ...tick, origin: { ...tick.origin, hash: bytes32(1) } },
    { ...tick, parent: bytes32(1) },
    { ...tick, count: 4 },
    { ...tick, opsRoot: bytes32(1) },
  ]
  const root = bytes32(7)
  const messages = variants.map((one) => tickMessage(network, one, root))
  messages.push(tickMessage(bytes32(0), tick, root), tickMessage(network, tick, bytes32(0)))
  expect(new Set(messages.map(toHex)).size).toBe(messages.length)
})

test('the nonce is that of the tick’s slot, in the table of its batch, and in no other', () => {
  const receipt = receiptOf(3, 0)
  const { tick, slotPath } = receipt
  const { ticks } = params.caps
  const rootOf = (change: Partial<Receipt>, size = ticks) => nonceRootOf(size, { ...receipt, ...change })
  expect(rootOf({})).toEqual(tableRootOf(tick.number))
  expect(rootOf({ tick: { ...tick, index: 1 } })).not.toEqual(tableRootOf(tick.number))
  expect(rootOf({ signature: bytes32(1) })).not.toEqual(tableRootOf(tick.number))
  expect(rootOf({ tick: { ...tick, index: ticks } })).toBeUndefined()
  for (const path of [[], slotPath.slice(1), [...slotPath, bytes32(1)]])
    expect(rootOf({ slotPath: path })).toBeUndefined()
  expect(rootOf({}, 2 * ticks)).toBeUndefined()
})

test('at most 32 hashes and no byte more', () => {
  const receipt = receiptOf(5, 1)
  const bytes = encodeReceipt(receipt)
  expect(decodeReceipt(bytes)).toEqual(receipt)
  expect(decodeReceipt(concatBytes(bytes, Uint8Array.of(0)))).toBeUndefined()
  const long = { ...receipt, path: Array.from({ length: 33 }, () => bytes32(1)) }
  expect(decodeReceipt(encodeReceipt(long))).toBeUndefined()
  const deep = { ...receipt, slotPath: Array.from({ length: 18 }, () => bytes32(1)) }
  expect(decodeReceipt(encodeReceipt(deep))).toBeUndefined()
})
