import { equalBytes } from '@kedge/core'
import { Packr } from 'msgpackr'

/**
 * The two control messages, in MessagePack. Each has one encoding: a decoder rebuilds the message from the fields it
 * knows and compares its encoding with what came, so unknown and repeated keys, another order, longer forms of numbers
 * and trailing bytes are all refused by the same line.
 */

export type DataKind = 'header' | 'data' | 'steps'

/** Asks for what belongs to the batch whose header has this hash. */
export interface DataRequest {
  /** 32 bytes. */
  readonly headerHash: Uint8Array
  readonly kind: DataKind
}

/** Stands before a response's body; `size` is the body's length in bytes. */
export interface Answer {
  readonly status: AnswerStatus
  readonly size: number
}

/** `busy`: ask again later. `failed`: the peer has a fault of its own. Only `found` has a body. */
export type AnswerStatus = 'found' | 'unknown' | 'busy' | 'failed'

export type Decoded<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly reason: string }

/** Longest control message, bytes. The longest in use is a request: 63. */
export const MAX_CONTROL = 128

const HASH_BYTES = 32
const kinds: readonly string[] = ['header', 'data', 'steps'] satisfies DataKind[]
const statuses: readonly string[] = ['found', 'unknown', 'busy', 'failed'] satisfies AnswerStatus[]

/** `variableMapSize` gives a small map its one-byte head. */
const packr = new Packr({ useRecords: false, mapsAsObjects: true, variableMapSize: true })

export function encodeRequest(request: DataRequest): Uint8Array {
  return pack({ headerHash: request.headerHash, kind: request.kind })
}

export function decodeRequest(bytes: Uint8Array): Decoded<DataRequest> {
  return decode(bytes, ({ headerHash, kind }) => {
    if (!(headerHash instanceof Uint8Array) || headerHash.length !== HASH_BYTES) return 'no header hash of 32 bytes'
    if (!isKind(kind)) return 'unknown kind'
    const request = { headerHash: Uint8Array.from(headerHash), kind }
    return { value: request, encoding: encodeRequest(request) }
  })
}

export function encodeAnswer(answer: Answer): Uint8Array {
  return pack({ status: answer.status, size: answer.size })
}

/** @param maxSize the longest body the caller would take, bytes. */
export function decodeAnswer(bytes: Uint8Array, maxSize: number): Decoded<Answer> {
  return decode(bytes, ({ status, size }) => {
    if (!isStatus(status)) return 'unknown status'
    if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0) return 'no size'
    if (size > maxSize) return `a body of ${size} bytes, more than ${maxSize}`
    if (status !== 'found' && size !== 0) return `a body with status ${status}`
    const answer = { status, size }
    return { value: answer, encoding: encodeAnswer(answer) }
  })
}

type Fields = Readonly<Record<string, unknown>>
type Built<T> = { readonly value: T; readonly encoding: Uint8Array }

function decode<T>(bytes: Uint8Array, build: (fields: Fields) => Built<T> | string): Decoded<T> {
  if (bytes.length > MAX_CONTROL) return { ok: false, reason: `${bytes.length} bytes, more than ${MAX_CONTROL}` }
  const fault = findShapeFault(bytes)
  if (fault !== undefined) return { ok: false, reason: fault }
  const fields = unpack(bytes)
  if (!fields.ok) return fields
  const built = build(fields.value)
  if (typeof built === 'string') return { ok: false, reason: built }
  if (!equalBytes(built.encoding, bytes)) return { ok: false, reason: 'not the one encoding of this message' }
  return { ok: true, value: built.value }
}

/** The decoder writes a property onto the bytes it is given, and returns views into them: so it gets a copy. */
function unpack(bytes: Uint8Array): Decoded<Fields> {
  try {
    const value: unknown = packr.unpack(bytes.slice())
    return isFields(value) ? { ok: true, value } : { ok: false, reason: 'not a map' }
  } catch (cause) {
    return { ok: false, reason: `not MessagePack: ${cause instanceof Error ? cause.message : String(cause)}` }
  }
}

function pack(fields: Fields): Uint8Array {
  return Uint8Array.from(packr.pack(fields))
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isKind(value: unknown): value is DataKind {
  return typeof value === 'string' && kinds.includes(value)
}

function isStatus(value: unknown): value is AnswerStatus {
  return typeof value === 'string' && statuses.includes(value)
}

/**
 * Looks at the outline before anything is decoded: one map of at most 15 short strings to strings, byte strings and
 * unsigned integers of at most 32 bits, ending where the bytes end. So no nesting, no array lengths to allocate for,
 * and none of the extension types (dates, typed arrays, errors, records) of the decoder can be reached.
 */
function findShapeFault(bytes: Uint8Array): string | undefined {
  const head = bytes[0]
  if (head === undefined || (head & 0xf0) !== 0x80) return 'not a small map'
  let at = 1
  for (let pairs = head & 0x0f; pairs > 0; pairs--) {
    const key = bytes[at]
    if (key === undefined || (key & 0xe0) !== 0xa0) return 'a key is not a short string'
    const value = at + 1 + (key & 0x1f)
    const size = scalarSize(bytes, value)
    if (size === undefined) return 'a value is not a string, byte string or unsigned integer'
    at = value + size
  }
  return at === bytes.length ? undefined : 'cut short or followed by trailing bytes'
}

/** Bytes that the scalar at `at` takes, its head included. May reach past the end: the caller compares lengths. */
function scalarSize(bytes: Uint8Array, at: number): number | undefined {
  const head = bytes[at]
  if (head === undefined) return undefined
  if (head < 0x80) return 1
  if ((head & 0xe0) === 0xa0) return 1 + (head & 0x1f)
  if (head === 0xc4 || head === 0xd9) return 2 + (bytes[at + 1] ?? 0)
  if (head === 0xcc) return 2
  if (head === 0xcd) return 3
  if (head === 0xce) return 5
  return undefined
}
