import { schnorr } from '@noble/curves/secp256k1.js'
import { equalBytes, isZero } from './bytes.ts'
import {
  type Certificate,
  certificateMessage,
  encodeCertificate,
  isCertifiedBy,
  MAX_CERTIFICATE_BYTES,
  readCertificate,
} from './certificate.ts'
import { Reader, Writer } from './codec.ts'
import type { Facts } from './duty.ts'
import { taggedHash, ZERO_HASH } from './hash.ts'
import { dataModeOf, mostOperations } from './mode.ts'
import type { Params } from './params.ts'
import { headerSlotMessage, isSlotPoint } from './slot.ts'
import { GENESIS_ROOT } from './totals.ts'

export interface Origin {
  readonly height: number
  readonly hash: Uint8Array
}

export interface Header {
  readonly network: Uint8Array
  readonly number: number
  /** Hash of the parent header: the last live one; 32 zero bytes at genesis. */
  readonly parent: Uint8Array
  /** The Bitcoin block that the batch's duties and expiries are judged by. */
  readonly origin: Origin
  /** State roots before and after. */
  readonly pre: Uint8Array
  readonly post: Uint8Array
  /** Tree over operation ids: this is the data commitment. */
  readonly opsRoot: Uint8Array
  /** Tree over the pairs of neighbouring step roots. */
  readonly stepsRoot: Uint8Array
  readonly opCount: number
  /** Of the table of nonce points that the next batch's ticks and header are signed with. */
  readonly nonceRoot: Uint8Array
  /** The parent's signature in its header's slot, and the root over its ticks' nonce points; zeros behind a resume. */
  readonly prevSig: Uint8Array
  /** Of its data, where there are more than Bitcoin could answer for. */
  readonly certificate?: Certificate
}

/** What a header says about slots: the rest of it follows from what is executed. */
export type SlotFields = Pick<Header, 'nonceRoot' | 'prevSig'>

/** Of a header without a certificate. */
export const HEADER_BYTES = 367
/** Of the longest header: what is longer is none, so nobody can show it, nor answer for it. */
export const MAX_HEADER_BYTES = HEADER_BYTES + MAX_CERTIFICATE_BYTES
const VERSION = 1

/** R, s and the ticks' root. */
export const PREV_SIG_BYTES = 96

export function encodeHeader(header: Header): Uint8Array {
  const { certificate } = header
  return writeCertified(header).sized(certificate === undefined ? new Uint8Array(0) : encodeCertificate(certificate))
    .bytes
}

/** A header's bytes in front of its certificate's length: what a certificate is given for. */
export function certifiedBytes(header: Omit<Header, 'certificate'>): Uint8Array {
  return writeCertified(header).bytes
}

function writeCertified(header: Omit<Header, 'certificate'>): Writer {
  return new Writer(HEADER_BYTES)
    .u8(VERSION)
    .hash(header.network)
    .u32(header.number)
    .hash(header.parent)
    .u32(header.origin.height)
    .hash(header.origin.hash)
    .hash(header.pre)
    .hash(header.post)
    .hash(header.opsRoot)
    .hash(header.stepsRoot)
    .u32(header.opCount)
    .hash(header.nonceRoot)
    .fixed(header.prevSig, PREV_SIG_BYTES)
}

export function decodeHeader(bytes: Uint8Array): Header | undefined {
  const reader = new Reader(bytes)
  reader.exactly(VERSION)
  const network = reader.hash()
  const number = reader.u32()
  const parent = reader.hash()
  const origin = { height: reader.u32(), hash: reader.hash() }
  const [pre, post, opsRoot, stepsRoot] = [reader.hash(), reader.hash(), reader.hash(), reader.hash()]
  const opCount = reader.u32()
  const [nonceRoot, prevSig] = [reader.hash(), reader.fixed(PREV_SIG_BYTES)]
  const size = reader.u16()
  const certificate = size === 0 ? undefined : readCertificate(reader, size)
  const header = { network, number, parent, origin, pre, post, opsRoot, stepsRoot, opCount, nonceRoot, prevSig }
  return reader.done ? { ...header, ...(certificate && { certificate }) } : undefined
}

export function headerHash(bytes: Uint8Array): Uint8Array {
  return taggedHash('kedge/header', bytes)
}

/** What Bitcoin says about an anchored batch. */
export interface AnchoredLink {
  readonly number: number
  readonly headerHash: Uint8Array
  /** The post state root that stands in the anchor. */
  readonly post: Uint8Array
  readonly anchorHeight: number
  /** The head's hash when the anchor was read. */
  readonly parent: Uint8Array
  /** Of the resume that is the link before: this batch's table. Absent where that is the parent, whose header has it. */
  readonly nonceRoot?: Uint8Array
  /** The same of the parent. */
  readonly parentNonceRoot?: Uint8Array
}

/** What of a parent its child is judged against. */
export interface ParentEnd {
  readonly post: Uint8Array
  readonly originHeight: number
  /** The table in whose header slot the parent is signed; absent where the link between the two is a resume. */
  readonly nonceRoot?: Uint8Array
}

export function parentEndOf({ post, origin }: Header, nonceRoot: Uint8Array | undefined): ParentEnd {
  return { post, originHeight: origin.height, ...(nonceRoot && { nonceRoot }) }
}

export function genesisEnd(params: Params): ParentEnd {
  return { post: GENESIS_ROOT, originHeight: params.scanHeight }
}

export type HeaderFault =
  | 'malformed'
  | 'network'
  | 'number'
  | 'parent'
  | 'anchored-post'
  | 'origin-decreases'
  | 'lapsed'
  | 'too-many-operations'
  | 'certificate'
  | 'pre'
  | 'empty-batch'
  | 'parent-signature'

/** The first header rule that a batch breaks, each in one line. `header` undefined means that it did not decode. */
export function judgeHeader(
  params: Params,
  network: Uint8Array,
  facts: Facts,
  link: AnchoredLink,
  parent: ParentEnd,
  header: Header | undefined,
): HeaderFault | undefined {
  if (header === undefined) return 'malformed'
  if (!equalBytes(header.network, network)) return 'network'
  if (header.number !== link.number) return 'number'
  if (!equalBytes(header.parent, link.parent)) return 'parent'
  if (!equalBytes(header.post, link.post)) return 'anchored-post'
  if (header.origin.height < parent.originHeight) return 'origin-decreases'
  if (header.opCount > mostOperations(params)) return 'too-many-operations'
  if (!hasRightCertificate(params, header)) return 'certificate'
  if (!equalBytes(header.pre, parent.post)) return 'pre'
  if (header.opCount === 0 && !isEmptyForm(header)) return 'empty-batch'
  if (!isParentSigned(params, network, link, parent, header.prevSig)) return 'parent-signature'
  return hasLapsed(params, facts, link.anchorHeight, header.origin) ? 'lapsed' : undefined
}

/** A certificate stands where one must, and nowhere else: else one batch would have headers of two forms. */
function hasRightCertificate(params: Params, header: Header): boolean {
  return dataModeOf(params, header) === 'certified' ? isVouchedFor(params, header) : header.certificate === undefined
}

/** Whether enough watchers vouch for a batch's data, and the network takes that for an answer. */
export function isVouchedFor(params: Params, header: Header): boolean {
  const { certificate } = header
  if (certificate === undefined || dataModeOf(params, header) !== 'certified') return false
  return isCertifiedBy(params.keys, certificateMessage(certifiedBytes(header)), certificate)
}

/** The origin left the best chain, or the anchor confirmed outside k ≤ a − o ≤ S. */
export function hasLapsed(params: Params, facts: Facts, anchorHeight: number, origin: Origin): boolean {
  const hash = facts.blockHash(origin.height)
  return !isOfAge(params, anchorHeight, origin) || hash === undefined || !equalBytes(hash, origin.hash)
}

/** k ≤ a − o ≤ S. */
export function isOfAge({ windows }: Params, anchorHeight: number, origin: Pick<Origin, 'height'>): boolean {
  const age = anchorHeight - origin.height
  return age >= windows.originDepth && age <= windows.staleness
}

/**
 * The parent's signature does not make its batch count: the anchor's spend did. It stands here so that everybody has it:
 * with a second one of the same slot it gives the slot key away.
 */
function isParentSigned(
  params: Params,
  network: Uint8Array,
  { number, parent: headerHash }: AnchoredLink,
  { nonceRoot }: ParentEnd,
  prevSig: Uint8Array,
): boolean {
  if (nonceRoot === undefined) return isZero(prevSig)
  const [signature, ticksRoot] = [prevSig.subarray(0, 64), prevSig.subarray(64)]
  const message = headerSlotMessage(network, number - 1, headerHash)
  const isInPlace = isSlotPoint(nonceRoot, params.caps.ticks, 'header', signature.subarray(0, 32), [ticksRoot])
  return isInPlace && schnorr.verify(signature, message, params.keys.slot)
}

function isEmptyForm(header: Header): boolean {
  return isZero(header.opsRoot) && equalBytes(header.stepsRoot, ZERO_HASH) && equalBytes(header.post, header.pre)
}
