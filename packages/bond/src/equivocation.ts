import {
  type Header,
  headerSlotMessage,
  isZero,
  networkId,
  nonceRootOf,
  type Params,
  type SignedTick,
  tickMessage,
  toHex,
} from '@kedge/core'
import { extractSlotSecret, type SignedMessage } from './slot-signature.ts'

/**
 * Equivocation by what everybody sees: receipts, and headers. Whoever keeps them needs nothing else, no node and no
 * chain: two signatures with one nonce give the slot key (`slashByEquivocation`).
 */

/**
 * What a tick's signature signs; undefined where the nonce is of no table. Whether anybody signed it is seen when there
 * are two.
 */
export function tickSigned({ caps }: Params, network: Uint8Array, signed: SignedTick): SignedMessage | undefined {
  const root = nonceRootOf(caps.ticks, signed)
  return root && { message: tickMessage(network, signed.tick, root), signature: signed.signature }
}

/** What a header shows of its parent; undefined behind a resume. */
export function parentSigned({ network, number, parent, prevSig }: Header): SignedMessage | undefined {
  if (isZero(prevSig)) return undefined
  return { message: headerSlotMessage(network, number - 1, parent), signature: prevSig.slice(0, 64) }
}

/** Signatures of one key by their nonces, the first of each. */
export type Signatures = Map<string, SignedMessage>

/**
 * Adds a signature to those that were seen.
 * @param key the slot key, x-only
 * @returns the key's secret, where another message was signed with the same nonce
 */
export function noteSignature(seen: Signatures, key: Uint8Array, signed: SignedMessage): Uint8Array | undefined {
  const nonce = toHex(signed.signature.slice(0, 32))
  const known = seen.get(nonce)
  if (known !== undefined) return extractSlotSecret(key, known, signed)
  seen.set(nonce, signed)
  return undefined
}

/** The slot key's secret, if these receipts and headers give it away: what the sequencer said twice in one slot. */
export function findSlotSecret(
  params: Params,
  { ticks, headers }: { readonly ticks: readonly SignedTick[]; readonly headers: readonly Header[] },
): Uint8Array | undefined {
  const network = networkId(params)
  const seen: Signatures = new Map()
  for (const signed of [...ticks.map((tick) => tickSigned(params, network, tick)), ...headers.map(parentSigned)]) {
    const secret = signed && noteSignature(seen, params.keys.slot, signed)
    if (secret !== undefined) return secret
  }
  return undefined
}
