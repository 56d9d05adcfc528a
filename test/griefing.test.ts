import { readFileSync } from 'node:fs'
import { type Built, buildChallenge, buildDeposit, buildPayment } from '@kedge/bitcoin'
import {
  answerBlocks,
  CLAIM_SPAN,
  type Claim,
  type DataKind,
  type Deposit,
  dataCarrierScript,
  encodeMessage,
  leastWithdrawal,
  MAX_SWEPT,
  type Message,
  plannedVbytes,
  planPayout,
  SIGNAL_VALUE,
  signalScript,
  sweepOf,
  taprootScript,
} from '@kedge/core'
import { expect, test } from 'vitest'
import { funding, largestAnswer, of, params, point, published } from './figures.ts'

/** What the specification says that attacks on Bitcoin cost, computed again from the transactions and the rules. */

const { windows, caps, fees } = params

const challenge = (data: DataKind) =>
  buildChallenge(params, encodeMessage({ kind: 'challenge', headerHash: of(9), data }), funding)

/** A message without what should come with it. */
function bare(message: Message): Built {
  const outputs = [
    { script: dataCarrierScript(encodeMessage(message)), value: 0n },
    { script: signalScript(params), value: SIGNAL_VALUE },
  ]
  return buildPayment(outputs, funding)
}

function deposits(count: number): Deposit[] {
  return Array.from({ length: count }, (_, index) => ({
    ...{ key: of(30), refundKey: point(31), value: fees.minDeposit, txid: of(32), vout: index },
    position: { height: 120, tx: 1, index },
  }))
}

function sweepVbytes(count: number): number {
  const { inputs, outputs } = sweepOf(params, { ...vault }, deposits(count), 0n)
  return plannedVbytes(params, inputs, outputs)
}
const vault = { head: params.vault, value: params.vault.value, number: 0, paid: [] }

/** As many as one tag names, of which as many as relay takes together. */
function claimsOfAPayout(): number {
  const claims = Array.from(
    { length: CLAIM_SPAN },
    (_, at): Claim => ({ number: at, script: payee, amount: 10_000n, payoutFee: 5_000n }),
  )
  return planPayout(params, { ...vault, value: 100_000_000n }, claims, of(9), 1_000n)?.claims.length ?? 0
}
const payee = taprootScript(point(33))

/** Virtual bytes that relay lets hang on something: of version 3 (BIP431), and otherwise, with what they hang on. */
const SMALL_CHILD = 1_000
const LARGE_CHILD = 101_000

/** Asked at the last moment, answered at the last moment; for data first, and then for steps. */
const queued = answerBlocks(params, 'data') + answerBlocks(params, 'steps')
const delay = 2 * (windows.challenge + windows.answer) + queued + windows.proof - windows.dispute

const body = (size: number) => new Uint8Array(size).fill(5)
const number = (value: number | bigint) => value.toLocaleString('en')
const tag = { kind: 'evidence', headerHash: of(9) } as const
const signature = { kind: 'bond', signature: new Uint8Array(64) } as const
const output = 43

test('the table of the specification is what the transactions and the rules make', () => {
  const rows = [
    [
      'false challenges of a batch’s data and steps',
      `${challenge('data').vsize} + ${challenge('steps').vsize} vB, and ${number(2n * fees.challenge)} sat burnt`,
      `answers of at most ${number(largestAnswer('data'))} + ${number(largestAnswer('steps'))} vB: ${largestAnswer('data') / caps.operations} + ${largestAnswer('steps') / caps.operations} vB for each operation`,
      `${delay} blocks; ${queued} more for each further batch that is challenged before it`,
    ],
    [
      'evidence that proves nothing, of 8,192 bytes',
      `${number(published(tag, body(8_192)))} vB`,
      'a verdict, nothing on Bitcoin',
      '0',
    ],
    ['messages about nothing', `${bare(tag).vsize} vB each`, 'a look', '0'],
    ['signatures for no bond', `${bare(signature).vsize} vB each`, 'a check for each bond that is not signed for', '0'],
    [
      'forced operations, be they void',
      `${published({ kind: 'forced' }, body(174))} vB each`,
      `one of ${number(caps.forced)} places in a batch, 185 bytes of its data`,
      `0; others’ wait a batch longer for ${number(caps.forced)} of them`,
    ],
    ['pieces, spent again without their message', 'no block takes it', 'nothing', '0'],
    [
      'deposits of the least amount',
      `${buildDeposit(params, { key: of(30), refundKey: point(31) }, fees.minDeposit, funding).vsize} vB, ${output} more for each further one; ${number(fees.deposit)} of ${number(fees.minDeposit)} sat each`,
      `${sweepVbytes(2) - sweepVbytes(1)} vB of a sweep each, out of those ${number(fees.deposit)} sat; one of ${number(caps.deposits)} places in a batch`,
      `0; others’ wait a sweep longer for ${number(MAX_SWEPT)} of them`,
    ],
    [
      'a child on one’s payment of a payout that waits, where relay keeps BIP431',
      `≤ ${number(SMALL_CHILD)} vB at less than blocks ask for, if one takes them; a withdrawal each`,
      `≤ ${number(SMALL_CHILD)} vB more at that rate, to raise the payout`,
      '0; a payout whose claims can’t bear that waits until blocks ask for what it pays',
    ],
    [
      'the same, where relay does not',
      `≤ ${number(LARGE_CHILD)} vB so`,
      'all of these at that rate, or watchers tell of it, and wait',
      '0; payouts and sweeps wait until blocks ask for what it pays',
    ],
    [
      'withdrawals of the least amount',
      `${number(fees.transfer)} msat and the payout’s fee, of ${number(leastWithdrawal(params, fees.payout))} sat each`,
      `${output} vB of a payout each, out of that fee`,
      `0; claims of a lower limit wait a payout longer for ${number(claimsOfAPayout())} of them`,
    ],
  ]
  const table = [
    '| attack | its sender pays | the honest pay | it delays finality by at most |',
    '|---|---|---|---|',
    ...rows.map((cells) => `| ${cells.join(' | ')} |`),
  ]
  const perOperation = (largestAnswer('data') + largestAnswer('steps')) / caps.operations
  const asked = challenge('data').vsize + challenge('steps').vsize
  const figures = [
    `${Math.floor((asked + Number(2n * fees.challenge)) / perOperation)} operations; `,
    `payment of ${number((largestAnswer('data') + largestAnswer('steps') - asked) / 2)} sat for each sat/vB`,
    `more than ${number(Math.floor(caps.answerVbytesPerBlock / perOperation))} operations; beyond`,
    `some ${Math.floor(Number(fees.deposit) / (sweepVbytes(2) - sweepVbytes(1)))} sat/vB`,
  ]
  const spec = readFileSync(new URL('../packages/core/spec/protocol.md', import.meta.url), 'utf8')
  expect(spec).toContain(table.join('\n'))
  for (const figure of figures) expect(spec.replaceAll('\n', ' ')).toContain(figure)
})
