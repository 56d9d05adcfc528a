import { MAX_PUBLICATION } from '@kedge/bitcoin'
import {
  type Chain,
  challengeLimit,
  concatBytes,
  type DataKind,
  encodeMessage,
  finalHeight,
  findInLine,
  isOpen,
  MAX_HEADER_BYTES,
  type Message,
  type Params,
  Reader,
  sha256,
  taggedHash,
} from '@kedge/core'
import type { PublicationRecord } from '@kedge/storage'

/** Something to put on Bitcoin about one batch. */
export type PublicationRequest =
  | { readonly kind: 'evidence'; readonly headerHash: Uint8Array; readonly body: Uint8Array }
  | { readonly kind: 'part'; readonly headerHash: Uint8Array; readonly data: DataKind; readonly body: Uint8Array }
  | { readonly kind: 'challenge'; readonly headerHash: Uint8Array; readonly data: DataKind }

/** @throws RangeError for a body that doesn't fit one publication */
export function newRecord(request: PublicationRequest): PublicationRecord {
  const body = request.kind === 'challenge' ? new Uint8Array(0) : request.body
  if (request.kind !== 'challenge' && (body.length === 0 || body.length > MAX_PUBLICATION)) {
    throw new RangeError(`${body.length} bytes are no publication`)
  }
  const { kind, headerHash } = request
  return {
    kind,
    headerHash,
    ...(request.kind !== 'evidence' && { data: request.data }),
    body,
    state: 'live',
    commits: [],
    replaced: [],
  }
}

/** The same for the same thing to publish, so that asking twice publishes once. */
export function publicationId(record: PublicationRecord): Uint8Array {
  return taggedHash('kedge/publication', concatBytes(payloadOf(record), sha256(record.body)))
}

/** What stands in the OP_RETURN. */
export function payloadOf(record: PublicationRecord): Uint8Array {
  return encodeMessage(messageOf(record))
}

function messageOf({ kind, headerHash, data }: PublicationRecord): Message {
  if (kind === 'evidence') return { kind, headerHash }
  if (data === undefined) throw new Error(`a stored ${kind} does not say of which kind of data`)
  return { kind, headerHash, data }
}

/** When a publication counts: in blocks above `since`, up to `deadline`. */
export interface Purpose {
  readonly since: number
  readonly deadline: number
}

/** Undefined while publishing has no effect: too early, too late, or done already, be it by somebody else. */
export function purposeOf(params: Params, chain: Chain, record: PublicationRecord): Purpose | undefined {
  const batch = findInLine(chain, record.headerHash)
  if (batch === undefined) return undefined
  const next = chain.height + 1
  // A batch stays open to evidence as long as an ancestor keeps it from being final.
  if (record.kind === 'evidence')
    return { since: batch.anchorHeight, deadline: Math.max(finalHeight(params, batch), next) }
  const data = record.data ?? 'data'
  const challenge = batch.challenges[data]
  if (record.kind === 'challenge') {
    const deadline = challengeLimit(params, chain, batch, data)
    return challenge === undefined && next <= deadline ? { since: batch.anchorHeight, deadline } : undefined
  }
  if (challenge === undefined || !isOpen(challenge) || next > challenge.deadline) return undefined
  const [start, end] = runOf(record.body)
  if (challenge.covered.some(([from, to]) => from <= start && end <= to)) return undefined
  return { since: challenge.raisedAt, deadline: challenge.deadline }
}

/** The leaves that a part holds (spec §9). */
function runOf(body: Uint8Array): readonly [number, number] {
  const reader = new Reader(body)
  reader.sized(MAX_HEADER_BYTES)
  const start = reader.u32()
  return [start, start + reader.u32()]
}
