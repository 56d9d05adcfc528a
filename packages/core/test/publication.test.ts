import { describe, expect, test } from 'vitest'
import { concatBytes, toHex } from '../src/bytes.ts'
import { Writer } from '../src/codec.ts'
import { MerkleLog, merkleRoot, rowOf } from '../src/merkle.ts'
import { operationId } from '../src/operation.ts'
import { decodePart, encodeParts, encodeWhole, readWhole } from '../src/publication.ts'
import { stepLeaves } from '../src/steps.ts'
import { type Batch, commit } from './rollup.ts'
import { bytes32, network } from './world.ts'

const place = { network, number: 7, parent: bytes32(6), origin: { height: 150, hash: bytes32(5) } }
const PRE = bytes32(1)

/** A batch of `count` operations that need not stand: a part says only what was committed to. */
function batchOf(count: number): Batch {
  const operations = Array.from({ length: count }, (_, at) => new Uint8Array(17 + (at % 40)).fill(at + 1))
  const stepRoots = rowOf(Array.from({ length: count }, (_, at) => bytes32(100 + at)))
  return commit(place, { pre: PRE, operations, stepRoots })
}

const COUNTS = [0, 1, 2, 3, 4, 5, 7, 8, 9, 16, 17]

describe.each(['data', 'steps'] as const)('%s', (kind) => {
  test.each(COUNTS)('of %i leaves: the whole proves itself', (count) => {
    const batch = batchOf(count)
    const part = decodePart(kind, batch.hash, encodeWhole(kind, batch))
    expect(part).toMatchObject({ start: 0, count, header: batch.header })
    expect(part?.operations).toEqual(kind === 'data' ? batch.operations : [])
    expect(toHex(part?.stepRoots ?? PRE)).toBe(kind === 'steps' ? toHex(batch.stepRoots) : '')
  })

  test.each(COUNTS)('of %i leaves: each part proves itself alone', (count) => {
    const batch = batchOf(count)
    for (const limit of [1, 2, 3, 5]) {
      const parts = encodeParts(kind, batch, limit).map((bytes) => decodePart(kind, batch.hash, bytes))
      expect(parts.every((part) => part !== undefined)).toBe(true)
      expect(parts.flatMap((part) => part?.operations ?? [])).toEqual(kind === 'data' ? batch.operations : [])
      const roots = concatBytes(...parts.map((part) => part?.stepRoots ?? PRE))
      expect(toHex(roots)).toBe(kind === 'steps' ? toHex(batch.stepRoots) : '')
    }
  })

  test('a part is refused for another batch, cut short, continued, or moved', () => {
    const batch = batchOf(9)
    for (const bytes of encodeParts(kind, batch, 4)) {
      expect(decodePart(kind, batchOf(8).hash, bytes)).toBeUndefined()
      expect(decodePart(kind, batch.hash, concatBytes(bytes, Uint8Array.of(0)))).toBeUndefined()
      for (let size = 0; size < bytes.length; size++)
        expect(decodePart(kind, batch.hash, bytes.slice(0, size))).toBeUndefined()
      const start = 369
      for (const at of [start, start + 1, start + 4, start + 7]) {
        expect(decodePart(kind, batch.hash, bytes.with(at, (bytes[at] as number) + 1))).toBeUndefined()
      }
    }
  })

  test('a changed byte behind the header is refused', () => {
    const batch = batchOf(6)
    for (const bytes of encodeParts(kind, batch, 4)) {
      for (let at = 377; at < bytes.length; at++) {
        expect(decodePart(kind, batch.hash, bytes.with(at, (bytes[at] as number) ^ 1))).toBeUndefined()
      }
    }
  })

  test('nobody can answer for a tree with something behind its last leaf', () => {
    const honest = batchOf(3)
    const leaves = kind === 'data' ? rowOf(honest.operations.map(operationId)) : stepLeaves(PRE, honest.stepRoots)
    const padded = concatBytes(leaves, bytes32(0xee))
    const batch = commit(place, honest, { [kind === 'data' ? 'opsRoot' : 'stepsRoot']: merkleRoot(padded) })
    const log = new MerkleLog()
    log.append(padded)
    const body = encodeWhole(kind, batch).slice(0, -2)
    expect(
      decodePart(kind, batch.hash, new Writer().fixed(body, body.length).hashes(log.prove(0, 3)).bytes),
    ).toBeUndefined()
    expect(decodePart(kind, batch.hash, encodeWhole(kind, batch))).toBeUndefined()
  })
})

test('the whole of a batch is read again without its proof', () => {
  const batch = batchOf(5)
  expect(readWhole(encodeWhole('data', batch))).toEqual(batch.operations)
})

test('a run of steps must begin at the state before the batch', () => {
  const batch = commit(place, { ...batchOf(4), pre: bytes32(2) }, { pre: PRE })
  expect(decodePart('steps', batch.hash, encodeWhole('steps', batch))).toBeUndefined()
})

test('steps that break off and go on elsewhere cannot be answered for, wherever the parts end', () => {
  const { operations, stepRoots } = batchOf(4)
  const elsewhere = bytes32(0xee)
  const [first, second] = [stepRoots.slice(0, 64), stepRoots.slice(64)]
  const leaves = concatBytes(stepLeaves(PRE, first), stepLeaves(elsewhere, second))
  const batch = commit(place, { pre: PRE, operations, stepRoots }, { stepsRoot: merkleRoot(leaves) })
  const log = new MerkleLog()
  log.append(leaves)
  const part = (start: number, from: number, roots: Uint8Array) =>
    new Writer()
      .sized(batch.headerBytes)
      .u32(start)
      .u32(2)
      .fixed(roots, roots.length)
      .hashes(log.prove(from, start + 2 - from)).bytes
  expect(decodePart('steps', batch.hash, part(0, 0, concatBytes(PRE, first)))).toBeDefined()
  expect(decodePart('steps', batch.hash, part(2, 2, concatBytes(elsewhere, second)))).toBeUndefined()
  for (const before of [first, concatBytes(first.slice(0, 32), elsewhere)]) {
    expect(decodePart('steps', batch.hash, part(2, 1, concatBytes(before, second)))).toBeUndefined()
  }
})
