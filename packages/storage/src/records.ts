import type { BlockFacts, Chain, Claim, DataKind, EvidenceFault, VoidCause } from '@kedge/core'
import { bytesKey, packed, rawValue, table, textKey, u32Key, u48Key } from './table.ts'

/** What a node keeps, by table: key, value, who writes it. Prefixes are part of the disk format. */

/** Bitcoin height → what deriving that block gave. Written by the follower, one commit a block. */
export interface BlockRecord {
  readonly hash: Uint8Array
  readonly chain: Chain
  readonly facts: BlockFacts
  /** Coins of the node's own key after the block. */
  readonly coins: readonly StoredCoin[]
}

export interface StoredCoin {
  readonly txid: Uint8Array
  readonly vout: number
  /** Satoshis. */
  readonly value: bigint
  readonly height: number
  readonly coinbase: boolean
}

/** Link number → what became of it. Written by the follower with its block. */
export interface LinkRecord {
  readonly number: number
  readonly outcome: 'batch' | 'resume' | 'null' | 'close'
  /** The batch's header; the parent's where it is a resume. */
  readonly headerHash?: Uint8Array
  /** A batch's: the state root in its anchor. */
  readonly post?: Uint8Array
  /** A resume's: the table that it fixes for the next batch. */
  readonly nonceRoot?: Uint8Array
  readonly height: number
  readonly txid: Uint8Array
  /** What a null one says. */
  readonly said?: {
    readonly kind: 'batch' | 'resume'
    readonly headerHash: Uint8Array
    readonly word: Uint8Array
    /** A batch's. */
    readonly mark?: Uint8Array
  }
  /** Why it is null or closes the chain. */
  readonly reason?: string
  readonly voided?: { readonly height: number; readonly cause: VoidCause; readonly fault?: string }
  readonly finalAt?: number
}

/** A message on Bitcoin about a batch and what it did, by height and place in the block. Written by the follower. */
export type NoticeRecord = NoticeOutcome & {
  readonly height: number
  readonly txid: Uint8Array
  readonly headerHash: Uint8Array
}

type NoticeOutcome =
  | {
      readonly kind: 'challenge'
      readonly outcome: 'raised'
      readonly number: number
      readonly data: DataKind
      readonly deadline: number
    }
  /** `answered`: with this part the challenge is answered in full. */
  | {
      readonly kind: 'part'
      readonly outcome: 'part' | 'answered'
      readonly number: number
      readonly data: DataKind
    }
  | { readonly kind: 'evidence'; readonly outcome: 'void'; readonly number: number; readonly fault: EvidenceFault }
  | { readonly kind: 'challenge' | 'part' | 'evidence'; readonly outcome: 'ignored'; readonly reason: string }

/** Header hash → this node's own judgement. Written by the executor with the batch's delta. */
export type VerdictRecord =
  | { readonly verdict: 'checked' }
  | { readonly verdict: 'rejected'; readonly fault: string; readonly at?: number; readonly evidence?: Uint8Array }

export const blocks = table(1, 'block', u32Key, packed<BlockRecord>())
export const links = table(2, 'link', u32Key, packed<LinkRecord>())
export const notices = table(3, 'notice', bytesKey, packed<NoticeRecord>())
export const headers = table(4, 'header', bytesKey, rawValue)
/** Header hash → the batch's operations, as one whole part. */
export const operations = table(5, 'operations', bytesKey, rawValue)
/** Header hash → where its sequencer wrote its operations when it accepted them: they are not written again. */
export const groupings = table(17, 'grouping', bytesKey, packed<GroupingRecord>())
/** Sequencer: number → operations that it accepted together, in order, each behind a u16 length. */
export const groups = table(18, 'group', u48Key, rawValue)
/** Header hash → the committed step roots, a row. */
export const steps = table(6, 'steps', bytesKey, rawValue)
export const deltas = table(7, 'delta', bytesKey, rawValue)
export const verdicts = table(8, 'verdict', bytesKey, packed<VerdictRecord>())
/** Header hash, data kind, start, count → leaves that a published part held. */
export const published = table(9, 'published', bytesKey, rawValue)
/** Runs of rows that say where cells were touched, payments and deposits stand. Written when somebody asks. */
export const lookups = table(10, 'lookup', bytesKey, rawValue)
/** Page number → its cells, as of the batch that mark `snapshot` names. Written with that mark. */
export const pages = table(16, 'page', u32Key, rawValue)
/** Sequencer: numbers of the groups that stand in no sealed batch yet. */
export const journal = table(11, 'journal', u48Key, rawValue)
/** Sequencer and commitment: single records by name. */
export const marks = table(12, 'mark', textKey, rawValue)
/** Commitment: anchor number → the durable intent. */
export const intents = table(13, 'intent', u32Key, packed<IntentRecord>())
/** Commitment: anchor number → transactions signed for it so far, the newest last. */
export const anchorTransactions = table(14, 'anchor-transaction', u32Key, packed<readonly SignedRecord[]>())
/** Commitment: publication id → what is being put on Bitcoin. */
export const publications = table(15, 'publication', bytesKey, packed<PublicationRecord>())

/** Sequencer: batch number → which of its slots are used up, and by which table they are signed. */
export const slots = table(20, 'slots', u32Key, rawValue)
/** Batch number and header hash → what its withdrawals claim; none where there are none. Written with the batch's delta. */
export const claims = table(30, 'claims', bytesKey, packed<readonly Claim[]>())
/** Watcher: a vault head's number and outpoint → its spend. */
export const vaultHeads = table(31, 'vault-head', bytesKey, packed<VaultHeadRecord>())

/** Claim number → the payout that paid it. Written by the follower with its block. */
export interface PayoutRecord {
  readonly height: number
  readonly txid: Uint8Array
}

/** Header hash → indices of forced operations that changed nothing; none where there are none. Written with the batch's delta. */
export const idles = table(32, 'idle', bytesKey, packed<readonly number[]>())
export const payouts = table(33, 'payout', u32Key, packed<PayoutRecord>())

/** The batch's operations are those of the groups `from` ≤ number < `to`. */
export interface GroupingRecord {
  readonly from: number
  readonly to: number
}

export interface VaultHeadRecord {
  /** With all its signatures. A record may lack it that was written before signatures were complete. */
  readonly raw?: Uint8Array
}

/** Co-signers: setup id → the bond's record, and a leader's transactions for it. What is here was agreed to for ever. */
export const bonds = table(22, 'bond', bytesKey, packed<BondSetupRecord>())

/**
 * Challenger: batch number (u32, big-endian) and nonce → a tick that is not known to be kept yet: the root of its table,
 * then `encodeReceipt`.
 */
export const ticks = table(34, 'tick', bytesKey, rawValue)

export interface BondSetupRecord {
  /** Terms and signatures, as `@kedge/bond` encodes them. */
  readonly record: Uint8Array
  /** A leader's: what pays for both outputs, signed, and not sent before the record is complete. */
  readonly funding?: Uint8Array
}

export interface IntentRecord {
  /** What stands in the anchor's OP_RETURN. */
  readonly payload: Uint8Array
  readonly headerHash: Uint8Array
  /** Of a batch, where it is known: the anchor is late from there on. */
  readonly originHeight?: number
}

export interface SignedRecord {
  readonly raw: Uint8Array
  readonly txid: Uint8Array
  /** Satoshis. */
  readonly fee: bigint
  readonly vsize: number
  /** Bitcoin's height when it was signed. */
  readonly sentAt: number
}

export interface PublicationRecord {
  readonly kind: 'challenge' | 'part' | 'evidence'
  readonly headerHash: Uint8Array
  readonly data?: DataKind
  /** What is published; empty for a challenge, and once the publication is buried. */
  readonly body: Uint8Array
  /** `dropped`: without purpose, but not out of the way yet. `buried`: mined so deep that nobody looks after it. */
  readonly state: 'live' | 'dropped' | 'buried'
  /** Commits signed for it so far, the one in use last; none for a challenge. */
  readonly commits: readonly SignedRecord[]
  /** What carries the tag: the reveal of the last commit, or the challenge. */
  readonly tagged?: SignedRecord
  /** Txids of earlier ones that carry the tag: any of them may be mined. */
  readonly replaced: readonly Uint8Array[]
}
