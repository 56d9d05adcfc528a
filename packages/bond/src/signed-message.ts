import { signHash } from '@kedge/bitcoin'
import { concatBytes, equalBytes, taggedHash } from '@kedge/core'
import {
  decodeCosignerMessage,
  decodeLeaderMessage,
  encodeCosignerMessage,
  encodeLeaderMessage,
} from './cosign-codec.ts'
import type { CosignerMessage, LeaderMessage } from './cosign-message.ts'
import type { XOnlyKey } from './key.ts'
import { isSignedBy } from './slot-signature.ts'

/**
 * What co-signers say to each other, signed by their share of the bond's key: connections know peers, not co-signers.
 * Without it any stranger could open sessions, and each ends the one before. A message is bound to its network and to
 * its direction; played again later it opens a session that nobody goes on with, or belongs to one that is over.
 */

/** Watchers are asked for two things; the first byte says which (`fraud-request.ts`). */
const COSIGN = 1

const LEADER_TAG = 'kedge/bond-leader/1'
const COSIGNER_TAG = 'kedge/bond-cosigner/1'
const KEY = 32
const SIGNATURE = 64

export function signLeaderMessage(key: XOnlyKey, network: Uint8Array, message: LeaderMessage): Uint8Array {
  const bytes = encodeLeaderMessage(message)
  return concatBytes(Uint8Array.of(COSIGN), signHash(digest(LEADER_TAG, network, bytes), key.secret), bytes)
}

/** Undefined unless it is a message that the leader signed. @param leader x-only */
export function readLeaderMessage(
  leader: Uint8Array,
  network: Uint8Array,
  signed: Uint8Array,
): LeaderMessage | undefined {
  const bytes = signed.slice(1 + SIGNATURE)
  const message = digest(LEADER_TAG, network, bytes)
  const signature = signed.slice(1, 1 + SIGNATURE)
  if (signed[0] !== COSIGN || !isSignedBy(leader, { message, signature })) return undefined
  return decodeLeaderMessage(bytes)
}

export function signCosignerMessage(key: XOnlyKey, network: Uint8Array, message: CosignerMessage): Uint8Array {
  const bytes = encodeCosignerMessage(message)
  const signature = signHash(digest(COSIGNER_TAG, network, bytes), key.secret)
  return concatBytes(key.publicKey, signature, bytes)
}

/** Undefined unless it is a message that one of the co-signers signed: who that is, and what he says. */
export function readCosignerMessage(
  cosigners: readonly Uint8Array[],
  network: Uint8Array,
  signed: Uint8Array,
): { readonly from: Uint8Array; readonly message: CosignerMessage } | undefined {
  const from = cosigners.find((key) => equalBytes(key, signed.slice(0, KEY)))
  const bytes = signed.slice(KEY + SIGNATURE)
  const signature = signed.slice(KEY, KEY + SIGNATURE)
  if (from === undefined || !isSignedBy(from, { message: digest(COSIGNER_TAG, network, bytes), signature }))
    return undefined
  const message = decodeCosignerMessage(bytes)
  return message && { from, message }
}

function digest(tag: string, network: Uint8Array, bytes: Uint8Array): Uint8Array {
  return taggedHash(tag, concatBytes(network, bytes))
}
