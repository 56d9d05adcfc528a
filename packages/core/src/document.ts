import { BLOCK_HEADER_BYTES, MAX_BLOCK_HEADERS } from './block-headers.ts'
import { concatBytes, fromHex, isHex, toHex } from './bytes.ts'
import { Reader, Writer } from './codec.ts'
import { MAX_OPERATION_BYTES } from './operation.ts'
import { type BrokenPromise, decodeBrokenPromise, encodeBrokenPromise } from './promise.ts'
import { MAX_RECEIPT_BYTES } from './receipt.ts'
import type { ShownPayment } from './verify-payment.ts'

/** What people keep, or show against the sequencer: bytes of one form, or the same bytes inside JSON. */
export type Document = ReceiptDocument | PaymentDocument | BrokenPromiseDocument

export interface ReceiptDocument {
  readonly kind: 'receipt'
  readonly network: Uint8Array
  readonly operation: Uint8Array
  /** `encodeReceipt`. */
  readonly receipt: Uint8Array
}

export interface PaymentDocument extends ShownPayment {
  readonly kind: 'payment-proof'
  readonly network: Uint8Array
}

export interface BrokenPromiseDocument extends BrokenPromise {
  readonly kind: 'broken-promise'
  readonly network: Uint8Array
}

export type ReadDocument =
  | { readonly ok: true; readonly document: Document }
  | { readonly ok: false; readonly reason: string }

/** Three transactions of Bitcoin's greatest length, and all else with room to spare. */
export const MAX_DOCUMENT_BYTES = 4_000_000

/** "KDGF". Messages on Bitcoin begin with "KDGE". */
const MAGIC = Uint8Array.from([0x4b, 0x44, 0x47, 0x46])
const KINDS = { receipt: 1, 'payment-proof': 2, 'broken-promise': 3 } as const
const VERSION = 1

/** @throws RangeError when the block headers are no row of 80 bytes each. */
export function encodeDocument(document: Document): Uint8Array {
  const head = new Writer().fixed(MAGIC, 4).u8(VERSION).u8(KINDS[document.kind]).hash(document.network)
  if (document.kind === 'receipt') return head.sized(document.operation).sized(document.receipt).bytes
  if (document.kind === 'broken-promise') return concatBytes(head.bytes, encodeBrokenPromise(document))
  const { blockHeaders, proof } = document
  const start = head.u16(blockHeaders.length / BLOCK_HEADER_BYTES).fixed(blockHeaders, blockHeaders.length).bytes
  return concatBytes(start, proof)
}

/** What is inside the body is judged by who verifies it. */
export function decodeDocument(bytes: Uint8Array): ReadDocument {
  if (bytes.length > MAX_DOCUMENT_BYTES) return refuse(`it is longer than ${MAX_DOCUMENT_BYTES} bytes`)
  const reader = new Reader(bytes)
  for (const byte of MAGIC) reader.exactly(byte)
  if (reader.failed) return refuse('it is no document of Kedge')
  const [version, kind] = [reader.u8(), reader.u8()]
  if (!reader.failed && version !== VERSION)
    return refuse(`it is of version ${version}, and this reads version ${VERSION}`)
  const network = reader.hash()
  const document = readBody(reader, kind, network)
  return document !== undefined && reader.done ? { ok: true, document } : refuse('it is cut off, or damaged')
}

function refuse(reason: string): ReadDocument {
  return { ok: false, reason }
}

function readBody(reader: Reader, kind: number, network: Uint8Array): Document | undefined {
  switch (kind) {
    case KINDS.receipt:
      return readReceiptBody(reader, network)
    case KINDS['payment-proof']:
      return readPaymentBody(reader, network)
    case KINDS['broken-promise']: {
      const shown = reader.failed ? undefined : decodeBrokenPromise(reader.fixed(reader.left))
      return shown && { kind: 'broken-promise', network, ...shown }
    }
    default:
      return undefined
  }
}

function readReceiptBody(reader: Reader, network: Uint8Array): ReceiptDocument {
  const operation = reader.sized(MAX_OPERATION_BYTES)
  return { kind: 'receipt', network, operation, receipt: reader.sized(MAX_RECEIPT_BYTES) }
}

function readPaymentBody(reader: Reader, network: Uint8Array): PaymentDocument {
  const count = reader.u16()
  if (count < 1 || count > MAX_BLOCK_HEADERS || BLOCK_HEADER_BYTES * count > reader.left) reader.failed = true
  const blockHeaders = reader.failed ? new Uint8Array(0) : reader.fixed(BLOCK_HEADER_BYTES * count)
  return {
    kind: 'payment-proof',
    network,
    blockHeaders,
    proof: reader.failed ? blockHeaders : reader.fixed(reader.left),
  }
}

/** For mail and databases that want text. What stands beside `bytes` is for people: it must say the same. */
export interface DocumentJson {
  readonly kedge: Document['kind']
  readonly version: number
  /** Hex. */
  readonly network: string
  /** Hex of `encodeDocument`. */
  readonly bytes: string
}

export function documentToJson(document: Document): DocumentJson {
  const { kind, network } = document
  return { kedge: kind, version: VERSION, network: toHex(network), bytes: toHex(encodeDocument(document)) }
}

export function documentFromJson(json: unknown): ReadDocument {
  if (typeof json !== 'object' || json === null) return refuse('it is no document of Kedge')
  const { kedge, version, network, bytes, ...rest } = json as Readonly<Record<string, unknown>>
  if (typeof kedge !== 'string' || typeof bytes !== 'string') return refuse('it is no document of Kedge')
  if (bytes.length > 2 * MAX_DOCUMENT_BYTES || !isHex(bytes)) return refuse('its bytes are no lower-case hex')
  const read = decodeDocument(fromHex(bytes))
  if (!read.ok) return read
  const says = documentToJson(read.document)
  const agrees = kedge === says.kedge && version === says.version && network === says.network
  return agrees && Object.keys(rest).length === 0 ? read : refuse('what it says of itself is not what its bytes say')
}
