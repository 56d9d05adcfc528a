import { schnorr } from '@noble/curves/secp256k1.js'
import { equalBytes } from './bytes.ts'
import { certificateMessage, isWatcherSignature, SIGNATURE_BYTES, type WatcherSignature } from './certificate.ts'
import { Reader, Writer } from './codec.ts'
import { taggedHash } from './hash.ts'
import { certifiedBytes, decodeHeader, encodeHeader, HEADER_BYTES, type Header, headerHash } from './header.ts'
import { dataModeOf, mostOperations } from './mode.ts'
import type { Params } from './params.ts'

/** How a sequencer asks watchers for a certificate, in bytes (spec §9). What does not decode to the last byte is nobody's word. */

/** What a watcher is asked about. */
export interface Certifiable {
  /** Without a certificate. */
  readonly header: Header
  readonly bytes: Uint8Array
  /** Its data are served under this hash for as long as it has no certificate. */
  readonly hash: Uint8Array
  /** What the watcher would sign. */
  readonly message: Uint8Array
}

export function certifiableOf({ certificate: _, ...header }: Header): Certifiable {
  const bytes = encodeHeader(header)
  return { header, bytes, hash: headerHash(bytes), message: certificateMessage(certifiedBytes(header)) }
}

/** What the anchor key signs: watchers hold data for the sequencer, and for nobody else who would like to fill their disks. */
export function certifyMessage({ header }: Certifiable): Uint8Array {
  return taggedHash('kedge/certify/1', certifiedBytes(header))
}

/** @param signature by the anchor key over `certifyMessage` */
export function encodeCertifyRequest({ bytes }: Certifiable, signature: Uint8Array): Uint8Array {
  return new Writer(HEADER_BYTES + SIGNATURE_BYTES).fixed(signature, SIGNATURE_BYTES).fixed(bytes, HEADER_BYTES).bytes
}

/** Undefined unless the network's sequencer asks about a batch that needs a certificate. */
export function decodeCertifyRequest(params: Params, network: Uint8Array, bytes: Uint8Array): Certifiable | undefined {
  const reader = new Reader(bytes)
  const [signature, headerBytes] = [reader.fixed(SIGNATURE_BYTES), reader.fixed(HEADER_BYTES)]
  const header = reader.done ? decodeHeader(headerBytes) : undefined
  if (header === undefined || !equalBytes(header.network, network)) return undefined
  if (dataModeOf(params, header) !== 'certified' || header.opCount > mostOperations(params)) return undefined
  const asked = certifiableOf(header)
  return schnorr.verify(signature, certifyMessage(asked), params.keys.anchor) ? asked : undefined
}

/**
 * Why a watcher does not sign: `stranger`, it was not the sequencer who asked, or not about such a batch; `number`, that is
 * final, far ahead, or has had too many headers; `missing`, it can't get the data; `busy`, it is not ready yet.
 */
export type CertifyRefusal = (typeof REFUSALS)[number]

export type CertifyAnswer = WatcherSignature | CertifyRefusal

const REFUSALS = ['stranger', 'number', 'missing', 'busy'] as const
const REFUSED = 0xff

export function encodeCertifyAnswer(answer: CertifyAnswer): Uint8Array {
  if (typeof answer === 'string') return Uint8Array.of(REFUSED, REFUSALS.indexOf(answer))
  return new Writer(1 + SIGNATURE_BYTES).u8(answer.place).fixed(answer.signature, SIGNATURE_BYTES).bytes
}

/** Undefined where it is neither a refusal nor a watcher's signature for what was asked about. */
export function decodeCertifyAnswer(params: Params, asked: Certifiable, bytes: Uint8Array): CertifyAnswer | undefined {
  const reader = new Reader(bytes)
  const place = reader.u8()
  if (place === REFUSED) {
    const refusal = REFUSALS[reader.u8()]
    return reader.done ? refusal : undefined
  }
  const answer = { place, signature: reader.fixed(SIGNATURE_BYTES) }
  return reader.done && isWatcherSignature(params.keys, asked.message, answer) ? answer : undefined
}
