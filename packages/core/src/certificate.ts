import { schnorr } from '@noble/curves/secp256k1.js'
import { type Reader, Writer } from './codec.ts'
import { taggedHash } from './hash.ts'
import type { NetworkKeys } from './params.ts'

/**
 * A data certificate (spec §9): the word of as many watchers as it takes to spend the vault that they hold a batch's
 * header, operations and step roots, and serve them to whoever asks.
 */
export interface Certificate {
  /** By the watchers' places in the network's parameters, ascending. */
  readonly signatures: readonly WatcherSignature[]
}

export interface WatcherSignature {
  readonly place: number
  /** 64 bytes, BIP340. */
  readonly signature: Uint8Array
}

export const SIGNATURE_BYTES = 64
const PLACES_BYTES = 2
/** As many as a network may have. */
const MAX_WATCHERS = 15

export const MAX_CERTIFICATE_BYTES = PLACES_BYTES + SIGNATURE_BYTES * MAX_WATCHERS

/** Places as a u16 of bits, the lowest first, then their signatures. @throws RangeError for places that are none, or out of order */
export function encodeCertificate({ signatures }: Certificate): Uint8Array {
  const places = signatures.reduce((bits, { place }) => bits | (1 << place), 0)
  const isInOrder = signatures.every(({ place }, at) => place > (signatures[at - 1]?.place ?? -1))
  if (!isInOrder || places === 0 || places >= 1 << MAX_WATCHERS) throw new RangeError('places that no watchers have')
  const writer = new Writer(MAX_CERTIFICATE_BYTES).u16(places)
  for (const { signature } of signatures) writer.fixed(signature, SIGNATURE_BYTES)
  return writer.bytes
}

/** Reads a certificate of `size` bytes. One that names nobody, or holds more or less than it names, fails. */
export function readCertificate(reader: Reader, size: number): Certificate {
  const bits = reader.u16()
  const places = Array.from({ length: MAX_WATCHERS }, (_, place) => place).filter((place) => (bits >> place) & 1)
  const isWhole = size === PLACES_BYTES + SIGNATURE_BYTES * places.length
  if (bits === 0 || bits >= 1 << MAX_WATCHERS || !isWhole) reader.failed = true
  return { signatures: places.map((place) => ({ place, signature: reader.fixed(SIGNATURE_BYTES) })) }
}

/** What watchers sign. @param certified the header's bytes in front of the certificate's length, which name the network */
export function certificateMessage(certified: Uint8Array): Uint8Array {
  return taggedHash('kedge/certificate/1', certified)
}

export function isWatcherSignature(
  { watchers }: Pick<NetworkKeys, 'watchers'>,
  message: Uint8Array,
  { place, signature }: WatcherSignature,
): boolean {
  const key = watchers[place]
  return key !== undefined && schnorr.verify(signature, message, key)
}

/** Whether exactly as many as it takes have signed: one more would only be a second form of the same certificate. */
export function isCertifiedBy(keys: NetworkKeys, message: Uint8Array, { signatures }: Certificate): boolean {
  return signatures.length === keys.threshold && signatures.every((one) => isWatcherSignature(keys, message, one))
}
