import { MAX_PUBLICATION } from '@kedge/bitcoin'
import { type AnchoredBatch, type Chain, type Challenge, encodeParts, type PartSource, regtestRules } from '@kedge/core'
import { describe, expect, test } from 'vitest'
import { answerParts } from '../src/index.ts'
import { newRecord, type PublicationRequest, payloadOf, publicationId, purposeOf } from '../src/publication.ts'

const hashOf = (seed: number): Uint8Array => new Uint8Array(32).fill(seed)

const params = { ...regtestRules, genesis: { txid: hashOf(0), vout: 0 }, scanHeight: 1 } as Parameters<
  typeof purposeOf
>[0]

function batchOf(challenges: Partial<Record<'data' | 'steps', Challenge>> = {}): AnchoredBatch {
  return { number: 2, headerHash: hashOf(2), post: hashOf(3), anchorHeight: 100, parent: hashOf(1), challenges }
}

function chainAt(height: number, ...line: AnchoredBatch[]): Chain {
  const link = { outpoint: { txid: hashOf(9), vout: 1 }, number: 2 }
  return {
    height,
    hash: hashOf(8),
    mode: 'active',
    link,
    line,
    final: { number: 0, headerHash: hashOf(0), anchorHeight: 0 },
    queue: 0,
    vault: { head: link.outpoint, value: 0n, number: 0, paid: [] },
    bonds: [],
  }
}

const open: Challenge = { raisedAt: 101, deadline: 105, covered: [] }

const source = (count: number): PartSource => ({
  headerBytes: new Uint8Array(367),
  pre: hashOf(0),
  operations: Array.from({ length: count }, () => new Uint8Array(174)),
  stepRoots: new Uint8Array(32 * count),
})

const evidence: PublicationRequest = { kind: 'evidence', headerHash: hashOf(2), body: hashOf(7) }
const challenge: PublicationRequest = { kind: 'challenge', headerHash: hashOf(2), data: 'data' }
/** Leaves 10 to 19. */
const part: PublicationRequest = {
  kind: 'part',
  headerHash: hashOf(2),
  data: 'data',
  body: encodeParts('data', source(30), 10)[1] ?? new Uint8Array(0),
}

const purpose = (request: PublicationRequest, chain: Chain) => purposeOf(params, chain, newRecord(request))

describe('the purpose of a publication', () => {
  test('there is none without a live batch that is not final', () => {
    for (const request of [evidence, challenge, part]) expect(purpose(request, chainAt(100))).toBeUndefined()
  })

  test('evidence counts until the batch is final, and that may wait for an ancestor', () => {
    expect(purpose(evidence, chainAt(100, batchOf()))).toEqual({ since: 100, deadline: 106 })
    expect(purpose(evidence, chainAt(120, batchOf()))).toEqual({ since: 100, deadline: 121 })
  })

  test('a challenge counts in its window, until somebody raised one', () => {
    expect(purpose(challenge, chainAt(100, batchOf()))).toEqual({ since: 100, deadline: 102 })
    expect(purpose(challenge, chainAt(101, batchOf()))).toEqual({ since: 100, deadline: 102 })
    expect(purpose(challenge, chainAt(102, batchOf()))).toBeUndefined()
    expect(purpose(challenge, chainAt(101, batchOf({ data: open })))).toBeUndefined()
    expect(purpose(challenge, chainAt(101, batchOf({ steps: open })))).toBeDefined()
  })

  test('a part counts while its challenge is open and nobody gave those leaves', () => {
    expect(purpose(part, chainAt(101, batchOf()))).toBeUndefined()
    expect(purpose(part, chainAt(101, batchOf({ steps: open })))).toBeUndefined()
    const window = { since: 101, deadline: 105 }
    expect(purpose(part, chainAt(101, batchOf({ data: open })))).toEqual(window)
    expect(purpose(part, chainAt(104, batchOf({ data: open })))).toEqual(window)
    expect(purpose(part, chainAt(105, batchOf({ data: open })))).toBeUndefined()
    expect(purpose(part, chainAt(102, batchOf({ data: { ...open, answeredAt: 102 } })))).toBeUndefined()
    const covering = (from: number, to: number) => batchOf({ data: { ...open, covered: [[from, to]] } })
    for (const [from, to] of [
      [0, 19],
      [11, 30],
      [0, 10],
      [20, 30],
    ] as const)
      expect(purpose(part, chainAt(102, covering(from, to)))).toEqual(window)
    for (const [from, to] of [
      [10, 20],
      [0, 30],
    ] as const)
      expect(purpose(part, chainAt(102, covering(from, to)))).toBeUndefined()
  })

  test('the same thing to publish has the same name, another has another', () => {
    const requests: PublicationRequest[] = [
      evidence,
      { ...evidence, body: hashOf(6) },
      { ...evidence, headerHash: hashOf(6) },
      challenge,
      { ...challenge, data: 'steps' },
      part,
      { ...part, data: 'steps' },
    ]
    const ids = requests.map((request) => Buffer.from(publicationId(newRecord(request))).toString('hex'))
    expect(new Set(ids).size).toBe(requests.length)
    const sent = { ...newRecord(evidence), state: 'dropped' as const, replaced: [hashOf(1)] }
    expect(publicationId(sent)).toEqual(publicationId(newRecord(evidence)))
    expect(payloadOf(newRecord(challenge)).length).toBe(38)
  })
})

describe('the parts of an answer', () => {
  test.each([
    ['data', 0, 1],
    ['data', 1, 1],
    ['data', 1_113, 1],
    ['data', 8_192, 8],
    ['steps', 8_192, 2],
  ] as const)('%s of %i operations go into %i reveals of one size', (kind, count, parts) => {
    const bodies = answerParts(kind, source(count))
    expect(bodies.length).toBe(parts)
    for (const body of bodies) expect(body.length).toBeLessThanOrEqual(MAX_PUBLICATION)
    const sizes = bodies.map(({ length }) => length)
    expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThan(8 * 176 + 700)
  })

  test('short operations need fewer parts than long ones', () => {
    const deposits = { ...source(8_192), operations: Array.from({ length: 8_192 }, () => new Uint8Array(61)) }
    expect(answerParts('data', deposits).length).toBe(3)
  })
})
