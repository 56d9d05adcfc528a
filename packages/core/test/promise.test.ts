import { describe, expect, test } from 'vitest'
import { concatBytes } from '../src/bytes.ts'
import { decodeDocument, encodeDocument } from '../src/document.ts'
import { markOf } from '../src/message.ts'
import { operationId } from '../src/operation.ts'
import {
  decodeBrokenPromise,
  encodeBrokenPromise,
  judgePromise,
  judgeSaid,
  type KnownBatch,
  type ShownLink,
  showPromise,
} from '../src/promise.ts'
import { verifyTick } from '../src/receipt.ts'
import { operation } from './payments.ts'
import { promiseCase, promiseCases } from './promises.ts'
import { bytes32, keyOf, network, params } from './world.ts'

describe('a promise', () => {
  test.each(promiseCases)('%s', (_, expected, change) => {
    const { facts, shown } = promiseCase(change)
    const verdict = judgePromise(params, facts, shown)
    expect(verdict.ok ? verdict.breach : verdict.reason).toBe(expected)
  })

  test('by another key is nobody’s', () => {
    const { facts, shown } = promiseCase({ count: 2 })
    expect(judgePromise(params, facts, shown)).toEqual({ ok: true, breach: 'operation' })
    const others = { ...params, keys: { ...params.keys, slot: keyOf(3) } }
    expect(judgePromise(others, facts, shown)).toMatchObject({ ok: false })
  })
})

describe('a promise on a batch that a reorganisation of 2 blocks had mined 2 blocks above its origin', () => {
  // Where origins are to be 3 deep.
  const deep = { ...params, windows: { ...params.windows, originDepth: 3 } }
  const early = (origin: number, height = 120): Partial<ShownLink> => {
    const place = { origin: { height: origin, hash: bytes32(origin) }, parent: bytes32(5) }
    const anchor = { kind: 'batch' as const, headerHash: bytes32(6), word: bytes32(1), mark: markOf(place) }
    return { anchor, height, isNull: true }
  }
  const judged = (before: Partial<ShownLink>, earlier: readonly ShownLink[] = []) => {
    const { anchor } = resume(bytes32(5))
    const tick = { parent: bytes32(6), origin: { height: 118, hash: bytes32(118) } }
    const { facts, shown } = promiseCase({ tick, before, earlier, link: { anchor, height: 121 }, isWhole: true })
    const said = verifyTick(params, shown.receipt)
    const none = { ...shown, header: new Uint8Array(0) }
    const verdict = said.ok && judgeSaid(deep, facts, none, said)
    return verdict && (verdict.ok ? verdict.breach : verdict.reason)
  }
  const resume = (headerHash: Uint8Array) => ({
    anchor: { kind: 'resume' as const, headerHash, word: bytes32(1) },
    height: 121,
  })

  test('is not broken by the resume behind that, and no other null batch excuses it', () => {
    expect(judged(early(118))).toBe('no batch before it counts')
    expect(judged(early(119))).toBe('no batch before it counts')
    expect(judged(early(117))).toBe('no-batch')
    expect(judged(early(118, 140))).toBe('no-batch')
  })

  test('nor one on the next batch, which is null for it', () => {
    const { anchor, height } = early(118) as ShownLink
    const first = { anchor: anchor && { ...anchor, headerHash: bytes32(5) }, height, isNull: true }
    expect(judged(early(117), [first])).toBe('no batch before it counts')
    expect(judged(early(117), [{ ...first, isNull: false }])).toBe('no-batch')
  })
})

describe('who follows the chain', () => {
  const ids = (placed: Uint8Array) =>
    Array.from({ length: 6 }, (_, at) => operationId(at === 2 ? placed : bytes32(at + 1)))
  const judged = ({ facts, shown }: ReturnType<typeof promiseCase>, known?: KnownBatch) => {
    const verdict = judgePromise(params, facts, showPromise(shown.operation, shown.receipt, known))
    return verdict.ok ? verdict.breach : 'kept'
  }

  test('shows what stands in the place, what is not there, and that nothing came', () => {
    const [kept, broken] = [promiseCase(), promiseCase({ placed: bytes32(0xee) })]
    const parent = new Uint8Array(0)
    expect(judged(kept, { header: kept.shown.header, ids: ids(operation), parent })).toBe('kept')
    expect(judged(broken, { header: broken.shown.header, ids: ids(bytes32(0xee)), parent })).toBe('operation')
    expect(judged(promiseCase({ link: null, height: 141 }))).toBe('never-came')
    expect(judged(promiseCase({ link: null, height: 140 }))).toBe('kept')
  })
})

describe('what is shown', () => {
  const all = promiseCases.map(([, , change]) => promiseCase(change).shown)

  test('is the same in bytes, and in a document', () => {
    for (const shown of all) {
      expect(decodeBrokenPromise(encodeBrokenPromise(shown))).toEqual(shown)
      const document = { kind: 'broken-promise' as const, network, ...shown }
      expect(decodeDocument(encodeDocument(document))).toEqual({ ok: true, document })
    }
  })

  test('cut anywhere, or longer, does not decode', () => {
    const bytes = encodeBrokenPromise(promiseCase().shown)
    for (let size = 0; size < bytes.length; size++) expect(decodeBrokenPromise(bytes.slice(0, size))).toBeUndefined()
    expect(decodeBrokenPromise(concatBytes(bytes, Uint8Array.of(0)))).toBeUndefined()
    expect(decodeBrokenPromise(bytes.with(bytes.length - 1, 3))).toBeUndefined()
  })
})
