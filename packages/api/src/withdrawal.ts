import { z } from 'zod'
import { bytes, hash, height, PAGE_LIMIT_MAX, place, reason, sats, txid, u32 } from './fields.ts'
import { acknowledgement } from './payment.ts'

/** The longest script of the five that withdrawals are paid to. */
const SCRIPT_BYTES = 34

const terms = {
  /** Satoshis that leave the account. What arrives is this less the claim's share of the payout's fee. */
  amount: sats,
  /** Satoshis that this share is at most. */
  payoutFee: sats,
  /** The output script that is paid to. */
  script: bytes(SCRIPT_BYTES),
}

const payout = z.object({ txid, height })

const placed = z.object({
  /** `payable`: the vault's watchers may pay it. `paid`: Bitcoin holds the payout. */
  rung: z.enum(['sequenced', 'anchored', 'final', 'payable', 'paid']),
  id: hash,
  ...place.shape,
  ...terms,
  /** It was published on Bitcoin, so that a batch had to contain it. */
  forced: z.literal(true).optional(),
  /** The number by which payouts name it; absent while its batch is open. */
  claim: u32.optional(),
  /** Blocks on top of the anchor, its own included. */
  depth: u32.optional(),
  /** The height from which on it may be paid: while it is not final, if nothing else happens. */
  payableAt: height.optional(),
  payout: payout.optional(),
  /** Absent at a node that did not sequence it. */
  acknowledgement: acknowledgement.optional(),
})

/** How far a withdrawal has come. Its id is what its owner signed. */
export const withdrawal = z
  .discriminatedUnion('rung', [
    z.object({ rung: z.literal('pending'), id: hash }),
    placed,
    z.object({
      /** It was forced when the chain of batches had ended: the block of this height moved the ledger by itself. */
      rung: z.literal('exit'),
      id: hash,
      height,
      ...terms,
      claim: u32,
      payableAt: height,
      payout: payout.optional(),
    }),
    /** Off the ladder: it was forced, and could not be executed; or it was accepted, lost its batch, and can't stand now. */
    z.object({ rung: z.enum(['refused', 'dropped']), id: hash, reason }),
  ])
  .meta({ id: 'WithdrawalStatus' })

export type WithdrawalStatus = z.output<typeof withdrawal>

const claim = z
  .object({
    number: u32,
    ...terms,
    ...place.shape,
    rung: z.enum(['sequenced', 'anchored', 'final', 'payable']),
    payableAt: height.optional(),
  })
  .meta({ id: 'Claim' })

/** What the vault owes and has not paid, by claim, ascending. `next` is what to ask for as `after` to go on. */
export const claims = z
  .object({ claims: z.array(claim).max(PAGE_LIMIT_MAX), next: u32.optional() })
  .meta({ id: 'Claims' })

export type Claims = z.output<typeof claims>
