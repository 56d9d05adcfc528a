import { describe, expect, test } from 'vitest'
import { concatBytes } from '../src/bytes.ts'
import { decodeDocument, encodeDocument } from '../src/document.ts'
import { operationId } from '../src/operation.ts'
import { decodeBrokenPromise, encodeBrokenPromise, judgePromise, type KnownBatch, showPromise } from '../src/promise.ts'
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
