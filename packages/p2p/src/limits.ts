import { MAX_HEADER_BYTES, MAX_PART } from '@kedge/core'

/**
 * What one peer, and all peers together, may cost this node. Every buffer that a stranger can fill is bounded by a
 * number of this file; the README adds them up.
 */
export interface Limits {
  /**
   * Connections that strangers opened. At one more, the least useful of them is ended (`places.ts`). Connections that
   * this node opened, and those of bootstrap peers, count for nothing here: nobody can take their places.
   */
  readonly maxStrangers: number
  /** Longest body of a data response, bytes. */
  readonly maxDataResponse: number
  /** Requests of one peer that are on their way, waiting or answered at once, for each protocol. */
  readonly requestsPerPeer: number
  /** Requests of all peers together that are answered at once, for each protocol: they are there as a whole. */
  readonly requestsInAll: number
  /** Requests for data that a peer may start each second, and how many it may save up. */
  readonly requestsPerSecond: number
  readonly requestBurst: number
  /** The same for submissions: a node may pass on each transfer as it comes. */
  readonly submissionsPerSecond: number
  readonly submissionBurst: number
  /** The same for messages about the bond: a setup takes a handful. */
  readonly bondMessagesPerSecond: number
  readonly bondMessageBurst: number
  /** Fetches this node has under way at once. Responses hold `2 · fetchesInAll · maxDataResponse` bytes at most. */
  readonly fetchesInAll: number
  /** A request must have arrived whole within this time, ms; one that may be long, within `longRequestMs`. */
  readonly requestMs: number
  readonly longRequestMs: number
  /** For so long a whole request waits for its turn before its peer is told to come again, ms: less than it waits for. */
  readonly waitMs: number
  /** For so long a response may take as slowly as its peer likes, ms; after that the slowest go when others wait. */
  readonly sliceMs: number
  /** A stream on which nothing moves for so long is given up, ms. */
  readonly stallMs: number
  /** A response must have been delivered whole within this time, ms: 4 MiB at 1.7 Mbit/s. */
  readonly responseMs: number
  /** For so long peers are asked for one thing, ms; behind others whom as many fetches wait for it does not run. */
  readonly fetchMs: number
  /** For how long a peer is not asked for data after it answered wrongly, ms. */
  readonly grudgeMs: number
  /** For how long a peer is asked last after it failed to answer, or was slower than others, ms. */
  readonly slowMs: number
}

export const defaultLimits: Limits = {
  maxStrangers: 64,
  maxDataResponse: MAX_PART,
  requestsPerPeer: 8,
  requestsInAll: 16,
  requestsPerSecond: 32,
  requestBurst: 64,
  submissionsPerSecond: 256,
  submissionBurst: 512,
  bondMessagesPerSecond: 4,
  bondMessageBurst: 32,
  fetchesInAll: 8,
  requestMs: 3_000,
  longRequestMs: 5_000,
  waitMs: 3_000,
  sliceMs: 1_000,
  stallMs: 5_000,
  responseMs: 20_000,
  fetchMs: 30_000,
  grudgeMs: 60_000,
  slowMs: 60_000,
}

/** Longest announced header, bytes. */
export const MAX_HEADER = MAX_HEADER_BYTES
/** Longest request and response of the submit protocol, bytes. 256 KiB is 1,506 transfers of 174 bytes. */
export const MAX_SUBMISSION = 256 * 1024
export const MAX_SUBMISSION_RESPONSE = 1024 * 1024
/** Longest request to a watcher and its answer, bytes: a sweep of 100 deposits names them, and has 101 signatures. */
export const MAX_VAULT_REQUEST = 4 * 1024
export const MAX_VAULT_ANSWER = 8 * 1024
/** Longest message about the bond, either way: everybody's nonces, 16 for each of 16 co-signers, are 17 kB. */
export const MAX_BOND_MESSAGE = 32 * 1024
/** Longest tick that peers are told of, bytes: with the longest path to its slot, 730. */
export const MAX_TICK = 1024
