import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { concatBytes, equalBytes } from '../src/bytes.ts'
import { decodeAccount, encodeAccount } from '../src/cell.ts'
import type { Certificate } from '../src/certificate.ts'
import { decodeCollect, encodeCollect } from '../src/collect.ts'
import { decodeCredit, encodeCredit } from '../src/deposit.ts'
import { type Document, decodeDocument, documentFromJson, documentToJson, encodeDocument } from '../src/document.ts'
import { decodeEvidence, type Evidence, encodeEvidence } from '../src/evidence.ts'
import { decodeHeader, encodeHeader, type Header, headerHash, MAX_HEADER_BYTES } from '../src/header.ts'
import { decodeMessage, encodeMessage, type Message } from '../src/message.ts'
import { decodeOperation, encodeOperation, type Operation } from '../src/operation.ts'
import type { Params } from '../src/params.ts'
import { paramsFromJson, paramsToJson } from '../src/params-json.ts'
import { decodePaymentProof, encodePaymentProof, type PaymentProof } from '../src/payment-proof.ts'
import { decodePart, encodeHeaderPart, encodeParts } from '../src/publication.ts'
import { decodeReceipt, encodeReceipt, type Receipt } from '../src/receipt.ts'
import { dataCarrier, dataCarrierScript } from '../src/scripts.ts'
import { decodeTotals, encodeTotals, type Totals } from '../src/totals.ts'
import { decodeTransfer, encodeTransfer } from '../src/transfer.ts'
import { damage } from './damage.ts'
import { commit } from './rollup.ts'
import { bytes32, CASES, FUZZ_TIMEOUT, network, params, transferOf, withdrawalOf } from './world.ts'

/** Every decoder of bytes from outside: it never throws, accepts one form of each value, and loses nothing of it. */

const u32 = fc.oneof(fc.nat(100), fc.constantFrom(0, 1, 2 ** 31, 0xffffffff), fc.integer({ min: 0, max: 0xffffffff }))
const u64 = fc.oneof(fc.bigInt({ min: 0n, max: 1000n }), fc.constantFrom(0n, 2n ** 63n, 2n ** 64n - 1n))
const cell = fc.oneof(fc.nat(100), fc.constantFrom(0, 2 ** 32, 2 ** 48 - 1))
const bytesOf = (size: number) => fc.uint8Array({ minLength: size, maxLength: size })
const hash = bytesOf(32)
const hashes = fc.array(hash, { maxLength: 5 })
const position = fc.record({ height: u32, tx: u32, index: u32 })

const transfer = fc
  .record({
    from: cell,
    nonce: u64,
    to: hash,
    toCell: cell,
    mayCreate: fc.boolean(),
    amount: u64,
    fee: u64,
    expiry: u32,
    memo: hash,
    signature: bytesOf(64),
  })
  .map(transferOf)
const withdrawal = fc
  .record({
    ...{ from: cell, nonce: u64, amount: u64, payoutFee: u64, fee: u64, expiry: u32, signature: bytesOf(64) },
    script: fc.oneof(
      hash.map((program) => concatBytes(Uint8Array.of(0x51, 32), program)),
      hash.map((program) => concatBytes(Uint8Array.of(0, 32), program)),
      bytesOf(20).map((program) => concatBytes(Uint8Array.of(0, 20), program)),
      bytesOf(20).map((program) => concatBytes(Uint8Array.of(0xa9, 20), program, Uint8Array.of(0x87))),
      bytesOf(20).map((program) => concatBytes(Uint8Array.of(0x76, 0xa9, 20), program, Uint8Array.of(0x88, 0xac))),
    ),
  })
  .map(withdrawalOf)
const credit = fc.record({ kind: fc.constant('deposit' as const), position, key: hash, amount: u64, cell })
const collect = fc.record({ kind: fc.constant('collect' as const), cell, amount: u64 })
const forced = fc.record({
  kind: fc.constant('forced' as const),
  position: fc.record({ height: u32, tx: u32, index: fc.constant(0) }),
  operation: fc.oneof(transfer, withdrawal),
})
const operation: fc.Arbitrary<Operation> = fc.oneof(transfer, withdrawal, credit, collect, forced)
const account = fc.record({ owner: hash, nonce: u64, balance: u64 })
const totals: fc.Arbitrary<Totals> = fc.record({
  ...{ count: cell, supply: u64, fees: u64, owed: u64 },
  ...{ depositCursor: position, forcedCursor: position, withdrawals: u32 },
})
const origin = fc.record({ height: u32, hash })
const certificate: fc.Arbitrary<Certificate> = fc
  .uniqueArray(fc.nat(14), { minLength: 1 })
  .chain((places) =>
    fc.tuple(...places.sort((a, b) => a - b).map((place) => bytesOf(64).map((signature) => ({ place, signature })))),
  )
  .map((signatures) => ({ signatures }))
const header: fc.Arbitrary<Header> = fc
  .record({
    ...{ network: hash, number: u32, parent: hash, origin, pre: hash, post: hash },
    ...{ opsRoot: hash, stepsRoot: hash, opCount: u32, nonceRoot: hash, prevSig: bytesOf(96) },
    certificate: fc.option(certificate, { nil: undefined }),
  })
  .map(({ certificate: given, ...rest }) => ({ ...rest, ...(given && { certificate: given }) }))
const step = fc.record({ before: hash, after: hash, helpers: hashes })
const opening = fc.record({ cellsRoot: hash, totals: bytesOf(64) })
const headerBytes = fc.uint8Array({ maxLength: MAX_HEADER_BYTES })
const evidence: fc.Arbitrary<Evidence> = fc.oneof(
  fc.record({
    ...{ claim: fc.constant('header' as const), header: headerBytes },
    ...{ parent: headerBytes, grandparent: headerBytes },
  }),
  fc.record({ claim: fc.constant('end' as const), header: headerBytes, step, opening }),
  fc.record({
    ...{
      claim: fc.constant('step' as const),
      header: headerBytes,
      index: u32,
      operation: fc.uint8Array({ maxLength: 200 }),
    },
    ...{ opHelpers: hashes, step, opening, cells: fc.array(bytesOf(64), { maxLength: 2 }), cellHelpers: hashes },
  }),
)
const dataKind = fc.constantFrom('data' as const, 'steps' as const)
const message: fc.Arbitrary<Message> = fc.oneof(
  fc.record({ kind: fc.constant('batch' as const), headerHash: hash, word: hash, mark: bytesOf(7) }),
  fc.record({ kind: fc.constant('resume' as const), headerHash: hash, word: hash }),
  fc.record({ kind: fc.constant('deposit' as const), key: hash, refundKey: hash }),
  fc.record({ kind: fc.constantFrom('challenge' as const, 'part' as const), headerHash: hash, data: dataKind }),
  fc.record({ kind: fc.constant('evidence' as const), headerHash: hash }),
  fc.record({ kind: fc.constant('forced' as const) }),
  fc
    .record({ headerHash: hash, start: u32, gaps: fc.uniqueArray(fc.nat(311), { maxLength: 20 }) })
    .map(({ headerHash: to, start, gaps }) => {
      const more = gaps.filter((gap) => gap > 0 && start + gap <= 0xffffffff).sort((a, b) => a - b)
      return { kind: 'payout' as const, headerHash: to, claims: [start, ...more.map((gap) => start + gap)] }
    }),
)
const receipt: fc.Arbitrary<Receipt> = fc.record({
  tick: fc.record({ number: u32, index: u32, origin, parent: hash, count: u32, opsRoot: hash }),
  slotPath: fc.array(hash, { maxLength: 17 }),
  ...{ signature: bytesOf(64), opIndex: u32, path: hashes },
})
const bytesUpTo = (maxLength: number) => fc.uint8Array({ maxLength })
const paymentProof: fc.Arbitrary<PaymentProof> = fc.record({
  ...{ operation: bytesUpTo(174), index: u32, path: hashes, header: bytesUpTo(400), previous: bytesUpTo(300) },
  anchor: fc.record({ transaction: bytesUpTo(300), index: u32, coinbase: bytesUpTo(300), helpers: hashes }),
})
const document: fc.Arbitrary<Document> = fc.oneof(
  fc.record({
    ...{ kind: fc.constant('receipt' as const), network: hash },
    ...{ operation: bytesUpTo(174), receipt: bytesUpTo(400) },
  }),
  fc.record({
    ...{ kind: fc.constant('payment-proof' as const), network: hash, proof: bytesUpTo(400) },
    blockHeaders: fc.integer({ min: 1, max: 3 }).chain((count) => bytesOf(80 * count)),
  }),
)
function readDocument(bytes: Uint8Array): Document | undefined {
  const read = decodeDocument(bytes)
  return read.ok ? read.document : undefined
}

interface Format<T> {
  readonly value: fc.Arbitrary<T>
  readonly encode: (value: T) => Uint8Array
  readonly decode: (bytes: Uint8Array) => T | undefined
}

function holds<T>({ value, encode, decode }: Format<T>): void {
  fc.assert(
    fc.property(value, fc.array(damage, { maxLength: 2 }), (original, damages) => {
      const bytes = encode(original)
      const back = decode(bytes)
      expect(back !== undefined && equalBytes(encode(back), bytes)).toBe(true)
      const changed = damages.reduce((now, change) => change(now), bytes)
      const read = decode(changed)
      expect(read === undefined || equalBytes(encode(read), changed)).toBe(true)
    }),
    { numRuns: CASES },
  )
}

function survives<T>({ value, encode, decode }: Format<T>): void {
  const check = (original: T) => void expect(decode(encode(original))).toEqual(original)
  fc.assert(fc.property(value, check))
}

describe('bytes', () => {
  test('transfer', () => holds({ value: transfer, encode: encodeTransfer, decode: decodeTransfer }), FUZZ_TIMEOUT)
  test('credit', () => holds({ value: credit, encode: encodeCredit, decode: decodeCredit }), FUZZ_TIMEOUT)
  test('collect', () => holds({ value: collect, encode: encodeCollect, decode: decodeCollect }), FUZZ_TIMEOUT)
  test('operation', () => holds({ value: operation, encode: encodeOperation, decode: decodeOperation }), FUZZ_TIMEOUT)
  test('account', () => holds({ value: account, encode: encodeAccount, decode: decodeAccount }), FUZZ_TIMEOUT)
  test('totals', () => holds({ value: totals, encode: encodeTotals, decode: decodeTotals }), FUZZ_TIMEOUT)
  test('header', () => holds({ value: header, encode: encodeHeader, decode: decodeHeader }), FUZZ_TIMEOUT)
  test('evidence', () => holds({ value: evidence, encode: encodeEvidence, decode: decodeEvidence }), FUZZ_TIMEOUT)
  test('message', () => holds({ value: message, encode: encodeMessage, decode: decodeMessage }), FUZZ_TIMEOUT)
  test('receipt', () => holds({ value: receipt, encode: encodeReceipt, decode: decodeReceipt }), FUZZ_TIMEOUT)
  test(
    'payment proof',
    () => holds({ value: paymentProof, encode: encodePaymentProof, decode: decodePaymentProof }),
    FUZZ_TIMEOUT,
  )
  test('document', () => holds({ value: document, encode: encodeDocument, decode: readDocument }), FUZZ_TIMEOUT)
  test('document as JSON: any value is read or refused with a sentence', () => {
    fc.assert(
      fc.property(
        document,
        fc.constantFrom('kedge', 'version', 'network', 'bytes', 'more'),
        fc.jsonValue(),
        (one, key, value) => {
          const json: unknown = JSON.parse(JSON.stringify(documentToJson(one)))
          expect(documentFromJson(json)).toEqual({ ok: true, document: one })
          const changed = { ...(json as object), [key]: value }
          const read = documentFromJson(changed)
          if (read.ok) expect(changed).toEqual(json)
          else expect(read.reason).toMatch(/^(it|its|what) /)
          expect(documentFromJson(value).ok).toBe(false)
        },
      ),
    )
  })
  const payload = fc.uint8Array({ minLength: 2, maxLength: 80 })
  test('data carrier', () => holds({ value: payload, encode: dataCarrierScript, decode: dataCarrier }), FUZZ_TIMEOUT)

  test('values survive, not only bytes', () => {
    survives({ value: operation, encode: encodeOperation, decode: decodeOperation })
    survives({ value: account, encode: encodeAccount, decode: decodeAccount })
    survives({ value: totals, encode: encodeTotals, decode: decodeTotals })
    survives({ value: header, encode: encodeHeader, decode: decodeHeader })
    survives({ value: evidence, encode: encodeEvidence, decode: decodeEvidence })
    survives({ value: message, encode: encodeMessage, decode: decodeMessage })
    survives({ value: paymentProof, encode: encodePaymentProof, decode: decodePaymentProof })
    survives({ value: document, encode: encodeDocument, decode: readDocument })
    survives({ value: receipt, encode: encodeReceipt, decode: decodeReceipt })
  })
})

describe('parts', () => {
  const place = { network, number: 7, parent: bytes32(6), origin: { height: 150, hash: bytes32(5) } }
  const batches = [0, 1, 2, 3, 7, 8, 9].map((count) => {
    const operations = Array.from({ length: count }, (_, at) => new Uint8Array(17 + at).fill(at + 1))
    return commit(place, { pre: bytes32(1), operations, stepRoots: new Uint8Array(32 * count).fill(9) })
  })

  const named = { signatures: [{ place: 2, signature: new Uint8Array(64).fill(3) }] }
  const vouched = batches.map((batch) => commit(place, batch, { certificate: named }))

  test.each(['data', 'steps'] as const)(
    'of %s: only what was committed to, in one form',
    (kind) => {
      const whole = batches.flatMap((batch) =>
        [1, 2, 5].flatMap((limit) =>
          encodeParts(kind, batch, limit).map((bytes) => ({ batch, bytes, forms: encodeParts(kind, batch, limit) })),
        ),
      )
      const alone = vouched.map((batch) => {
        const bytes = encodeHeaderPart(kind, batch)
        return { batch, bytes, forms: [bytes, ...encodeParts(kind, batch, 1), ...encodeParts(kind, batch, 9)] }
      })
      const all = [...whole, ...alone]
      // A header that claims four billion operations, so that counts of all sizes get past the first checks.
      const vast = commit(
        place,
        { pre: bytes32(1), operations: [], stepRoots: new Uint8Array(0) },
        { opCount: 0xffffffff },
      )
      const hollow = concatBytes(Uint8Array.of(0x6f, 1), vast.headerBytes)
      fc.assert(
        fc.property(
          fc.nat(all.length - 1),
          fc.array(damage, { maxLength: 2 }),
          u32,
          u32,
          fc.uint8Array({ maxLength: 200 }),
          (pick, damages, start, count, rest) => {
            const { batch, bytes, forms } = all[pick] as (typeof all)[number]
            const changed = damages.reduce((now, change) => change(now), bytes)
            const part = decodePart(kind, batch.hash, changed)
            if (part !== undefined) expect(forms.some((own) => equalBytes(own, changed))).toBe(true)
            const run = new Uint8Array(8)
            new DataView(run.buffer).setUint32(0, start, true)
            new DataView(run.buffer).setUint32(4, count, true)
            expect(decodePart(kind, headerHash(vast.headerBytes), concatBytes(hollow, run, rest))).toBeUndefined()
          },
        ),
        { numRuns: CASES },
      )
    },
    FUZZ_TIMEOUT,
  )
})

describe('parameters', () => {
  const certified: Params = { ...params, data: { kind: 'certified', operations: 128 } }
  const json = JSON.stringify(paramsToJson(certified))

  test('come back from JSON as they were', () => {
    for (const one of [params, certified, { ...params, data: { kind: 'bitcoin' } } satisfies Params])
      expect(paramsFromJson(JSON.parse(JSON.stringify(paramsToJson(one))))).toEqual(one)
  })

  test(
    'anything else is refused with a sentence, or is another network',
    () => {
      const paths = leaves(JSON.parse(json))
      const other = fc.oneof(
        fc.jsonValue(),
        fc.constantFrom(-1, 1.5, 2 ** 32, Number.MAX_SAFE_INTEGER, '01', '0x1', 'main', null, {}, []),
      )
      fc.assert(
        fc.property(
          fc.nat(paths.length - 1),
          fc.oneof(other, fc.constant(undefined)),
          fc.boolean(),
          (pick, value, extra) => {
            const changed = JSON.parse(json)
            put(changed, paths[pick] as string[], extra ? 'surprise' : undefined, value)
            const result = read(changed)
            if (typeof result !== 'string') expect(JSON.stringify(paramsToJson(result))).toBe(JSON.stringify(changed))
            else expect(result).toMatch(/^params: /)
          },
        ),
        { numRuns: CASES },
      )
      fc.assert(fc.property(fc.jsonValue(), (value) => void expect(read(value)).toMatch(/^params: /)))
    },
    FUZZ_TIMEOUT,
  )
})

function read(json: unknown): Params | string {
  try {
    return paramsFromJson(json)
  } catch (error) {
    if (error instanceof Error && error.constructor === Error) return error.message
    throw error
  }
}

/** Paths to everything in a JSON value, the inner nodes too. */
function leaves(json: unknown, path: readonly string[] = []): string[][] {
  if (typeof json !== 'object' || json === null) return [[...path]]
  const below = Object.entries(json).flatMap(([name, value]) => leaves(value, [...path, name]))
  return path.length === 0 ? below : [[...path], ...below]
}

/** Sets what stands at a path, or something beside it; undefined takes it away. */
function put(json: unknown, path: readonly string[], beside: string | undefined, value: unknown): void {
  const [name = '', ...rest] = path
  if (typeof json !== 'object' || json === null) throw new Error(`nothing below ${name}`)
  if (rest.length > 0) put(Reflect.get(json, name), rest, beside, value)
  else if (value === undefined && !Array.isArray(json)) Reflect.deleteProperty(json, name)
  else Reflect.set(json, Array.isArray(json) ? name : (beside ?? name), value)
}
