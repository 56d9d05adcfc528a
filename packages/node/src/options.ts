import type { Rpc } from '@kedge/bitcoin'
import type { Params } from '@kedge/core'
import type { Logger } from 'pino'

/** What a node of any role is started with. */
export interface NodeOptions {
  readonly params: Params
  /** Folder of its database, made when missing. */
  readonly dataDir: string
  readonly rpc: Rpc
  readonly p2p: {
    /** Multiaddrs. */
    readonly listen: readonly string[]
    readonly bootstrap: readonly string[]
  }
  readonly api: {
    readonly host: string
    /** 0: any free one. */
    readonly port: number
    /** Web origins that may call it; none by default. */
    readonly origins: readonly string[]
  }
  /** 32-byte secrets. */
  readonly secrets: {
    /** Seed of the libp2p identity. */
    readonly peer: Uint8Array
    /** Its coins pay for what the node puts on Bitcoin. */
    readonly coins: Uint8Array
  }
  /** Threads that check signatures. */
  readonly workers: number
  /** sat/vB that the node pays at most. */
  readonly maxFeeRate: number
  readonly log: Logger
}

/** sat/vB where bitcoind has seen too little to estimate, as on a fresh chain. */
export const FALLBACK_FEE_RATE = 2

/** A node that runs. */
export interface RunningNode {
  readonly apiUrl: string
  /** Multiaddrs with peer id. */
  readonly addresses: readonly string[]
  /** Where to send bitcoin for the node's fees. */
  readonly fundingAddress: string
  /** Resolves after a clean stop, rejects with what ended the node. */
  readonly done: Promise<void>
  /** Finishes what is under way, writes what a restart would have to redo, and closes everything. */
  stop(): Promise<void>
}
