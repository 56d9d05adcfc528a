import { schnorr } from '@noble/curves/secp256k1.js'
import { describe, expect, test } from 'vitest'
import { concatBytes } from '../src/bytes.ts'
import { decodeEvidence, type Evidence, encodeEvidence, verifyEvidence } from '../src/evidence.ts'
import { decodeHeader, HEADER_BYTES, type Header, headerHash, MAX_HEADER_BYTES, type Origin } from '../src/header.ts'
import { batchAnchor } from '../src/message.ts'
import { headerSlotMessage } from '../src/slot.ts'
import { evidenceTransaction } from './bitcoin.ts'
import { headerEvidence, linkOf, proveAgainst } from './challenger.ts'
import { fundedRollup, pay } from './economy.ts'
import { type Batch, Derivation, type Rollup, startedRollup } from './rollup.ts'
import { say } from './trace.ts'
import { bytes32, network, secretOf } from './world.ts'

describe('the layout', () => {
  const { last } = fundedRollup(1)

  test('367 bytes, there and back', () => {
    expect(last.headerBytes.length).toBe(HEADER_BYTES)
    expect(decodeHeader(last.headerBytes)).toEqual(last.header)
  })

  test('another version, another length, or a certificate that is none does not decode', () => {
    expect(decodeHeader(last.headerBytes.with(0, 2))).toBeUndefined()
    expect(decodeHeader(last.headerBytes.slice(0, -1))).toBeUndefined()
    expect(decodeHeader(concatBytes(last.headerBytes, bytes32(0)))).toBeUndefined()
    for (let at = HEADER_BYTES - 2; at < HEADER_BYTES; at++) {
      expect(decodeHeader(last.headerBytes.with(at, 1))).toBeUndefined()
    }
  })
})

/** Says the fault that evidence of a header shows: as a value, and as what Bitcoin makes of it. */
function judge(rollup: Rollup, batch: Batch, parent: Batch | undefined, post = batch.header.post): string {
  const evidence = headerEvidence(batch, parent)
  expect(decodeEvidence(encodeEvidence(evidence))).toEqual(evidence)
  const number = rollup.chain.link.number + 1
  const verdict = verifyEvidence(rollup.derivation.court, { ...linkOf(rollup, batch), number, post }, evidence)
  const link = rollup.link({ ...batchAnchor(batch.header, batch.hash), word: post, mark: rollup.mark })
  const [, outcome] = rollup.mine(link, evidenceTransaction(batch.hash, encodeEvidence(evidence))).map(say)
  expect(outcome).toBe(
    verdict.ok ? `void ${number}: evidence, ${verdict.fault}` : `ignored evidence: ${verdict.reason}`,
  )
  return verdict.ok ? verdict.fault : verdict.reason
}

/** A signature that BIP340 takes for the parent's, but with a nonce that was fixed for nothing. */
function withOtherNonce(prevSig: Uint8Array, number: number): Uint8Array {
  const { last } = fundedRollup()
  const message = headerSlotMessage(network, number - 1, last.hash)
  return concatBytes(schnorr.sign(message, secretOf(2), bytes32(0)), prevSig.slice(64))
}

describe('faults', () => {
  const empty = { opCount: 0, opsRoot: bytes32(0), stepsRoot: bytes32(0) }

  test.each<[string, Partial<Header> | ((honest: Header) => Partial<Header>)]>([
    ['network', { network: bytes32(1) }],
    ['number', { number: 9 }],
    ['parent', { parent: bytes32(1) }],
    ['origin-decreases', { origin: { height: 102, hash: bytes32(1) } }],
    ['too-many-operations', { opCount: 65 }],
    ['too-many-operations', { opCount: 0xffffffff }],
    ['pre', { pre: bytes32(1) }],
    ['empty-batch', { ...empty, post: bytes32(1) }],
    ['empty-batch', ({ pre }) => ({ ...empty, post: pre, opsRoot: bytes32(1) })],
    ['empty-batch', ({ pre }) => ({ ...empty, post: pre, stepsRoot: bytes32(1) })],
    ['parent-signature', { prevSig: new Uint8Array(96) }],
    ['parent-signature', ({ prevSig }) => ({ prevSig: prevSig.with(40, 1) })],
    ['parent-signature', ({ prevSig }) => ({ prevSig: prevSig.with(95, 1) })],
    ['parent-signature', ({ prevSig, number }) => ({ prevSig: withOtherNonce(prevSig, number) })],
    ['lapsed', ({ origin }) => ({ origin: { ...origin, hash: bytes32(1) } })],
    ['lapsed', ({ origin }) => ({ origin: { ...origin, height: origin.height + 1 } })],
    ['lapsed', { origin: { height: 0xffffffff, hash: bytes32(1) } }],
  ])('%s', (fault, instead) => {
    const { rollup, last } = fundedRollup()
    const honest = rollup.build(pay(0, 1, 0))
    expect(honest.before).toBe(last)
    const batch = rollup.lie(typeof instead === 'function' ? instead(honest.header) : instead)
    const anchored = { ...linkOf(rollup, batch), number: last.header.number + 1, parent: last.hash }
    const evidence = headerEvidence(batch, last)
    expect(verifyEvidence(rollup.derivation.court, anchored, evidence)).toEqual({ ok: true, fault })
    expect(judge(rollup, { ...batch, header: { ...batch.header, parent: last.hash } }, last)).toBe(fault)
    expect(rollup.chain.mode).toBe('broken')
  })

  test('behind a resume nobody is signed for: anything there is a fault', () => {
    const { rollup, last } = fundedRollup()
    rollup.mine(rollup.resume())
    const honest = rollup.build(pay(0, 1, 0))
    expect(honest.header.prevSig).toEqual(new Uint8Array(96))
    const batch = rollup.lie({ prevSig: new Uint8Array(96).fill(1) })
    expect(judge(rollup, batch, last)).toBe('parent-signature')
    rollup.mine(rollup.resume())
    expect(judge(rollup, rollup.build(pay(0, 1, 0)), last)).toBe('the header is in order')
  })

  test('anchored-post: the anchor says another state', () => {
    const { rollup, last } = fundedRollup()
    expect(judge(rollup, rollup.build(pay(0, 1, 0)), last, bytes32(1))).toBe('anchored-post')
  })

  test.each([0, 1, 366, 368, MAX_HEADER_BYTES])('malformed: what was anchored is the hash of %i bytes', (size) => {
    const { rollup, last } = fundedRollup()
    const headerBytes = new Uint8Array(size).fill(1)
    const batch = { ...rollup.build(), headerBytes, hash: headerHash(headerBytes) }
    expect(judge(rollup, batch, last)).toBe('malformed')
  })

  test('what is longer than any header is no evidence: its data can’t be answered for either', () => {
    const { rollup, last } = fundedRollup()
    const headerBytes = new Uint8Array(MAX_HEADER_BYTES + 1)
    const batch = { ...rollup.build(), headerBytes, hash: headerHash(headerBytes) }
    expect(decodeEvidence(encodeEvidence(headerEvidence(batch, last)))).toBeUndefined()
  })

  test('the genesis parent has the scan height and the empty state', () => {
    for (const [fault, instead] of [
      ['origin-decreases', { origin: { height: 100, hash: bytes32(1) } }],
      ['pre', { pre: bytes32(1), post: bytes32(1) }],
      ['parent', { parent: bytes32(1) }],
    ] as const) {
      const rollup = startedRollup()
      rollup.build()
      const batch = rollup.lie(instead)
      const link = { ...linkOf(rollup, batch), parent: bytes32(0) }
      expect(verifyEvidence(rollup.derivation.court, link, headerEvidence(batch))).toEqual({ ok: true, fault })
    }
    const rollup = startedRollup()
    expect(judge(rollup, rollup.build(), undefined)).toBe('the header is in order')
  })
})

describe('an anchor’s mark', () => {
  const elsewhere = 'it names another parent than the head'

  /** What becomes of an honest batch under a mark, and of the resume behind it. */
  function markedBy(change: (mark: Uint8Array) => Uint8Array): string[] {
    const { rollup } = fundedRollup()
    const batch = rollup.build(pay(0, 1, 0))
    const anchor = rollup.link({ ...batchAnchor(batch.header, batch.hash), mark: change(rollup.mark) })
    return rollup.mine(anchor, rollup.resume()).map(say)
  }

  test('holds the origin’s height and hash and the parent’s hash: with another byte it is null, and a resume goes on', () => {
    expect(markedBy((mark) => mark)[0]).toBe('link 4: batch')
    for (let at = 0; at < 7; at++) {
      const said = markedBy((mark) => mark.with(at, (mark[at] as number) ^ 1))
      expect(said).toEqual([`link 4: null, ${at < 4 ? LAPSED : elsewhere}`, 'link 5: resume'])
    }
  })
})

describe('lapse', () => {
  /** Evidence against a batch whose origin lies `age` blocks below its anchor, by each claim. */
  function judgeAge(age: number): string[] {
    const { rollup, last } = fundedRollup()
    const batch = rollup.build(pay(0, 1, 0))
    const claims: Evidence[] = [headerEvidence(batch, last)]
    const step = proveAgainst(rollup, rollup.lie({ stepsRoot: bytes32(1) })) as Evidence
    if (step.claim !== 'header') claims.push({ ...step, header: batch.headerBytes })
    const link = { ...linkOf(rollup, batch), anchorHeight: batch.header.origin.height + age }
    return claims.map((claim) => {
      const verdict = verifyEvidence(rollup.derivation.court, link, claim)
      return verdict.ok ? verdict.fault : verdict.reason
    })
  }

  test('shows in the header too, where a mark says otherwise', () => {
    expect(judgeAge(0)).toEqual(['lapsed', 'lapsed'])
    expect(judgeAge(1)).toEqual(['the header is in order', 'nothing that was due was skipped'])
    expect(judgeAge(20)).toEqual(['the header is in order', 'nothing that was due was skipped'])
    expect(judgeAge(21)).toEqual(['lapsed', 'lapsed'])
  })

  /** A batch whose anchor stands `age` blocks above its origin, and the link behind it. */
  function lapse(age: number): string[] {
    const { rollup } = fundedRollup()
    const batch = rollup.build(pay(0, 1, 0))
    while (rollup.bitcoin.height < batch.header.origin.height + age - 1) rollup.mine()
    return rollup.mine(rollup.anchor(batch), rollup.resume()).map(say)
  }

  test('between k and S blocks below the anchor the origin is of the right age', () => {
    expect(lapse(1)).toEqual(['link 4: batch', 'link 5: null, the resume names another header than the head'])
    expect(lapse(20)).toEqual(['link 4: batch', 'link 5: null, the resume names another header than the head'])
    expect(lapse(21)).toEqual([`link 4: null, ${LAPSED}`, 'link 5: resume'])
  })

  test('a batch with an origin that is no block, or not deep enough, never lives', () => {
    const { rollup } = fundedRollup()
    const { origin } = rollup
    const wrong: Origin[] = [
      { height: origin.height, hash: bytes32(1) },
      { height: origin.height + 1, hash: origin.hash },
      { height: 0xffffffff, hash: origin.hash },
      { height: 0, hash: origin.hash },
    ]
    for (const named of wrong) {
      const { header, hash } = rollup.build()
      const anchor = rollup.link(batchAnchor({ ...header, origin: named }, hash))
      const number = header.number
      expect(rollup.mine(anchor).map(say)[0]).toBe(`link ${number}: null, ${LAPSED}`)
      expect(rollup.chain.mode).toBe('broken')
      rollup.mine(rollup.resume())
    }
  })

  test('when Bitcoin drops the origin, the same anchors on the other branch never live, and a resume goes on at once', () => {
    const { rollup } = fundedRollup()
    rollup.mine()
    const [batch, child] = [rollup.build(pay(0, 1, 0)), rollup.build(pay(0, 1, 1))]
    const anchors = [rollup.anchor(batch), rollup.anchor(child)]
    rollup.mine(...anchors)
    const { bitcoin } = rollup
    bitcoin.rewind(batch.header.origin.height - 1)
    bitcoin.mineEmpty(1)
    bitcoin.mine(...anchors)
    bitcoin.mineEmpty(6)
    const other = new Derivation()
    const said = bitcoin.blocks.flatMap((block) => other.follow(block).map(say))
    const links = said.filter((line) => line.startsWith('link'))
    expect(links.slice(-2)).toEqual([`link 4: null, ${LAPSED}`, 'link 5: null, the chain waits for a resume'])
    expect(other.chain).toMatchObject({ mode: 'broken', line: [], final: { number: 3 } })
  })
})

const LAPSED = 'it has lapsed: its origin is not in the best chain, or not of the right age'
