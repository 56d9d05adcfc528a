import type { Stage } from './planned.ts'
import type { BondTerms } from './terms.ts'

/** What the sequencer, who leads, and the other co-signers say to each other. */

/** To a co-signer. */
export type LeaderMessage =
  /** A new session. For the return it brings the slashes' signatures, without which nobody signs the return. */
  | {
      readonly kind: 'open'
      readonly session: Uint8Array
      readonly stage: Stage
      readonly terms: BondTerms
      readonly slashes: readonly Uint8Array[]
    }
  /** Everybody's public nonces: for each co-signer, in their order, one for each spend. */
  | { readonly kind: 'sign'; readonly session: Uint8Array; readonly nonces: readonly (readonly Uint8Array[])[] }
  /** The return's signature, so that everybody holds what everybody signed. */
  | { readonly kind: 'done'; readonly setup: Uint8Array; readonly returned: Uint8Array }

/** From a co-signer: one nonce, or one share of a signature, for each spend of the stage. */
export type CosignerMessage =
  | { readonly kind: 'nonces'; readonly session: Uint8Array; readonly nonces: readonly Uint8Array[] }
  | { readonly kind: 'partials'; readonly session: Uint8Array; readonly partials: readonly Uint8Array[] }
  | { readonly kind: 'refusal'; readonly session: Uint8Array; readonly reason: CosignRefusal; readonly detail: string }

/**
 * - `terms`: they are not the network's, or not for this co-signer; `detail` says why
 * - `conflict`: an output of theirs is part of another setup, which this co-signer agreed to
 * - `slash`: the return is asked for before the slashes' signatures are there
 * - `session`: there is none of that name, for example after a restart: open a new one
 * - `nonces`: they do not fit the session
 */
export type CosignRefusal = 'terms' | 'conflict' | 'slash' | 'session' | 'nonces'

/**
 * What a co-signer must never lose: to which terms it agreed, and what came of it. No secret is in it: those of the
 * nonces live in memory, for one session.
 */
export interface BondRecord {
  readonly terms: BondTerms
  /** Signatures of B for the slash by each detector; empty until they are there. */
  readonly slashes: readonly Uint8Array[]
  readonly returned: Uint8Array | undefined
}
