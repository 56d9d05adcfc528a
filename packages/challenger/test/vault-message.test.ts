import { publicKeyOf } from '@kedge/bitcoin'
import { type Params, type PayoutProposal, regtestRules } from '@kedge/core'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { decodeAnswer, decodeAsking, encodeAnswer, encodeAsking, type VaultAnswer } from '../src/vault-message.ts'

const secretOf = (seed: number) => new Uint8Array(32).fill(seed)
const NETWORK = secretOf(9)
const PARAMS: Params = {
  ...regtestRules,
  genesis: { txid: secretOf(1), vout: 0 },
  vault: { txid: secretOf(2), vout: 0, value: 10_000n },
  scanHeight: 101,
  keys: {
    anchor: publicKeyOf(secretOf(1)),
    slot: publicKeyOf(secretOf(2)),
    fees: publicKeyOf(secretOf(3)),
    watchers: [11, 12, 13].map((seed) => publicKeyOf(secretOf(seed))),
    threshold: 2,
  },
}

const PAYOUT: PayoutProposal = {
  kind: 'payout',
  head: PARAMS.vault,
  fee: 600n,
  headerHash: secretOf(7),
  claims: [3, 5, 200],
}
const asked = { proposal: PAYOUT, place: 1 }
const SWEEP = { kind: 'sweep', head: { txid: secretOf(2), vout: 0 }, fee: 1n, deposits: [PARAMS.genesis] } as const

test('a request is its watcher’s, for this network and this proposal alone', () => {
  const bytes = encodeAsking(NETWORK, asked, secretOf(12))
  const { txid, vout } = PARAMS.vault
  expect(decodeAsking(NETWORK, PARAMS, bytes)).toEqual({ place: 1, proposal: { ...PAYOUT, head: { txid, vout } } })
  expect(decodeAsking(NETWORK, PARAMS, encodeAsking(NETWORK, { place: 0, proposal: SWEEP }, secretOf(11)))).toEqual({
    place: 0,
    proposal: SWEEP,
  })
  for (const wrong of [
    encodeAsking(secretOf(8), asked, secretOf(12)),
    encodeAsking(NETWORK, asked, secretOf(11)),
    encodeAsking(NETWORK, { ...asked, place: 3 }, secretOf(12)),
    bytes.slice(0, -1),
    Uint8Array.of(...bytes, 0),
    new Uint8Array(0),
  ])
    expect(decodeAsking(NETWORK, PARAMS, wrong)).toBeUndefined()
})

test('no bit of a request can be another', () => {
  const bytes = encodeAsking(NETWORK, asked, secretOf(12))
  fc.assert(
    fc.property(fc.nat(8 * bytes.length - 1), (bit) => {
      const at = bit >> 3
      const other = bytes.with(at, (bytes[at] as number) ^ (1 << (bit & 7)))
      expect(decodeAsking(NETWORK, PARAMS, other)).toBeUndefined()
    }),
    { numRuns: 200 },
  )
})

test('an answer has one encoding, and its reader takes no other bytes', () => {
  const signature = fc.uint8Array({ minLength: 64, maxLength: 64 })
  const signed = fc.record({
    kind: fc.constant('signed' as const),
    place: fc.nat(14),
    signatures: fc.array(signature, { minLength: 1, maxLength: 101 }),
  })
  const refused = fc.record({
    kind: fc.constant('refused' as const),
    reason: fc.constantFrom(
      'head',
      'deposits',
      'header',
      'claims',
      'dust',
      'fee',
      'choice',
      'behind',
      'short',
      'stranger',
    ),
  })
  fc.assert(
    fc.property(fc.oneof(signed, refused as fc.Arbitrary<VaultAnswer>), fc.nat(), (answer, seed) => {
      const bytes = encodeAnswer(answer)
      expect(decodeAnswer(bytes)).toEqual(answer)
      const at = seed % bytes.length
      for (const other of [bytes.slice(0, at), bytes.with(at, (bytes[at] as number) ^ 1), Uint8Array.of(...bytes, 0)]) {
        const read = decodeAnswer(other)
        if (read !== undefined) expect(encodeAnswer(read)).toEqual(other)
      }
    }),
    { numRuns: 200 },
  )
  expect(decodeAnswer(Uint8Array.of(2, 10))).toBeUndefined()
  expect(decodeAnswer(new Uint8Array(0))).toBeUndefined()
})
