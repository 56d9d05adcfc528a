import { describe, expect, test } from 'vitest'
import { type Certificate, encodeCertificate } from '../src/certificate.ts'
import { decodeEvidence, encodeEvidence, verifyEvidence } from '../src/evidence.ts'
import { decodeHeader, encodeHeader, HEADER_BYTES, type Header, isVouchedFor, MAX_HEADER_BYTES } from '../src/header.ts'
import type { L1Transaction } from '../src/l1.ts'
import { Ledger } from '../src/ledger.ts'
import type { DataKind } from '../src/message.ts'
import { dataModeOf, mostOperations } from '../src/mode.ts'
import { proveStep } from '../src/prove.ts'
import { encodeHeaderPart, encodeParts } from '../src/publication.ts'
import { challengeTransaction, evidenceTransaction, partTransaction } from './bitcoin.ts'
import { headerEvidence, linkOf } from './challenger.ts'
import { begun, certificateOf, certifying, publishing, signalling, vouch } from './modes.ts'
import { type Batch, contextOf, type Rollup } from './rollup.ts'
import { say } from './trace.ts'
import { params, secretOf } from './world.ts'

/** A batch of `count` operations, not anchored yet, with the certificate that `give` makes for its header. */
function certified(count: number, give: (header: Header) => Certificate | undefined): { rollup: Rollup; batch: Batch } {
  const { rollup, batch } = begun(certifying, count)
  const certificate = give(batch.header)
  return { rollup, batch: certificate === undefined ? batch : rollup.lie({ certificate }) }
}

const byAll =
  (...places: number[]) =>
  (header: Header) =>
    certificateOf(header, ...places)
const send = (sent: L1Transaction) => signalling(certifying, sent)

test('a batch’s mode follows from its operations and the network', () => {
  const modes = (rules: typeof params) => [0, 7, 8, 64, 65].map((opCount) => dataModeOf(rules, { opCount }))
  expect(modes(params)).toEqual(Array(5).fill('challenge'))
  expect(modes(certifying)).toEqual(['challenge', 'challenge', 'certified', 'certified', 'certified'])
  expect(modes(publishing)).toEqual(Array(5).fill('bitcoin'))
  expect([params, certifying, publishing].map(mostOperations)).toEqual([64, 16, 64])
})

describe('the layout', () => {
  const { header } = begun(certifying, 8).batch
  const bytes = encodeHeader({ ...header, certificate: certificateOf(header, 0, 2) })

  test('places in bits, signatures in their order, and the longest is the longest header', () => {
    expect(bytes.length).toBe(HEADER_BYTES + 2 + 128)
    expect(bytes.subarray(HEADER_BYTES - 2, HEADER_BYTES + 2)).toEqual(Uint8Array.of(130, 0, 5, 0))
    expect(decodeHeader(bytes)).toEqual({ ...header, certificate: certificateOf(header, 0, 2) })
    const all = { signatures: Array.from({ length: 15 }, (_, place) => ({ place, signature: new Uint8Array(64) })) }
    expect(encodeHeader({ ...header, certificate: all }).length).toBe(MAX_HEADER_BYTES)
  })

  test('nobody, a sixteenth watcher, or more or fewer signatures than places: does not decode', () => {
    const places = (low: number, high: number) => bytes.with(HEADER_BYTES, low).with(HEADER_BYTES + 1, high)
    expect(decodeHeader(places(6, 0))).toBeDefined()
    for (const changed of [places(0, 0), places(1, 0), places(7, 0), places(1, 0x80)])
      expect(decodeHeader(changed)).toBeUndefined()
    for (const size of [1, 129, 131]) expect(decodeHeader(bytes.with(HEADER_BYTES - 2, size))).toBeUndefined()
  })

  test('signatures out of order, twice or of nobody can’t be written', () => {
    const [first, second] = [vouch(header, 0), vouch(header, 1)]
    for (const signatures of [[second, first], [first, first], [], [{ ...first, place: 15 }]])
      expect(() => encodeCertificate({ signatures })).toThrow(RangeError)
  })
})

const stranger = (header: Header) => ({ signatures: [vouch(header, 0), vouch(header, 1, secretOf(99))] })
const twice = (header: Header) => ({ signatures: [vouch(header, 0), vouch(header, 1, secretOf(11))] })
const bent = (header: Header) => {
  const { place, signature } = vouch(header, 2)
  return { signatures: [vouch(header, 0), { place, signature: signature.with(40, 1 ^ (signature[40] as number)) }] }
}
const ofAnother = () => certificateOf(begun(certifying, 9).batch.header, 0, 1)

describe('judging', () => {
  test.each<[string, number, (header: Header) => Certificate | undefined, string]>([
    ['t watchers', 8, byAll(0, 2), 'the header is in order'],
    ['t watchers, as many operations as the cap', 16, byAll(1, 2), 'the header is in order'],
    ['none where none is due', 7, () => undefined, 'the header is in order'],
    ['none where one is due', 8, () => undefined, 'certificate'],
    ['too few watchers', 8, byAll(0), 'certificate'],
    ['more watchers than it takes', 8, byAll(0, 1, 2), 'certificate'],
    ['one where none is due', 7, byAll(0, 1), 'certificate'],
    ['a stranger’s key', 8, stranger, 'certificate'],
    ['one watcher in two places', 8, twice, 'certificate'],
    ['a place that nobody has', 8, byAll(0, 3), 'certificate'],
    ['for another header', 8, ofAnother, 'certificate'],
    ['a signature changed', 8, bent, 'certificate'],
    ['above both caps', 17, byAll(0, 1), 'too-many-operations'],
  ])('%s', (_, count, give, expected) => {
    const { rollup, batch } = certified(count, give)
    const evidence = headerEvidence(batch)
    const verdict = verifyEvidence(rollup.derivation.court, linkOf(rollup, batch), evidence)
    expect(verdict.ok ? verdict.fault : verdict.reason).toBe(expected)
    const bytes = encodeEvidence(evidence)
    expect(decodeEvidence(bytes)).toEqual(evidence)
    const said = rollup.mine(rollup.anchor(batch), send(evidenceTransaction(batch.hash, bytes))).map(say)
    expect(said[1]).toBe(verdict.ok ? `void 2: evidence, ${expected}` : `ignored evidence: ${expected}`)
  })

  test('a network that does without takes none, nor for an answer', () => {
    const { header } = certified(8, byAll(0, 1)).batch
    expect(isVouchedFor(certifying, header)).toBe(true)
    expect(isVouchedFor(params, header)).toBe(false)
    expect(isVouchedFor(publishing, header)).toBe(false)
  })
})

describe('challenges', () => {
  const challenge = (batch: Batch, data: DataKind) => send(challengeTransaction(batch.hash, data))
  const show = (batch: Batch, data: DataKind) => send(partTransaction(batch.hash, data, encodeHeaderPart(data, batch)))
  const nothing = 'ignored part: no valid certificate stands for what it does not show'

  test.each<DataKind>(['data', 'steps'])('%s: a valid certificate answers, no operation need be shown', (data) => {
    const { rollup, batch } = certified(8, byAll(0, 2))
    rollup.mine(rollup.anchor(batch), challenge(batch, data))
    expect(rollup.mine(show(batch, data)).map(say)).toEqual([`part of 2: ${data} 0 + 0`, `answered 2: ${data}`])
    rollup.mineUpTo(rollup.bitcoin.height + 6)
    expect(rollup.chain.final.headerHash).toEqual(batch.hash)
  })

  test.each<[string, (header: Header) => Certificate, DataKind]>([
    ['too few', byAll(1), 'data'],
    ['a stranger', stranger, 'data'],
    ['for another header', ofAnother, 'data'],
    ['too few', byAll(1), 'steps'],
  ])('%s: a header alone answers nothing, the batch is void', (_, give, data) => {
    const { rollup, batch } = certified(8, give)
    rollup.mine(rollup.anchor(batch), challenge(batch, data))
    expect(rollup.mine(show(batch, data)).map(say)).toEqual([nothing])
    rollup.mineUpTo(rollup.bitcoin.height + 4)
    expect(rollup.derivation.events.map(say)).toContain('void 2: unanswered')
  })

  test('below the cap a header is no answer, whoever vouches for it', () => {
    const { rollup, batch } = certified(7, byAll(0, 1))
    rollup.mine(rollup.anchor(batch), challenge(batch, 'data'))
    expect(rollup.mine(show(batch, 'data')).map(say)).toEqual([nothing])
    const plain = begun(certifying, 7)
    plain.rollup.mine(plain.rollup.anchor(plain.batch), challenge(plain.batch, 'data'))
    const said = plain.rollup.mine(show(plain.batch, 'data')).map(say)
    expect(said).toEqual(['ignored part: it is no part of the batch'])
  })

  test('who withholds a header above the cap that nobody vouches for must show it, and evidence follows', () => {
    const { rollup, batch } = begun(certifying, 8)
    rollup.mine(rollup.anchor(batch), challenge(batch, 'data'))
    const parts = encodeParts('data', batch, 3).map((part) => send(partTransaction(batch.hash, 'data', part)))
    expect(rollup.mine(...parts).map(say)).toContain('answered 2: data')
    const evidence = send(evidenceTransaction(batch.hash, encodeEvidence(headerEvidence(batch))))
    expect(rollup.mine(evidence).map(say)).toEqual(['void 2: evidence, certificate'])
  })

  test('a lie that watchers vouch for is proven like any other, by whoever has the data of one of them', () => {
    const { rollup, batch } = certified(8, byAll(0, 1))
    const proof = proveStep(contextOf(rollup.facts, batch.header.origin), new Ledger(), batch, 0)
    const evidence = send(evidenceTransaction(batch.hash, encodeEvidence(proof)))
    const said = rollup.mine(rollup.anchor(batch), evidence).map(say)
    expect(said).toEqual(['link 2: batch', 'void 2: evidence, undecodable'])
  })

  test('t watchers who lie keep a false batch’s data from everybody: that is what trusting them means', () => {
    const { rollup, batch } = certified(8, byAll(0, 1))
    rollup.mine(rollup.anchor(batch), challenge(batch, 'data'))
    rollup.mine(show(batch, 'data'), challenge(batch, 'steps'))
    rollup.mine(show(batch, 'steps'))
    rollup.mineUpTo(rollup.bitcoin.height + 5)
    expect(rollup.chain.final.headerHash).toEqual(batch.hash)
  })
})
