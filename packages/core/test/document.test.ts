import { describe, expect, it } from 'vitest'
import { MAX_BLOCK_HEADERS } from '../src/block-headers.ts'
import { concatBytes } from '../src/bytes.ts'
import {
  type Document,
  decodeDocument,
  documentFromJson,
  documentToJson,
  encodeDocument,
  MAX_DOCUMENT_BYTES,
  type PaymentDocument,
  type ReceiptDocument,
} from '../src/document.ts'
import { encodeOperation } from '../src/operation.ts'
import { encodePaymentProof } from '../src/payment-proof.ts'
import { verifyReceipt } from '../src/receipt.ts'
import { transferMessage } from '../src/transfer.ts'
import { verifyPayment } from '../src/verify-payment.ts'
import { operation, paid, promise, showPayment } from './payments.ts'
import { keyOf, network, params, secretOf } from './world.ts'

describe('a receipt', () => {
  it('is checked by the parameters alone, and says what it promises', () => {
    const verdict = verifyReceipt(params, operation, promise())
    if (!verdict.ok) throw new Error(verdict.reason)
    expect(verdict.operation).toEqual(paid)
    expect(verdict.id).toEqual(transferMessage(network, paid))
    expect(verdict.receipt).toMatchObject({ opIndex: 2, tick: { number: 7, index: 3, count: 5 } })
    expect(verdict.reservations.map(({ name }) => name)).toEqual(['promise', 'table', 'origin', 'executed'])
  })

  it('with any byte changed, cut or added is refused; so is one for another operation, key or network', () => {
    const bytes = promise()
    const refused = (receipt: Uint8Array, of = operation, by = params) =>
      expect(verifyReceipt(by, of, receipt).ok).toBe(false)
    for (let at = 0; at < bytes.length; at++) {
      refused(bytes.with(at, (bytes[at] as number) ^ 1))
      refused(bytes.slice(0, at))
    }
    for (let at = 0; at < operation.length; at++) refused(bytes, operation.with(at, (operation[at] as number) ^ 1))
    refused(concatBytes(bytes, Uint8Array.of(0)))
    refused(bytes, encodeOperation({ kind: 'collect', cell: 1, amount: 1n }))
    refused(promise(secretOf(3)))
    refused(bytes, operation, { ...params, keys: { ...params.keys, slot: keyOf(3) } })
    refused(bytes, operation, { ...params, scanHeight: 1 })
  })
})

describe('documents', () => {
  const { shown } = showPayment()
  const receipt: Document = { kind: 'receipt', network, operation, receipt: promise() }
  const payment: PaymentDocument = { kind: 'payment-proof', network, ...shown }

  it.each([receipt, payment])('$kind: bytes and JSON hold the same', (document) => {
    expect(decodeDocument(encodeDocument(document))).toEqual({ ok: true, document })
    expect(documentFromJson(JSON.parse(JSON.stringify(documentToJson(document))))).toEqual({ ok: true, document })
  })

  it.each<ReceiptDocument | PaymentDocument>([receipt, payment])(
    '$kind: cut anywhere, it is refused or proves nothing',
    (document) => {
      const bytes = encodeDocument(document)
      const { tip } = showPayment()
      for (let size = 0; size < bytes.length; size++) {
        const read = decodeDocument(bytes.slice(0, size))
        if (!read.ok) expect(read.reason).toBe(size < 4 ? 'it is no document of Kedge' : 'it is cut off, or damaged')
        else if (read.document.kind !== 'payment-proof') throw new Error(`${size} bytes are a ${read.document.kind}`)
        else expect(verifyPayment(params, read.document, tip)).toMatchObject({ ok: false, stage: 'form' })
      }
    },
  )

  it('without a block header, or with more than are looked at, are refused', () => {
    const cut = { ok: false, reason: 'it is cut off, or damaged' }
    expect(decodeDocument(encodeDocument({ ...payment, blockHeaders: new Uint8Array(0) }))).toEqual(cut)
    const many = new Uint8Array(80 * (MAX_BLOCK_HEADERS + 1))
    expect(decodeDocument(encodeDocument({ ...payment, blockHeaders: many }))).toEqual(cut)
    expect(() => encodeDocument({ ...payment, blockHeaders: new Uint8Array(81) })).toThrow(RangeError)
  })

  it('say what is wrong with them', () => {
    const bytes = encodeDocument(receipt)
    const reason = (changed: Uint8Array) => {
      const read = decodeDocument(changed)
      return read.ok ? 'right' : read.reason
    }
    expect(reason(bytes.with(0, 0x25))).toBe('it is no document of Kedge')
    expect(reason(bytes.with(4, 2))).toBe('it is of version 2, and this reads version 1')
    expect(reason(bytes.with(5, 3))).toBe('it is cut off, or damaged')
    expect(reason(concatBytes(bytes, Uint8Array.of(0)))).toBe('it is cut off, or damaged')
    expect(reason(new Uint8Array(MAX_DOCUMENT_BYTES + 1))).toBe(`it is longer than ${MAX_DOCUMENT_BYTES} bytes`)
    const json = documentToJson(receipt)
    expect(documentFromJson({ ...json, kedge: 'payment-proof' })).toMatchObject({ ok: false })
    expect(documentFromJson({ ...json, network: 'ab' })).toMatchObject({
      ok: false,
      reason: expect.stringContaining('its bytes say'),
    })
    expect(documentFromJson({ ...json, bytes: json.bytes.toUpperCase() })).toMatchObject({ ok: false })
    for (const wrong of [null, 5, 'x', [], {}, { kedge: 1 }]) expect(documentFromJson(wrong).ok).toBe(false)
  })

  it('of the greatest length are read, and longer ones refused, without harm', () => {
    const most = new Uint8Array(1_000_000)
    const { proof } = showPayment()
    const huge = { ...proof, previous: most, anchor: { ...proof.anchor, transaction: most, coinbase: most } }
    const document: Document = { ...payment, proof: encodePaymentProof(huge) }
    const json = documentToJson(document)
    expect(documentFromJson(json)).toMatchObject({ ok: true })
    expect(documentFromJson({ ...json, bytes: `${json.bytes}${'00'.repeat(2_000_000)}` })).toMatchObject({ ok: false })
  })
})
