import { z } from 'zod'
import { blockHash, hash, height, msat, params, reason, sentence, u32 } from './fields.ts'

const chain = z.enum(['main', 'testnet4', 'signet', 'regtest'])

/** How a node does, and how far it has come on each step of the ladder. */
export const health = z
  .object({
    network: hash,
    chain,
    role: z.enum(['sequencer', 'challenger']),
    version: z.string().max(50),
    /** The Bitcoin block that the node's ledger is derived up to. */
    tip: z.object({ height, blockHash }),
    /** Bitcoin's own tip, as the node's bitcoind reports it. */
    bitcoin: z.object({ height }),
    /** The ledger stands at Bitcoin's tip, and no batch's data are missing. */
    synced: z.boolean(),
    /** `broken`: a batch is void, or none was anchored yet, and the chain waits for a resume. `closed`: for good. */
    mode: z.enum(['broken', 'active', 'closed']),
    /** The last live header: number 0 and a zero hash before the first batch. `post` is its state root. */
    head: z.object({ number: u32, hash, post: hash }),
    /** The last final batch; number 0 before the first. */
    final: z.object({ number: u32 }),
    /**
     * Millisatoshis: bitcoin in the vault and in deposits that nobody has spent, and what of it is owed. Assets are never
     * less, as long as t watchers keep to the rules. Missing while the node lacks batches whose withdrawals were paid.
     */
    balance: z.object({ assets: msat, liabilities: msat }).optional(),
    /** The chain of batches has ended for good: since this block each block of Bitcoin moves the ledger, to this state root. */
    exit: z.object({ from: height, root: hash }).optional(),
    /**
     * Of a watcher. `behind`: it has not looked at the newest block yet. `idle`: the vault owes no spend. `waiting`: one
     * is due, and not in bitcoind's mempool. `sent`: one is.
     */
    watcher: z.enum(['behind', 'idle', 'waiting', 'sent']).optional(),
    /** The first anchored batch that the node cannot check yet. */
    pending: z.object({ number: u32, reason: sentence }).optional(),
    /** The batch that the node found faulty; it follows nothing behind it. */
    rejected: z.object({ number: u32, fault: reason }).optional(),
    /**
     * What no block has taken yet though it pays all that the node's cap on fees allows: it may miss its deadline, the last
     * height at which it counts. Absent where all is well.
     */
    capped: z
      .array(z.object({ what: sentence, deadline: height.optional() }))
      .min(1)
      .optional(),
    /**
     * What others have hung so many virtual bytes on, in bitcoind's mempool, that no replacement which pays more for
     * itself would be taken: it waits until blocks ask for less. Absent where all is well.
     */
    pinned: z
      .array(z.object({ what: sentence, vbytes: u32 }))
      .min(1)
      .optional(),
    /**
     * Of a challenger: what it holds against the sequencer, and slashes its bond for by itself: two messages in one slot, or,
     * about the batch of this number, a promise that was broken, or a lie. Absent where all is well.
     */
    evidence: z
      .array(z.object({ kind: z.enum(['equivocation', 'broken-promise', 'void-batch']), number: u32.optional() }))
      .min(1)
      .optional(),
    peers: u32,
    /** What checks signatures. */
    engine: z.string().max(100),
  })
  .meta({ id: 'Health' })

export type Health = z.output<typeof health>

/** Everything that a client needs to compute the network id itself. */
export const network = z.object({ network: hash, params }).meta({ id: 'Network' })

export type Network = z.output<typeof network>
