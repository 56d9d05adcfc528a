import { toHex } from '@kedge/core'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  decodeCosignerMessage,
  decodeLeaderMessage,
  decodeRecord,
  encodeCosignerMessage,
  encodeLeaderMessage,
  encodeRecord,
} from '../src/cosign-codec.ts'
import type { BondRecord, CosignerMessage, LeaderMessage } from '../src/cosign-message.ts'
import { of } from './ground.ts'
import { BOND, DETECTOR, KEYS, termsFor } from './parties.ts'

const TERMS = termsFor(BOND, [DETECTOR, DETECTOR], new Uint8Array([0x51, 0x20, ...KEYS.return]))
const bytes = (size: number) => new Uint8Array(size).fill(size)
const session = bytes(16)

const LEADER: LeaderMessage[] = [
  { kind: 'open', session, stage: 'slash', terms: TERMS, slashes: [] },
  { kind: 'open', session, stage: 'return', terms: TERMS, slashes: [bytes(64), bytes(64)] },
  { kind: 'sign', session, nonces: [[bytes(66)], [bytes(66), bytes(66)], []] },
  { kind: 'done', setup: of(1), returned: bytes(64) },
]
const COSIGNER: CosignerMessage[] = [
  { kind: 'nonces', session, nonces: [bytes(66), bytes(66)] },
  { kind: 'partials', session, partials: [bytes(32)] },
  { kind: 'refusal', session, reason: 'conflict', detail: 'it belongs to another setup' },
]
const RECORDS: BondRecord[] = [
  { terms: TERMS, slashes: [], returned: undefined },
  { terms: TERMS, slashes: [bytes(64)], returned: bytes(64) },
]

interface Codec<T> {
  readonly encode: (value: T) => Uint8Array
  readonly decode: (bytes: Uint8Array) => T | undefined
  readonly values: readonly T[]
}

function check<T>({ encode, decode, values }: Codec<T>): void {
  test.each(values)('comes back: %#', (value) => {
    const encoded = encode(value)
    expect(decode(encoded)).toEqual(value)
    expect(decode(new Uint8Array([...encoded, 0]))).toBeUndefined()
    for (let size = 0; size < encoded.length; size++) expect(decode(encoded.slice(0, size))).toBeUndefined()
  })

  test('what decodes is what encodes to the same bytes; nothing throws', () => {
    const mutated = fc.tuple(fc.constantFrom(...values.map(encode)), fc.nat(), fc.nat(255)).map(([whole, at, byte]) => {
      return whole.with(at % whole.length, byte)
    })
    fc.assert(
      fc.property(fc.oneof(mutated, fc.uint8Array({ maxLength: 400 })), (input) => {
        const value = decode(input)
        if (value !== undefined) expect(toHex(encode(value))).toBe(toHex(input))
      }),
      { numRuns: 10_000 },
    )
  })
}

describe("the leader's message", () => {
  check({ encode: encodeLeaderMessage, decode: decodeLeaderMessage, values: LEADER })
})
describe("a co-signer's message", () => {
  check({ encode: encodeCosignerMessage, decode: decodeCosignerMessage, values: COSIGNER })
})
describe('a record', () => {
  check({ encode: encodeRecord, decode: decodeRecord, values: RECORDS })
})

test('a long reason is cut, and an odd one cleaned', () => {
  const detail = `\u001b${'x'.repeat(1_000)}`
  const decoded = decodeCosignerMessage(encodeCosignerMessage({ kind: 'refusal', session, reason: 'terms', detail }))
  expect(decoded).toMatchObject({ detail: `?${'x'.repeat(299)}` })
})
