import type { BondChange } from './bonds.ts'
import type { EvidenceFault } from './evidence.ts'
import type { ForcedEntry } from './forced.ts'
import type { Anchor, DataKind } from './message.ts'
import type { Part } from './publication.ts'

/** What a block changed, for those who act on it. `txid` is where it stands. */
export type ChainEvent =
  | {
      readonly kind: 'link'
      readonly number: number
      readonly outcome: 'batch' | 'resume'
      readonly headerHash: Uint8Array
      readonly word: Uint8Array
      readonly txid: Uint8Array
    }
  | {
      readonly kind: 'link'
      readonly number: number
      readonly outcome: 'null'
      /** What was written, without effect. */
      readonly anchor: Anchor
      readonly reason: string
      readonly txid: Uint8Array
    }
  | {
      readonly kind: 'link'
      readonly number: number
      readonly outcome: 'close'
      readonly reason: string
      readonly txid: Uint8Array
    }
  | {
      readonly kind: 'void'
      readonly number: number
      readonly headerHash: Uint8Array
      readonly cause: VoidCause
      readonly fault?: EvidenceFault
      readonly txid?: Uint8Array
    }
  | {
      readonly kind: 'challenged'
      readonly number: number
      readonly headerHash: Uint8Array
      readonly data: DataKind
      readonly deadline: number
      readonly txid: Uint8Array
    }
  | {
      readonly kind: 'part'
      readonly number: number
      readonly headerHash: Uint8Array
      readonly data: DataKind
      readonly part: Part
      readonly txid: Uint8Array
    }
  | { readonly kind: 'answered'; readonly number: number; readonly headerHash: Uint8Array; readonly data: DataKind }
  | {
      readonly kind: 'ignored'
      readonly message: 'challenge' | 'part' | 'evidence'
      readonly headerHash: Uint8Array
      readonly reason: string
      readonly txid: Uint8Array
    }
  | {
      readonly kind: 'ignored'
      readonly message: 'forced' | 'bond'
      readonly reason: string
      readonly txid: Uint8Array
    }
  | { readonly kind: 'forced'; readonly entry: ForcedEntry; readonly txid: Uint8Array }
  | {
      readonly kind: 'vault'
      readonly number: number
      /** `other`: the chain goes on, and that is all. */
      readonly outcome: 'sweep' | 'payout' | 'other' | 'close'
      /** How many deposits it sweeps. */
      readonly swept: number
      /** Numbers of the claims that it pays. */
      readonly claims: readonly number[]
      readonly txid: Uint8Array
    }
  | ({ readonly kind: 'bond'; readonly txid: Uint8Array } & BondChange)
  /** Nothing lived since then: the chain has ended. */
  | { readonly kind: 'expired'; readonly since: number }
  /** The chain has ended and its last batch is final: from this block on, each one is a step of the exit. */
  | { readonly kind: 'exit' }
  | { readonly kind: 'final'; readonly number: number; readonly headerHash: Uint8Array }

export type VoidCause = 'evidence' | 'unanswered' | 'ancestor'
