import { MAX_HEADER_BYTES, MAX_OPERATION_BYTES } from '@kedge/core'
import { z } from 'zod'
import { blockHash, bytes, hash, height, PAGE_LIMIT_MAX, reason, sentence, txid, u32 } from './fields.ts'

/** A header's fields beside its bytes; `origin` is the Bitcoin block that its duties are judged by. */
export const header = z
  .object({
    hash,
    /** The header itself: its tagged hash is `hash`. */
    bytes: bytes(MAX_HEADER_BYTES),
    number: u32,
    parent: hash,
    origin: z.object({ height, blockHash }),
    pre: hash,
    post: hash,
    opsRoot: hash,
    stepsRoot: hash,
    opCount: u32,
  })
  .meta({ id: 'Header' })

export type Header = z.output<typeof header>

const anchor = z.object({ txid, height, depth: u32 })

/** A data challenge: `data` asks for the header and all operations, `steps` for all step roots. */
const challenge = z.object({
  kind: z.enum(['data', 'steps']),
  txid,
  height,
  /** The last height at which an answer counts. */
  deadline: height,
  answeredAt: height.optional(),
})

export type Challenge = z.output<typeof challenge>

/** core's `VoidCause`. */
const voidCause = z.enum(['evidence', 'unanswered', 'ancestor'])

const link = { number: u32, anchor }

/** One link of the anchor chain. Every link takes a number, also one without effect. */
export const batch = z
  .discriminatedUnion('outcome', [
    z.object({
      outcome: z.literal('batch'),
      ...link,
      headerHash: hash,
      status: z.enum(['anchored', 'final', 'void']),
      /** Absent while the node does not hold it. */
      header: header.optional(),
      /** core's `DataMode`: who sees to it that the data can be had. Absent like the header that says so. */
      mode: z.enum(['bitcoin', 'challenge', 'certified']).optional(),
      /** The height at which it is final if nothing else happens, or became so. */
      finalHeight: height.optional(),
      void: z.object({ height, cause: voidCause, fault: reason.optional() }).optional(),
      challenges: z.array(challenge).max(2),
      data: z.enum(['held', 'missing']),
      /** This node's own: it re-executed everything, could not yet, or found a fault. */
      verdict: z.enum(['checked', 'pending', 'rejected']),
    }),
    z.object({ outcome: z.literal('resume'), ...link, parent: hash }),
    z.object({ outcome: z.literal('null'), ...link, reason: sentence }),
    z.object({ outcome: z.literal('close'), ...link, reason: sentence }),
  ])
  .meta({ id: 'Batch' })

export type Batch = z.output<typeof batch>

/** What stands at a place of a batch: anybody can check it against the header. */
export const placedOperation = z
  .object({
    /** The leaf of the operations tree. */
    id: hash,
    operation: bytes(MAX_OPERATION_BYTES),
    /** To the header's `opsRoot`, from the leaf up. */
    path: z.array(hash).max(32),
  })
  .meta({ id: 'PlacedOperation' })

/** Newest first. */
export const batches = z
  .object({ batches: z.array(batch).max(PAGE_LIMIT_MAX), next: u32.optional() })
  .meta({ id: 'Batches' })

export type Batches = z.output<typeof batches>
