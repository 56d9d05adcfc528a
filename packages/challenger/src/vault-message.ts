import { isSignatureOf, signHash } from '@kedge/bitcoin'
import {
  decodeProposal,
  encodeProposal,
  type Params,
  type ProposalRefusal,
  proposalMessage,
  Reader,
  type VaultProposal,
  Writer,
} from '@kedge/core'

/** What watchers send each other, in bytes. Whatever does not decode to the last byte is nobody's word. */

/** A watcher's, which is one of the network's by its key. */
export interface Asking {
  readonly proposal: VaultProposal
  /** Its place among the network's watchers. */
  readonly place: number
}

export type VaultAnswer = Signed | Refused

export interface Signed {
  readonly kind: 'signed'
  readonly place: number
  /** One for each input, BIP340. */
  readonly signatures: readonly Uint8Array[]
}

export interface Refused {
  readonly kind: 'refused'
  readonly reason: VaultRefusal
}

/**
 * Beside what its judgement gives: `behind`, it lacks batches; `short`, there is less than is owed, so it signs nothing;
 * `stranger`, the asker is no watcher.
 */
export type VaultRefusal = ProposalRefusal | 'behind' | 'short' | 'stranger'

const REASONS: readonly VaultRefusal[] = [
  ...(['head', 'deposits', 'header', 'claims', 'dust', 'fee', 'choice'] as const),
  ...(['behind', 'short', 'stranger'] as const),
]

const SIGNED = 1
const REFUSED = 2

/** @param secret of the watcher at `place` */
export function encodeAsking(network: Uint8Array, { proposal, place }: Asking, secret: Uint8Array): Uint8Array {
  const bytes = encodeProposal(proposal)
  const signature = signHash(proposalMessage(network, proposal), secret)
  return new Writer().u8(place).fixed(signature, 64).fixed(bytes, bytes.length).bytes
}

/** Undefined unless a watcher of the network has signed it. */
export function decodeAsking(network: Uint8Array, { keys }: Params, bytes: Uint8Array): Asking | undefined {
  const reader = new Reader(bytes)
  const [place, signature] = [reader.u8(), reader.fixed(64)]
  const proposal = decodeProposal(reader.view(reader.left))
  const key = keys.watchers[place]
  if (!reader.done || proposal === undefined || key === undefined) return undefined
  return isSignatureOf(signature, proposalMessage(network, proposal), key) ? { proposal, place } : undefined
}

export function encodeAnswer(answer: VaultAnswer): Uint8Array {
  const writer = new Writer()
  if (answer.kind === 'refused') return writer.u8(REFUSED).u8(REASONS.indexOf(answer.reason)).bytes
  writer.u8(SIGNED).u8(answer.place)
  for (const signature of answer.signatures) writer.fixed(signature, 64)
  return writer.bytes
}

export function decodeAnswer(bytes: Uint8Array): VaultAnswer | undefined {
  const reader = new Reader(bytes)
  const kind = reader.u8()
  if (kind === REFUSED) return readRefused(reader)
  const place = reader.u8()
  const signatures = Array.from({ length: Math.floor(reader.left / 64) }, () => reader.fixed(64))
  return kind === SIGNED && reader.done ? { kind: 'signed', place, signatures } : undefined
}

function readRefused(reader: Reader): Refused | undefined {
  const reason = REASONS[reader.u8()]
  return reader.done && reason !== undefined ? { kind: 'refused', reason } : undefined
}
