import { equalBytes, toHex } from '@kedge/core'
import { Packr } from 'msgpackr'
import { describe, expect, test } from 'vitest'
import {
  type Answer,
  type DataRequest,
  decodeAnswer,
  decodeRequest,
  encodeAnswer,
  encodeRequest,
  MAX_CONTROL,
} from '../src/control.ts'
import { hash } from './bytes.ts'

const LIMIT = 4 * 1024 * 1024
const plain = new Packr({ useRecords: false, variableMapSize: true })
const requests: DataRequest[] = (['header', 'data', 'steps'] as const).map((kind) => ({ headerHash: hash(3), kind }))
const answers: Answer[] = [
  { status: 'found', size: 0 },
  { status: 'found', size: 127 },
  { status: 'found', size: 128 },
  { status: 'found', size: 256 },
  { status: 'found', size: 65_536 },
  { status: 'found', size: LIMIT },
  { status: 'unknown', size: 0 },
  { status: 'busy', size: 0 },
  { status: 'failed', size: 0 },
]

describe('control messages', () => {
  test('come back as they went', () => {
    for (const request of requests) {
      expect(decodeRequest(encodeRequest(request))).toEqual({ ok: true, value: request })
    }
    for (const answer of answers) {
      expect(decodeAnswer(encodeAnswer(answer), LIMIT)).toEqual({ ok: true, value: answer })
    }
  })

  test('have a fixed form', () => {
    expect(Buffer.from(encodeRequest({ headerHash: hash(0xab), kind: 'data' })).toString('hex')).toBe(
      `82aa68656164657248617368c420${'ab'.repeat(32)}a46b696e64a464617461`,
    )
    expect(Buffer.from(encodeAnswer({ status: 'found', size: 300 })).toString('hex')).toBe(
      '82a6737461747573a5666f756e64a473697a65cd012c',
    )
  })

  test.each([
    ['no bytes', new Uint8Array(0)],
    ['another shape', plain.pack([1, 2])],
    ['a nested value', plain.pack({ headerHash: { a: 1 }, kind: 'data' })],
    ['an array value', plain.pack({ headerHash: [1], kind: 'data' })],
    ['null', plain.pack({ headerHash: null, kind: 'data' })],
    ['a short hash', plain.pack({ headerHash: new Uint8Array(31), kind: 'data' })],
    ['another kind', plain.pack({ headerHash: hash(1), kind: 'parts' })],
    ['a missing key', plain.pack({ kind: 'data' })],
    ['an unknown key', plain.pack({ headerHash: hash(1), kind: 'data', more: 1 })],
    ['another order', plain.pack({ kind: 'data', headerHash: hash(1) })],
    ['a date', plain.pack({ headerHash: new Date(0), kind: 'data' })],
    ['a repeated key', repeatedKey()],
    ['a longer form of the map', longMap()],
    ['a trailing byte', Buffer.concat([encodeRequest({ headerHash: hash(1), kind: 'data' }), Buffer.of(0)])],
    ['a missing byte', encodeRequest({ headerHash: hash(1), kind: 'data' }).slice(0, -1)],
    ['too many bytes', plain.pack({ headerHash: new Uint8Array(MAX_CONTROL), kind: 'data' })],
    ['an array of 4 billion', Uint8Array.of(0xdd, 0xff, 0xff, 0xff, 0xff)],
    ['a map of 4 billion', Uint8Array.of(0xdf, 0xff, 0xff, 0xff, 0xff)],
    ['a byte string of 4 billion', Uint8Array.of(0x81, 0xa1, 0x61, 0xc6, 0xff, 0xff, 0xff, 0xff)],
    ['an extension', Uint8Array.of(0x81, 0xa1, 0x61, 0xc7, 0x01, 0x74, 0x00)],
    ['a record', Uint8Array.of(0xd4, 0x72, 0x40, 0x91, 0xa1, 0x61, 0x01)],
  ])('a request is refused for %s', (_, bytes) => {
    const decoded = decodeRequest(bytes)
    expect(decoded.ok).toBe(false)
    expect(!decoded.ok && decoded.reason).toMatch(/\w/)
  })

  test.each([
    ['a size over the limit', plain.pack({ status: 'found', size: LIMIT + 1 })],
    ['a size of 64 bits', plain.pack({ status: 'found', size: 2n ** 40n })],
    ['a negative size', plain.pack({ status: 'found', size: -1 })],
    ['a fraction', plain.pack({ status: 'found', size: 1.5 })],
    ['a size with nothing found', plain.pack({ status: 'unknown', size: 1 })],
    ['another status', plain.pack({ status: 'maybe', size: 0 })],
    ['a longer form of a number', Buffer.from('82a6737461747573a5666f756e64a473697a65cd0001', 'hex')],
  ])('an answer is refused for %s', (_, bytes) => {
    expect(decodeAnswer(bytes, LIMIT).ok).toBe(false)
  })
})

test('no bytes make a decoder throw, and what it takes has one encoding', () => {
  const count = Number(process.env.KEDGE_FUZZ ?? 10_000)
  const start = Number(process.env.KEDGE_FUZZ_SEED ?? Math.floor(Math.random() * 2 ** 31))
  const random = xorshift(start)
  const seeds = [...requests.map(encodeRequest), ...answers.map(encodeAnswer), ...hostile()]
  let taken = 0
  for (let round = 0; round < count; round++) {
    const bytes = mutate(seeds[random(seeds.length)] ?? new Uint8Array(0), random)
    const before = bytes.slice()
    const request = decodeRequest(bytes)
    const answer = decodeAnswer(bytes, LIMIT)
    const again = request.ok ? encodeRequest(request.value) : answer.ok ? encodeAnswer(answer.value) : bytes
    if (request.ok || answer.ok) taken++
    if ((request.ok && answer.ok) || !equalBytes(again, bytes) || !equalBytes(before, bytes)) {
      expect.fail(`seed ${start}, round ${round}: ${toHex(before)}`)
    }
  }
  expect(taken).toBeGreaterThan(count / 100)
  expect(taken).toBeLessThan(count)
}, 600_000)

/** What each extension and container of MessagePack looks like, for the fuzzer to bend. */
function hostile(): Uint8Array[] {
  const rich = new Packr({ moreTypes: true, structuredClone: true })
  const values: unknown[] = [
    new Date(),
    new Set([1]),
    new Map([[1, 2]]),
    /a/g,
    new Error('x'),
    new Float64Array(2),
    2n ** 70n,
  ]
  return [
    ...values.map((size) => rich.pack({ status: 'found', size })),
    plain.pack([[[[[[[[]]]]]]]]),
    rich.pack({ a: 1 }),
  ]
}

function repeatedKey(): Uint8Array {
  const once = encodeRequest({ headerHash: hash(1), kind: 'data' })
  return Uint8Array.of(0x83, ...once.slice(1), ...once.slice(-10))
}

function longMap(): Uint8Array {
  return Uint8Array.of(0xde, 0, 2, ...encodeRequest({ headerHash: hash(1), kind: 'data' }).slice(1))
}

/** Changes, drops, doubles or adds a few bytes; sometimes leaves all as they are, sometimes keeps none. */
function mutate(bytes: Uint8Array, random: (below: number) => number): Uint8Array {
  let changed = Array.from(bytes)
  if (random(16) === 0) changed = Array.from({ length: random(200) }, () => random(256))
  for (let edits = random(4); edits > 0; edits--) {
    const at = random(changed.length + 1)
    const edit = random(4)
    if (edit === 0) changed[at] = random(256)
    if (edit === 1) changed.splice(at, 1 + random(4))
    if (edit === 2) changed.splice(at, 0, ...changed.slice(at, at + random(8)))
    if (edit === 3) changed.splice(at, 0, random(256))
  }
  return Uint8Array.from(changed)
}

/** Numbers below a bound, the same for the same seed. */
function xorshift(seed: number): (below: number) => number {
  let state = seed | 1
  return (below) => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) % below
  }
}
