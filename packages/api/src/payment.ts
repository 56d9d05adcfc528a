import { TRANSFER_BYTES, WITHDRAWAL_BYTES } from '@kedge/core'
import { z } from 'zod'
import { errorCode, refusalCode } from './errors.ts'
import { bytes, exactBytes, hash, height, place, reason, u32 } from './fields.ts'

/**
 * A payment's id is the 32-byte message that its payer signed (core's `transferMessage`), not the operation id: the
 * payer knows it before anybody has answered, and it stays the same when the recipient's cell, which is not signed,
 * is named anew in a later batch.
 */
export const paymentId = hash

/** Most transfers in one request, back to back. */
export const MAX_TRANSFERS = 1000

/** Longest receipt: its fixed fields and a path of 32. */
const RECEIPT_BYTES_MAX = 2000

/** Three transactions as long as Bitcoin lets them be without witnesses; some 2,500 where they are ordinary. */
const PROOF_BYTES_MAX = 3_010_000

const operationBytes = bytes(TRANSFER_BYTES)

/** The sequencer's signed acknowledgement: the operation as it is ordered, and core's receipt (`decodeReceipt`). */
export const acknowledgement = z
  .object({ operation: operationBytes, receipt: bytes(RECEIPT_BYTES_MAX) })
  .meta({ id: 'Acknowledgement' })

export type Acknowledgement = z.output<typeof acknowledgement>

export const transferBody = z.strictObject({ transfer: exactBytes(TRANSFER_BYTES) }).meta({ id: 'Transfer' })

export const withdrawalBody = z.strictObject({ withdrawal: exactBytes(WITHDRAWAL_BYTES) }).meta({ id: 'Withdrawal' })

/** `pending`: passed on, not acknowledged. A repeated submission tells how far the first one has come. */
export const submitted = z
  .object({
    id: paymentId,
    rung: z.enum(['pending', 'sequenced', 'anchored', 'final']),
    acknowledgement: acknowledgement.optional(),
  })
  .meta({ id: 'Submitted' })

export type Submitted = z.output<typeof submitted>

/** `count` rows of the request from `row` on, in one tick, at consecutive indices: the receipt is the first one's. */
const acknowledgedRows = z.object({ row: u32, count: u32, ...acknowledgement.shape })

export const submittedRows = z
  .object({
    /** Rows taken, repeated ones included. */
    accepted: u32,
    receipts: z.array(acknowledgedRows).max(MAX_TRANSFERS),
    /** `overloaded` and the like mean: submit these rows again. */
    refused: z.array(z.object({ row: u32, code: errorCode })).max(MAX_TRANSFERS),
  })
  .meta({ id: 'SubmittedRows' })

export type SubmittedRows = z.output<typeof submittedRows>

/** All that shows a payment in Bitcoin, to be checked by whoever receives it. */
export const paymentProof = z
  .object({
    /** Core's payment proof (`decodePaymentProof`). */
    bytes: bytes(PROOF_BYTES_MAX),
    /** Of the block that the anchor is in. */
    blockHeader: exactBytes(80),
    height,
  })
  .meta({ id: 'PaymentProof' })

export type PaymentProof = z.output<typeof paymentProof>

const anchoredFields = {
  id: paymentId,
  ...place.shape,
  /** Blocks on top of the anchor, its own included: 1 in Bitcoin's newest block. */
  depth: u32,
  /** Absent at a node that did not sequence it. */
  acknowledgement: acknowledgement.optional(),
  proof: paymentProof,
}

/** Where on the ladder a payment stands. `refused` and `dropped` are off it; a dropped one may be sent again. */
export const payment = z
  .discriminatedUnion('rung', [
    z.object({ rung: z.literal('pending'), id: paymentId }),
    z.object({
      rung: z.literal('sequenced'),
      id: paymentId,
      ...place.shape,
      acknowledgement: acknowledgement.optional(),
      /** As it stands in a batch that is sealed: there is no receipt with it, and no proof so far. */
      operation: operationBytes.optional(),
    }),
    z.object({ rung: z.literal('anchored'), ...anchoredFields }),
    z.object({ rung: z.literal('final'), ...anchoredFields }),
    z.object({ rung: z.literal('refused'), id: paymentId, reason: refusalCode }),
    z.object({ rung: z.literal('dropped'), id: paymentId, reason }),
  ])
  .meta({ id: 'Payment' })

export type Payment = z.output<typeof payment>
export type Rung = Payment['rung']
