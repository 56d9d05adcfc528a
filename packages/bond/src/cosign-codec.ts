import { Reader, Writer } from '@kedge/core'
import type { BondRecord, CosignerMessage, CosignRefusal, LeaderMessage } from './cosign-message.ts'
import { readTerms, writeTerms } from './terms-codec.ts'

/** What is said between co-signers, and what they keep on disk, as bytes. Decoding refuses everything not canonical. */

const SESSION = 16
const SIGNATURE = 64
const NONCE = 66
const PARTIAL = 32
/** More detectors, co-signers or bytes of reason than any bond has. */
const MAX_SPENDS = 16
const MAX_COSIGNERS = 16
const MAX_DETAIL = 300
/** ASCII without control characters. */
const PRINTED = /^[\x20-\x7e]*$/

const LEADER_KINDS = ['open', 'sign', 'done'] as const
const COSIGNER_KINDS = ['nonces', 'partials', 'refusal'] as const
const STAGES = ['slash', 'return'] as const
const REFUSALS: readonly CosignRefusal[] = ['terms', 'conflict', 'slash', 'session', 'nonces']

export function encodeLeaderMessage(message: LeaderMessage): Uint8Array {
  const writer = new Writer(1024).u8(LEADER_KINDS.indexOf(message.kind))
  if (message.kind === 'done') return writer.hash(message.setup).fixed(message.returned, SIGNATURE).bytes
  writer.fixed(message.session, SESSION)
  if (message.kind === 'open') {
    writer.u8(STAGES.indexOf(message.stage))
    writeTerms(writer, message.terms)
    return writeList(writer, message.slashes, SIGNATURE).bytes
  }
  writer.u8(message.nonces.length)
  for (const each of message.nonces) writeList(writer, each, NONCE)
  return writer.bytes
}

export function decodeLeaderMessage(bytes: Uint8Array): LeaderMessage | undefined {
  const reader = new Reader(bytes)
  const message = readLeaderMessage(reader, LEADER_KINDS[reader.u8()])
  return reader.done ? message : undefined
}

function readLeaderMessage(reader: Reader, kind: (typeof LEADER_KINDS)[number] | undefined): LeaderMessage | undefined {
  if (kind === undefined) return undefined
  if (kind === 'done') return { kind, setup: reader.hash(), returned: reader.fixed(SIGNATURE) }
  const session = reader.fixed(SESSION)
  if (kind === 'open') {
    const stage = STAGES[reader.u8()]
    const terms = readTerms(reader)
    const slashes = readList(reader, SIGNATURE)
    return stage && slashes && { kind, session, stage, terms, slashes }
  }
  const count = reader.u8()
  if (count > MAX_COSIGNERS) return undefined
  const nonces = Array.from({ length: count }, () => readList(reader, NONCE))
  const known = nonces.filter((each) => each !== undefined)
  return known.length === count ? { kind, session, nonces: known } : undefined
}

export function encodeCosignerMessage(message: CosignerMessage): Uint8Array {
  const writer = new Writer(1024).u8(COSIGNER_KINDS.indexOf(message.kind)).fixed(message.session, SESSION)
  if (message.kind === 'nonces') return writeList(writer, message.nonces, NONCE).bytes
  if (message.kind === 'partials') return writeList(writer, message.partials, PARTIAL).bytes
  const detail = new TextEncoder().encode(message.detail.replace(/[^\x20-\x7e]/g, '?')).slice(0, MAX_DETAIL)
  return writer.u8(REFUSALS.indexOf(message.reason)).sized(detail).bytes
}

export function decodeCosignerMessage(bytes: Uint8Array): CosignerMessage | undefined {
  const reader = new Reader(bytes)
  const message = readCosignerMessage(reader, COSIGNER_KINDS[reader.u8()])
  return reader.done ? message : undefined
}

function readCosignerMessage(
  reader: Reader,
  kind: (typeof COSIGNER_KINDS)[number] | undefined,
): CosignerMessage | undefined {
  if (kind === undefined) return undefined
  const session = reader.fixed(SESSION)
  if (kind === 'refusal') {
    const reason = REFUSALS[reader.u8()]
    const detail = new TextDecoder().decode(reader.sized(MAX_DETAIL))
    // A stranger's text is shown to a person: nothing in it that moves a terminal's cursor.
    return reason && PRINTED.test(detail) ? { kind, session, reason, detail } : undefined
  }
  const list = readList(reader, kind === 'nonces' ? NONCE : PARTIAL)
  if (list === undefined) return undefined
  return kind === 'nonces' ? { kind, session, nonces: list } : { kind, session, partials: list }
}

export function encodeRecord({ terms, slashes, returned }: BondRecord): Uint8Array {
  const writer = new Writer(1024)
  writeTerms(writer, terms)
  writeList(writer, slashes, SIGNATURE)
  return writeList(writer, returned === undefined ? [] : [returned], SIGNATURE).bytes
}

export function decodeRecord(bytes: Uint8Array): BondRecord | undefined {
  const reader = new Reader(bytes)
  const terms = readTerms(reader)
  const [slashes, returned] = [readList(reader, SIGNATURE), readList(reader, SIGNATURE)]
  if (!reader.done || slashes === undefined || returned === undefined || returned.length > 1) return undefined
  return { terms, slashes, returned: returned[0] }
}

/** Items of one size behind their number. */
function writeList(writer: Writer, list: readonly Uint8Array[], size: number): Writer {
  writer.u8(list.length)
  for (const item of list) writer.fixed(item, size)
  return writer
}

function readList(reader: Reader, size: number): Uint8Array[] | undefined {
  const count = reader.u8()
  if (count > MAX_SPENDS || count * size > reader.left) return undefined
  return Array.from({ length: count }, () => reader.fixed(size))
}
