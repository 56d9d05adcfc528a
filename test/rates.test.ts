import { readFileSync } from 'node:fs'
import { answerParts, MAX_UNCONFIRMED } from '@kedge/commitment'
import {
  type DataKind,
  encodeHeader,
  encodeHeaderPart,
  type Header,
  mostOperations,
  type Params,
  TRANSFER_BYTES,
} from '@kedge/core'
import { expect, test } from 'vitest'
import { largestAnswer, of, params, published } from './figures.ts'

/** What specification and readme say of how many payments each data mode carries, computed again. */

/** With the largest certified batches. */
const certified: Params = { ...params, data: { kind: 'certified', operations: 2 ** 16 } }
const { caps } = params

/** Seconds between two blocks of Bitcoin, on average. */
const BLOCK = 600

const header: Header = {
  ...{ network: of(1), number: 1, parent: of(2), origin: { height: 1, hash: of(3) }, pre: of(4), post: of(5) },
  ...{ opsRoot: of(6), stepsRoot: of(7), opCount: caps.operations, nonceRoot: of(8), prevSig: new Uint8Array(96) },
}
const signatures = [0, 2, 4].map((place) => ({ place, signature: new Uint8Array(64) }))

const part = { kind: 'part', headerHash: of(9), data: 'data' } as const

/** Vbytes of answers for each operation. */
const answered = (kind: DataKind) => largestAnswer(kind, certified) / caps.operations

/** Vbytes for each payment of a full batch that is nothing but payments. */
function vbytesOfPayment(): number {
  const operations = Array.from({ length: caps.operations }, () => new Uint8Array(TRANSFER_BYTES))
  const source = { headerBytes: encodeHeader(header), pre: of(4), operations, stepRoots: new Uint8Array(0) }
  const bodies = answerParts('data', source)
  const sizes = new Map(bodies.map((body) => [body.length, body]))
  const vsizes = new Map([...sizes].map(([size, body]) => [size, published(part, body)]))
  return bodies.reduce((sum, { length }) => sum + (vsizes.get(length) ?? 0), 0) / caps.operations
}

test('the table of the specification and the readme is what the rules and the transactions make', () => {
  const number = (value: number) => value.toLocaleString('en', { maximumFractionDigits: 1 })
  const rate = (perBlock: number) => number(Math.floor((10 * perBlock) / BLOCK) / 10)
  const payment = vbytesOfPayment()
  const each = answered('data') + answered('steps')
  const q = caps.answerVbytesPerBlock
  const half = MAX_UNCONFIRMED / 2
  const shown = published(
    part,
    encodeHeaderPart('data', { headerBytes: encodeHeader({ ...header, certificate: { signatures } }), pre: of(4) }),
  )
  const rows = [
    ['bitcoin', rate(q / payment), `${number(payment)} vB for each payment, in ${number(q)} vB a block`, 'Bitcoin'],
    [
      'challenge, and nobody challenges',
      rate(MAX_UNCONFIRMED * caps.operations),
      `${MAX_UNCONFIRMED} batches of ${number(caps.operations)} that may wait for a block`,
      'one honest challenger, who asks',
    ],
    [
      'challenge, and all batches are challenged all the time',
      rate(q / each),
      `${each} vB of answers for each operation, in ${number(q)} vB a block`,
      'one honest challenger, who asks',
    ],
    [
      'certified',
      rate(half * caps.operations + half * mostOperations(certified)),
      `${half} batches of ${number(caps.operations)} and ${half} of ${number(mostOperations(certified))} that may wait`,
      `one honest of any ${params.keys.threshold} watchers; a challenge puts a header on Bitcoin, ${number(shown)} vB`,
    ],
  ]
  const table = [
    '| mode | payments a second | bound by | who sees to it that the data can be had |',
    '|---|---|---|---|',
    ...rows.map((cells) => `| ${cells.join(' | ')} |`),
  ]
  for (const file of ['../packages/core/spec/protocol.md', '../README.md'])
    expect(readFileSync(new URL(file, import.meta.url), 'utf8')).toContain(table.join('\n'))
})
