import { encodeDocument } from '../../src/document.ts'
import { encodePaymentProof, type PaymentProof } from '../../src/payment-proof.ts'
import { verifyReceipt } from '../../src/receipt.ts'
import { verifyPayment } from '../../src/verify-payment.ts'
import { operation, promise, type Setting, type Shown, showPayment } from '../payments.ts'
import { bytes32, network, params, secretOf } from '../world.ts'
import { type Json, toJson } from './json.ts'

const flip = (bytes: Uint8Array, at: number) => bytes.with(at, (bytes[at] as number) ^ 1)

/** Receipts and payment proofs as documents: what each shows, or that it shows nothing. */
export function proofVectors(): Json {
  return {
    about:
      'decodeDocument, verifyReceipt, verifyPayment: documents, with a block that is known where they are payment proofs; reservations are what they can’t exclude; refused: they prove nothing',
    network: toJson(network),
    receipts: receipts(),
    payments: payments(),
  }
}

function receipts(): Json {
  const right = promise()
  const list: [name: string, of: Uint8Array, receipt: Uint8Array][] = [
    ['in order', operation, right],
    ['another operation', flip(operation, 60), right],
    ['another recipient’s cell, which is not signed by the payer', flip(operation, 49), right],
    ['another key’s signature', operation, promise(secretOf(3))],
    ['another batch', operation, flip(right, 0)],
    ['another nonce point than the slot’s', operation, flip(right, 112)],
    ['another path to the table’s root', operation, flip(right, 112 + 64 + 2 + 40)],
    ['another index', operation, flip(right, right.length - 2 - 32 * 3 - 4)],
  ]
  return list.map(([name, of, receipt]) => {
    const verdict = verifyReceipt(params, of, receipt)
    const document = toJson(encodeDocument({ kind: 'receipt', network, operation: of, receipt }))
    if (!verdict.ok) return { name, document, refused: verdict.reason }
    const { tick, opIndex } = verdict.receipt
    const shown = { id: verdict.id, batch: tick.number, index: opIndex, reservations: names(verdict.reservations) }
    return { name, document, shows: toJson(shown) }
  })
}

interface Case extends Partial<Setting> {
  /** From the end of the run; the last one's where it is not given. */
  readonly known?: number
  /** Headers that are left out at the start. */
  readonly without?: number
  readonly instead?: (proof: PaymentProof) => Partial<PaymentProof>
}

const cases: readonly (readonly [string, Case])[] = [
  ['in order', {}],
  ['in order: a block known below the anchor’s', { known: -5 }],
  ['in order: the anchor’s own block known', { known: -4 }],
  ['in order: the second link', { number: 2 }],
  ['in order: without the origin’s header', { without: 2 }],
  ['in order: one operation, two transactions', { operations: 1, index: 0, transactions: 2, place: 1 }],
  ['in order: the last transaction, whose hash is repeated', { transactions: 7, place: 6 }],
  ['payment: no transfer', { instead: () => ({ operation: bytes32(1) }) }],
  ['batch: another network', { header: { network: bytes32(1) } }],
  ['batch: another index', { instead: () => ({ index: 3 }) }],
  ['batch: a path that is too long', { instead: ({ path }) => ({ path: [...path, bytes32(0)] }) }],
  ['batch: another header', { instead: ({ header }) => ({ header: flip(header, 40) }) }],
  ['anchor: the header’s number is another', { instead: ({ header }) => ({ header: flip(header, 33) }) }],
  ['link: another link before', { instead: ({ anchor }) => ({ previous: anchor.transaction }) }],
  ['link: the second link with number 3', { number: 2, header: { number: 3 } }],
  ['block: the place of the last transaction’s copy', { place: 6, instead: ({ anchor }) => moved(anchor, 7) }],
  ['block: the coinbase at another depth', { instead: ({ anchor }) => shortened(anchor) }],
  ['headers: a block that is known elsewhere', { known: 0 }],
  ['lapsed: the origin is too old', { originAge: 21 }],
  ['lapsed: the origin is too young', { header: { origin: { height: 203, hash: bytes32(9) } } }],
  ['lapsed: the origin is another block', { header: { origin: { height: 201, hash: bytes32(9) } } }],
]

const moved = (anchor: PaymentProof['anchor'], index: number) => ({ anchor: { ...anchor, index } })
const shortened = (anchor: PaymentProof['anchor']) => ({ anchor: { ...anchor, helpers: anchor.helpers.slice(1) } })

function payments(): Json {
  return cases.map(([name, change]) => vectorOf(name, change, showPayment(change)))
}

function vectorOf(name: string, { known = -1, without = 0, instead }: Case, made: Shown): Json {
  const blockHeaders = made.shown.blockHeaders.slice(80 * without)
  const proof = encodePaymentProof({ ...made.proof, ...instead?.(made.proof) })
  const checkpoint = known === 0 ? { height: 203, hash: bytes32(3) } : made.blocks.at(known)
  if (checkpoint === undefined) throw new Error(`no block ${known}`)
  const verdict = verifyPayment(params, { proof, blockHeaders }, checkpoint)
  const document = toJson(encodeDocument({ kind: 'payment-proof', network, proof, blockHeaders }))
  const given = { name, document, checkpoint: toJson(checkpoint) }
  if (!verdict.ok) return { ...given, stage: verdict.stage, refused: verdict.reason }
  const { payment, block, reservations } = verdict
  const shown = { id: payment.id, batch: payment.header.number, index: payment.index, anchor: payment.anchor.txid }
  return { ...given, shows: toJson({ ...shown, block, reservations: names(reservations) }) }
}

function names(reservations: readonly { readonly name: string }[]): string[] {
  return reservations.map(({ name }) => name)
}
