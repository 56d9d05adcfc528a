import { TRANSFER_BYTES } from '@kedge/core'
import { z } from 'zod'
import { bytes, hash, height, PAGE_LIMIT_MAX, place, position } from './fields.ts'

const forcedEntry = z
  .object({
    /** What its owner signed: the payment's or the withdrawal's id. */
    id: hash,
    kind: z.enum(['transfer', 'withdrawal']),
    operation: bytes(TRANSFER_BYTES),
    /** Of the transaction on Bitcoin. */
    position,
    /** A batch with an origin of this height or more must contain it, in its turn. */
    dueFrom: height,
    /** The last height at which a batch without it can be anchored and live, unless the cap on forced operations is reached. */
    lastWithout: height,
    /** `waiting`: in no batch that the node knows. */
    rung: z.enum(['waiting', 'sequenced', 'anchored', 'final']),
    /** The operation that carries it. */
    carriedIn: place.optional(),
    /** In place of that: the block that carried it by itself, as the chain of batches has ended. */
    carriedAt: height.optional(),
    /** `none`: it could not be executed, and is used up. */
    effect: z.enum(['executed', 'none']).optional(),
  })
  .meta({ id: 'Forced' })

export type Forced = z.output<typeof forcedEntry>

/** Newest first. */
export const forcedPage = z
  .object({ forced: z.array(forcedEntry).max(PAGE_LIMIT_MAX), next: position.optional() })
  .meta({ id: 'ForcedPage' })

export type ForcedPage = z.output<typeof forcedPage>
