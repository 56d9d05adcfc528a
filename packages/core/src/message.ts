import { Reader, Writer } from './codec.ts'
import type { Header, Origin } from './header.ts'

/** What Kedge writes into Bitcoin's one OP_RETURN: "KDGE", a kind, a body of fixed layout. */
export type Message = Anchor | DepositTag | ChallengeTag | PartTag | EvidenceTag | PayoutTag | ForcedTag | BondTag

/** What a link of the anchor chain says. Its number is not written: the outputs that it spends one after another give it. */
export type Anchor = BatchAnchor | ResumeAnchor

export interface BatchAnchor {
  readonly kind: 'batch'
  readonly headerHash: Uint8Array
  /** The post state root. */
  readonly word: Uint8Array
  readonly mark: Uint8Array
}

export interface ResumeAnchor {
  readonly kind: 'resume'
  /** The parent's. */
  readonly headerHash: Uint8Array
  /** Zeros (a nonce root later). */
  readonly word: Uint8Array
}

const MARK_BYTES = 7
const SIGNATURE_BYTES = 64

export interface DepositTag {
  readonly kind: 'deposit'
  readonly key: Uint8Array
  readonly refundKey: Uint8Array
}

/** `data`: the header and all operations. `steps`: all step roots. */
export type DataKind = 'data' | 'steps'

export interface ChallengeTag {
  readonly kind: 'challenge'
  readonly headerHash: Uint8Array
  readonly data: DataKind
}

export interface PartTag {
  readonly kind: 'part'
  readonly headerHash: Uint8Array
  readonly data: DataKind
}

export interface EvidenceTag {
  readonly kind: 'evidence'
  readonly headerHash: Uint8Array
}

/** Which claims a payout pays. */
export interface PayoutTag {
  readonly kind: 'payout'
  /** The last final header when it was built: what it says is owed, its batch and those before it have. */
  readonly headerHash: Uint8Array
  /** Numbers of claims, ascending, all within `CLAIM_SPAN` of the first. */
  readonly claims: readonly number[]
}

/** The operation is in the inputs' witnesses. */
export interface ForcedTag {
  readonly kind: 'forced'
}

/** What it takes to slash the bond that it fits. */
export interface BondTag {
  readonly kind: 'bond'
  /** Of all co-signers, 64 bytes. */
  readonly signature: Uint8Array
}

const MAGIC = Uint8Array.from([0x4b, 0x44, 0x47, 0x45])

const KINDS = {
  batch: 1,
  resume: 2,
  deposit: 16,
  challenge: 17,
  part: 18,
  evidence: 19,
  payout: 20,
  forced: 21,
  bond: 22,
} as const
const DATA_KINDS: readonly DataKind[] = ['data', 'steps']

/** @param nonceRoot of the table that the next batch's ticks and header are signed with */
export function resumeAnchor(parent: Uint8Array, nonceRoot: Uint8Array): ResumeAnchor {
  return { kind: 'resume', headerHash: parent, word: nonceRoot }
}

export function batchAnchor(header: Pick<Header, 'parent' | 'origin' | 'post'>, hash: Uint8Array): BatchAnchor {
  return { kind: 'batch', headerHash: hash, word: header.post, mark: markOf(header) }
}

/**
 * As much of a batch's place as an anchor has room for, so that Bitcoin alone, without the header, shows whether a
 * reorganisation took its origin or its parent: the origin's height (its low 16 bits: origins are at most S blocks old)
 * and the first 2 bytes of its hash, the first 3 bytes of the parent's.
 */
export function markOf({ origin, parent }: Pick<Header, 'origin' | 'parent'>): Uint8Array {
  return Uint8Array.of(...originMark(origin), ...parent.subarray(0, 3))
}

/** Whether a mark is one of this origin. */
export function marksOrigin(mark: Uint8Array, origin: Origin): boolean {
  return originMark(origin).every((byte, at) => byte === mark[at])
}

/** The height that a mark names: the highest that is not above `most` and whose low bits are the mark's. */
export function markedHeight(mark: Uint8Array, most: number): number {
  const low = (mark[0] as number) | ((mark[1] as number) << 8)
  return most - ((most - low) & 0xffff)
}

function originMark({ height, hash }: Origin): number[] {
  return [height & 0xff, (height >> 8) & 0xff, ...hash.subarray(0, 2)]
}

export function encodeMessage(message: Message): Uint8Array {
  const writer = new Writer(80).fixed(MAGIC, 4).u8(KINDS[message.kind])
  switch (message.kind) {
    case 'batch':
    case 'resume':
      return writeAnchor(writer, message).bytes
    case 'deposit':
      return writer.hash(message.key).hash(message.refundKey).bytes
    case 'challenge':
    case 'part':
      return writer.hash(message.headerHash).u8(1 + DATA_KINDS.indexOf(message.data)).bytes
    case 'evidence':
      return writer.hash(message.headerHash).bytes
    case 'forced':
      return writer.bytes
    case 'bond':
      return writer.fixed(message.signature, SIGNATURE_BYTES).bytes
    case 'payout':
      return writeClaims(writer.hash(message.headerHash), message.claims).bytes
  }
}

/** All anchors are of one size. */
function writeAnchor(writer: Writer, anchor: Anchor): Writer {
  writer.hash(anchor.headerHash).hash(anchor.word)
  if (anchor.kind === 'resume') return writer.zeros(MARK_BYTES)
  return writer.fixed(anchor.mark, MARK_BYTES)
}

const BITMAP_BYTES = 39

/** A payout's claims lie within so many numbers from its first one: its tag fills 80 bytes then. */
export const CLAIM_SPAN = 8 * BITMAP_BYTES

/** The first one's number u32, then a bitmap from it on, the lowest bit first, without zero bytes at its end. */
function writeClaims(writer: Writer, claims: readonly number[]): Writer {
  const [start, last] = [claims[0], claims.at(-1)]
  if (start === undefined || last === undefined || last - start >= CLAIM_SPAN)
    throw new RangeError('the claims have no bitmap')
  const bitmap = new Uint8Array(((last - start) >> 3) + 1)
  for (const claim of claims) {
    const at = claim - start
    bitmap[at >> 3] = (bitmap[at >> 3] as number) | (1 << (at & 7))
  }
  return writer.u32(start).fixed(bitmap, bitmap.length)
}

function readClaims(reader: Reader): number[] {
  const start = reader.u32()
  const bitmap = reader.view(reader.left)
  const claims = [...bitmap].flatMap((byte, at) =>
    [0, 1, 2, 3, 4, 5, 6, 7].filter((bit) => (byte >> bit) & 1).map((bit) => start + 8 * at + bit),
  )
  const isCanonical = bitmap.length <= BITMAP_BYTES && claims[0] === start && bitmap.at(-1) !== 0
  if (!isCanonical || (claims.at(-1) ?? 0) > 0xffffffff) reader.failed = true
  return claims
}

/** Undefined for a payload that is not Kedge's, or is no known message to the last byte. */
export function decodeMessage(payload: Uint8Array): Message | undefined {
  const reader = new Reader(payload)
  for (const byte of MAGIC) reader.exactly(byte)
  const message = readBody(reader, reader.u8())
  return reader.done ? message : undefined
}

export function isKedgePayload(payload: Uint8Array): boolean {
  return MAGIC.every((byte, at) => payload[at] === byte)
}

function readBody(reader: Reader, kind: number): Message | undefined {
  switch (kind) {
    case KINDS.batch: {
      const [hash, word] = [reader.hash(), reader.hash()]
      return { kind: 'batch', headerHash: hash, word, mark: reader.fixed(MARK_BYTES) }
    }
    case KINDS.resume: {
      const [parent, word] = [reader.hash(), reader.hash()]
      reader.zeros(MARK_BYTES)
      return { kind: 'resume', headerHash: parent, word }
    }
    case KINDS.deposit:
      return { kind: 'deposit', key: reader.hash(), refundKey: reader.hash() }
    case KINDS.challenge:
    case KINDS.part: {
      const headerHash = reader.hash()
      const data = DATA_KINDS[reader.u8() - 1]
      return data && { kind: kind === KINDS.part ? 'part' : 'challenge', headerHash, data }
    }
    case KINDS.evidence:
      return { kind: 'evidence', headerHash: reader.hash() }
    case KINDS.forced:
      return { kind: 'forced' }
    case KINDS.bond:
      return { kind: 'bond', signature: reader.fixed(SIGNATURE_BYTES) }
    case KINDS.payout:
      return { kind: 'payout', headerHash: reader.hash(), claims: readClaims(reader) }
    default:
      return undefined
  }
}
