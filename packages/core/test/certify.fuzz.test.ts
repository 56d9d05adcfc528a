import { schnorr } from '@noble/curves/secp256k1.js'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { equalBytes } from '../src/bytes.ts'
import {
  type CertifyAnswer,
  certifiableOf,
  certifyMessage,
  decodeCertifyAnswer,
  decodeCertifyRequest,
  encodeCertifyAnswer,
  encodeCertifyRequest,
} from '../src/certify.ts'
import { networkId } from '../src/params.ts'
import { damage } from './damage.ts'
import { certifying as rules } from './modes.ts'
import { commit } from './rollup.ts'
import { bytes32, secretOf } from './world.ts'

describe('what watchers are asked for certificates with', () => {
  const id = networkId(rules)
  const place = { network: id, number: 7, parent: bytes32(6), origin: { height: 150, hash: bytes32(5) } }
  const operations = Array.from({ length: 8 }, (_, at) => new Uint8Array(17 + at))
  const { header: asked } = commit(place, { pre: bytes32(1), operations, stepRoots: new Uint8Array(32 * 8).fill(9) })
  const request = certifiableOf(asked)
  const sent = encodeCertifyRequest(request, schnorr.sign(certifyMessage(request), secretOf(1), bytes32(0)))
  const word = { place: 1, signature: schnorr.sign(request.message, secretOf(12), bytes32(0)) }

  test('a request is the sequencer’s to the byte', () => {
    expect(decodeCertifyRequest(rules, id, sent)).toEqual(request)
    fc.assert(
      fc.property(fc.array(damage, { minLength: 1, maxLength: 2 }), (damages) => {
        const changed = damages.reduce((now, change) => change(now), sent)
        const read = decodeCertifyRequest(rules, id, changed)
        expect(read === undefined || equalBytes(changed, sent)).toBe(true)
      }),
    )
  })

  test('an answer is one form of a refusal, or the watcher’s own word', () => {
    fc.assert(
      fc.property(
        fc.constantFrom<CertifyAnswer>('stranger', 'number', 'missing', 'busy', word),
        fc.array(damage, { maxLength: 2 }),
        (answer, damages) => {
          const bytes = encodeCertifyAnswer(answer)
          expect(decodeCertifyAnswer(rules, request, bytes)).toEqual(answer)
          const changed = damages.reduce((now, change) => change(now), bytes)
          const read = decodeCertifyAnswer(rules, request, changed)
          expect(read === undefined || equalBytes(encodeCertifyAnswer(read), changed)).toBe(true)
        },
      ),
    )
  })
})
