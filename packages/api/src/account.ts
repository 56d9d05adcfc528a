import { z } from 'zod'
import { deposit } from './deposit.ts'
import { cell, hash, key, msat, PAGE_LIMIT_MAX, place, u64 } from './fields.ts'

const cellView = z.object({ cell, nonce: u64, balance: msat }).meta({ id: 'Cell' })

/** A key's cells as they stand after everything the node has taken in. A key without cells is an empty account. */
export const account = z
  .object({
    key,
    /** Sum over the cells, in millisatoshis: what can be spent now. */
    balance: msat,
    /** Ascending by cell number. `nonce` is the one that the cell's next transfer must carry. */
    cells: z.array(cellView).max(1000),
    /**
     * `sequenced`: with the transfers acknowledged so far (a sequencer says this while the chain of batches goes on);
     * `anchored`: as of the last batch, and of Bitcoin's blocks once the chain has ended.
     */
    rung: z.enum(['sequenced', 'anchored']),
    /** Deposits to this key that stand in Bitcoin and are not credited yet, in Bitcoin's order. */
    waiting: z.array(deposit).max(PAGE_LIMIT_MAX),
  })
  .meta({ id: 'Account' })

export type Account = z.output<typeof account>

export const historyEntry = z
  .object({
    /** What its owner signed, of a transfer or a withdrawal; of any other kind the operation id. */
    id: hash,
    kind: z.enum(['transfer', 'withdrawal', 'deposit', 'collect']),
    /** `self`: between two cells of the same key. */
    direction: z.enum(['in', 'out', 'self']),
    /** Millisatoshis moved (a withdrawal's before its share of the payout's fee); the fee comes on top and is the payer's. */
    amount: msat,
    fee: msat,
    /** It was forced on Bitcoin. */
    forced: z.literal(true).optional(),
    /** The other side's key, where there is one. */
    counterparty: key.optional(),
    /** A transfer's memo commitment, unless it is zero. */
    memo: hash.optional(),
    ...place.shape,
    rung: z.enum(['sequenced', 'anchored', 'final']),
  })
  .meta({ id: 'HistoryEntry' })

/** Newest first. `next` is what to ask for as `before` to go on; absent at the end. */
export const history = z
  .object({ entries: z.array(historyEntry).max(PAGE_LIMIT_MAX), next: place.optional() })
  .meta({ id: 'History' })

export type HistoryEntry = z.output<typeof historyEntry>
export type History = z.output<typeof history>
