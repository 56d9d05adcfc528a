/** Something of the node's own that no block holds yet, and what it pays to get into one. */
export interface Waiting {
  readonly kind: 'anchor' | 'challenge' | 'part' | 'evidence' | 'sweep' | 'payout' | 'slash'
  /** For people, as in "anchor 5". */
  readonly name: string
  /** The last height at which it counts; undefined where it is never too late. */
  readonly deadline: number | undefined
  /** sat/vB, with all that it stands on; undefined where bitcoind does not have it. */
  readonly feeRate: number | undefined
  /** Its age or the market asks for as much as the node's cap on fees, or more: it can't be raised any further. */
  readonly isCapped: boolean
  /**
   * Virtual bytes of others' that hang on it in bitcoind's mempool, where these, and not the cap, keep it from being
   * replaced by one that pays more.
   */
  readonly pinnedBy?: number | undefined
}
