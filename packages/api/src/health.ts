import { z } from 'zod'
import { blockHash, hash, height, params, reason, sentence, u32 } from './fields.ts'

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
    /** The first anchored batch that the node cannot check yet. */
    pending: z.object({ number: u32, reason: sentence }).optional(),
    /** The batch that the node found faulty; it follows nothing behind it. */
    rejected: z.object({ number: u32, fault: reason }).optional(),
    peers: u32,
    /** What checks signatures. */
    engine: z.string().max(100),
  })
  .meta({ id: 'Health' })

export type Health = z.output<typeof health>

/** Everything that a client needs to compute the network id itself. */
export const network = z.object({ network: hash, params }).meta({ id: 'Network' })

export type Network = z.output<typeof network>
