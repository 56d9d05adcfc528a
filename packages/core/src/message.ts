import { Reader, Writer } from './codec.ts'
import { ZERO_HASH } from './hash.ts'

/** What Kedge writes into Bitcoin's one OP_RETURN: "KDGE", a kind, a body of fixed layout. */
export type Message = Anchor | DepositTag | ChallengeTag | PartTag | EvidenceTag

export interface Anchor {
  readonly kind: 'batch' | 'resume'
  readonly number: number
  /** Of the batch's header; of the parent's where it is a resume. */
  readonly headerHash: Uint8Array
  /** The post state root; zeros (a nonce root later) where it is a resume. */
  readonly word: Uint8Array
}

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

const MAGIC = Uint8Array.from([0x4b, 0x44, 0x47, 0x45])

const KINDS = { batch: 1, resume: 2, deposit: 16, challenge: 17, part: 18, evidence: 19 } as const
const DATA_KINDS: readonly DataKind[] = ['data', 'steps']

export function resumeAnchor(number: number, parent: Uint8Array): Anchor {
  return { kind: 'resume', number, headerHash: parent, word: ZERO_HASH }
}

export function encodeMessage(message: Message): Uint8Array {
  const writer = new Writer(80).fixed(MAGIC, 4).u8(KINDS[message.kind])
  switch (message.kind) {
    case 'batch':
    case 'resume':
      return writer.u32(message.number).hash(message.headerHash).hash(message.word).bytes
    case 'deposit':
      return writer.hash(message.key).hash(message.refundKey).bytes
    case 'challenge':
    case 'part':
      return writer.hash(message.headerHash).u8(1 + DATA_KINDS.indexOf(message.data)).bytes
    case 'evidence':
      return writer.hash(message.headerHash).bytes
  }
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
    case KINDS.batch:
    case KINDS.resume:
      return {
        kind: kind === KINDS.batch ? 'batch' : 'resume',
        number: reader.u32(),
        headerHash: reader.hash(),
        word: reader.hash(),
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
    default:
      return undefined
  }
}
