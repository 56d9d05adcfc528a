import { z } from 'zod'
import { height, key, PAGE_LIMIT_MAX, place, position, sats, txid, u32 } from './fields.ts'

export const deposit = z
  .object({
    /** Of the output. */
    position,
    txid,
    vout: u32,
    /** The rollup key to credit. */
    key,
    sats,
    /** Once it is swept: the first Bitcoin height at which a batch that credits it may be anchored. */
    dueAt: height.optional(),
    /** From this height on the depositor may take it back, where it is not swept. */
    refundableAt: height,
    /** Something else than a sweep has spent it: its depositor, as a rule. */
    refunded: z.literal(true).optional(),
    /** The operation that credited it. */
    creditedIn: place.optional(),
  })
  .meta({ id: 'Deposit' })

export type Deposit = z.output<typeof deposit>

/** Newest first. */
export const deposits = z
  .object({ deposits: z.array(deposit).max(PAGE_LIMIT_MAX), next: position.optional() })
  .meta({ id: 'Deposits' })

export type Deposits = z.output<typeof deposits>
