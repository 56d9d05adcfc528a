import { schnorr } from '@noble/curves/secp256k1.js'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { engineOf, nobleEngine } from '../src/engine.ts'
import { bytesFrom, sign } from './transfers.ts'

const RUNS = Number(process.env.KEDGE_FUZZ ?? 4000)
const tiny = engineOf('tiny-secp256k1')

const { BASE, Fn, Fp } = schnorr.Point
const fill = (bytes: Uint8Array) => BigInt(`0x${Buffer.from(bytes).toString('hex')}`)
const bytesOf = (value: bigint) => Uint8Array.from(Buffer.from(value.toString(16).padStart(64, '0'), 'hex'))
const MAX = 2n ** 256n - 1n

interface Case {
  readonly signature: Uint8Array
  readonly message: Uint8Array
  readonly key: Uint8Array
}

interface Signed extends Case {
  /** The secret of the key's point with even y. */
  readonly d: bigint
}

const signed: readonly Signed[] = Array.from({ length: 64 }, (_, n) => {
  const secret = bytesFrom(`fuzz/${n}/secret`, 32)
  const message = bytesFrom(`fuzz/${n}/message`, 32)
  const d = BASE.multiply(fill(secret)).toAffine().y % 2n === 0n ? fill(secret) : Fn.neg(fill(secret))
  return { d, message, key: schnorr.getPublicKey(secret), signature: sign(message, secret) }
})

const flip = (bytes: Uint8Array, bit: number) =>
  bytes.map((byte, at) => (at === (bit >> 3) % bytes.length ? byte ^ (1 << (bit & 7)) : byte))
const withR = (one: Case, r: bigint) => ({ ...one, signature: Buffer.concat([bytesOf(r), one.signature.subarray(32)]) })
const withS = (one: Case, s: bigint) => ({
  ...one,
  signature: Buffer.concat([one.signature.subarray(0, 32), bytesOf(s)]),
})

const challenge = (one: Signed, r: bigint) =>
  Fn.create(fill(schnorr.utils.taggedHash('BIP0340/challenge', bytesOf(r), one.key, one.message)))

/** Signs with nonce `k` and no regard for the parity of R, so about half have an odd one. */
function signRaw(one: Signed, k: bigint): Case & { readonly odd: boolean } {
  const { x, y } = BASE.multiply(k).toAffine()
  const s = Fn.add(k, Fn.mul(challenge(one, x), one.d))
  return { ...withS(withR(one, x), s), odd: y % 2n === 1n }
}

/** s = e d makes sG - eP infinite. */
function makeInfinite(one: Signed, r: bigint): Case {
  return withS(withR(one, r), Fn.mul(challenge(one, r), one.d))
}

const some = fc.constantFrom(...signed)
const number = fc.oneof(
  fc.constantFrom(0n, 1n, Fn.ORDER - 1n, Fn.ORDER, Fn.ORDER + 1n, Fp.ORDER - 1n, Fp.ORDER, Fp.ORDER + 1n, MAX),
  fc.bigInt({ min: Fn.ORDER, max: Fp.ORDER - 1n }),
  fc.bigInt({ min: Fp.ORDER, max: MAX }),
  fc.bigInt({ min: 0n, max: MAX }),
)
const anyLength = fc.uint8Array({ maxLength: 130 })

const right = some
const wrong: fc.Arbitrary<Case> = fc.oneof(
  {
    arbitrary: fc.tuple(some, fc.nat(511)).map(([one, bit]) => ({ ...one, signature: flip(one.signature, bit) })),
    weight: 3,
  },
  {
    arbitrary: fc.tuple(some, fc.nat(255)).map(([one, bit]) => ({ ...one, message: flip(one.message, bit) })),
    weight: 2,
  },
  { arbitrary: fc.tuple(some, fc.nat(255)).map(([one, bit]) => ({ ...one, key: flip(one.key, bit) })), weight: 2 },
  fc.tuple(some, number).map(([one, r]) => withR(one, r)),
  fc.tuple(some, number).map(([one, s]) => withS(one, s)),
  fc.tuple(some, number).map(([one, x]) => ({ ...one, key: bytesOf(x) })),
  some.map((one) => withS(one, Fn.neg(fill(one.signature.subarray(32))))),
  fc.tuple(some, number).map(([one, r]) => makeInfinite(one, r)),
  fc.tuple(some, anyLength).map(([one, signature]) => ({ ...one, signature })),
  fc.tuple(some, anyLength).map(([one, message]) => ({ ...one, message })),
  fc.tuple(some, anyLength).map(([one, key]) => ({ ...one, key })),
)
const raw = fc.tuple(some, fc.bigInt({ min: 1n, max: Fn.ORDER - 1n })).map(([one, k]) => signRaw(one, k))

const labelled = fc.oneof(
  { arbitrary: right.map((one) => ({ one: one as Case, valid: true })), weight: 2 },
  { arbitrary: raw.map((one) => ({ one: one as Case, valid: !one.odd })), weight: 1 },
  { arbitrary: wrong.map((one) => ({ one, valid: false })), weight: 6 },
)

test(`tiny-secp256k1 and noble agree with the truth in ${RUNS} cases`, { timeout: 60_000 + 20 * RUNS }, () => {
  const seen = { valid: 0, wrong: 0 }
  fc.assert(
    fc.property(labelled, ({ one, valid }) => {
      seen[valid ? 'valid' : 'wrong'] += 1
      const verdicts = [tiny, nobleEngine].map((engine) => engine.verify(one.signature, one.message, one.key))
      expect(verdicts).toEqual([valid, valid])
    }),
    { numRuns: RUNS },
  )
  expect(Math.min(seen.valid, seen.wrong)).toBeGreaterThan(RUNS / 8)
})
