import { z } from 'zod'
import { height, msat, sats, txid, u32 } from './fields.ts'

/**
 * What there is and what is owed, at one block: Bitcoin as it stands there, and the ledger as far as the node has it.
 * All is well while `assets` ≥ `liabilities`; millisatoshis but for the head.
 */
export const vault = z
  .object({
    height,
    /** The output that all swept coins lie in; `number` counts the vault's spends. */
    head: z.object({ txid, vout: u32, sats, number: u32 }),
    /** The height of the spend that ended the vault. */
    closedAt: height.optional(),
    balances: msat,
    /** Collected, and not in anybody's account so far. */
    fees: msat,
    /** Withdrawn and not paid. */
    owed: msat,
    /** Claims that this is for. */
    unpaid: u32,
    /** Deposits that were swept and are not credited. */
    uncredited: msat,
    /** Deposits that nothing has spent: their depositors' until they are swept. */
    unswept: msat,
    assets: msat,
    liabilities: msat,
  })
  .meta({ id: 'Vault' })

export type VaultView = z.output<typeof vault>
