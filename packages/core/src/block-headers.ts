import { equalBytes } from './bytes.ts'
import { Reader } from './codec.ts'
import { hashTwice } from './hash.ts'
import type { BitcoinChain } from './params.ts'

/** Bitcoin's 80-byte headers: what a light client holds of the best chain. */

export const BLOCK_HEADER_BYTES = 80

/** The longest run that is looked at: two weeks of blocks. */
export const MAX_BLOCK_HEADERS = 2016

/** A block that the verifier knows to be in the best chain, from whomever it trusts for that. */
export interface Checkpoint {
  readonly height: number
  readonly hash: Uint8Array
}

export interface BlockHeader {
  readonly hash: Uint8Array
  readonly parent: Uint8Array
  readonly merkleRoot: Uint8Array
  /** The hash, as a number, may not be above it. */
  readonly target: bigint
}

export interface HeaderRun {
  readonly checkpoint: Checkpoint
  /** Height of the first header. */
  readonly from: number
  readonly headers: readonly BlockHeader[]
}

export type ReadHeaders =
  | { readonly ok: true; readonly run: HeaderRun }
  | { readonly ok: false; readonly reason: string }

/** The easiest target of each chain, in Bitcoin's compact form. */
const EASIEST: Readonly<Record<BitcoinChain, number>> = {
  main: 0x1d00ffff,
  testnet4: 0x1d00ffff,
  signet: 0x1e0377ae,
  regtest: 0x207fffff,
}

/** Bitcoin changes the target every so many blocks, by at most this factor. */
const RETARGET_BLOCKS = 2016
const RETARGET_FACTOR = 4n

/** Undefined unless it is 80 bytes whose hash meets the target that they name. */
export function decodeBlockHeader(bytes: Uint8Array): BlockHeader | undefined {
  const reader = new Reader(bytes)
  reader.u32()
  const [parent, merkleRoot] = [reader.hash(), reader.hash()]
  reader.u32()
  const target = targetOf(reader.u32())
  reader.u32()
  if (!reader.done || target === undefined) return undefined
  const hash = hashTwice(bytes)
  return littleEndian(hash) <= target ? { hash, parent, merkleRoot, target } : undefined
}

/** The compact form: three bytes, shifted by whole bytes. Undefined where it is zero, negative or beyond 256 bits. */
function targetOf(bits: number): bigint | undefined {
  const mantissa = BigInt(bits & 0x7fffff)
  const shift = BigInt(8 * ((bits >>> 24) - 3))
  const target = shift >= 0n ? mantissa << shift : mantissa >> -shift
  return (bits & 0x800000) === 0 && target > 0n && target < 1n << 256n ? target : undefined
}

function littleEndian(bytes: Uint8Array): bigint {
  return bytes.reduceRight((sum, byte) => (sum << 8n) | BigInt(byte), 0n)
}

/**
 * Headers back to back, oldest first, with the checkpoint among them. Those before it are committed to by its hash. Those
 * behind it must carry the work that the checkpoint's own target asks for: without that, anybody could add cheap ones.
 */
export function readBlockHeaders(chain: BitcoinChain, bytes: Uint8Array, checkpoint: Checkpoint): ReadHeaders {
  const count = bytes.length / BLOCK_HEADER_BYTES
  if (!Number.isInteger(count) || count < 1 || count > MAX_BLOCK_HEADERS)
    return { ok: false, reason: `there must be 1 to ${MAX_BLOCK_HEADERS} block headers of 80 bytes` }
  const headers: BlockHeader[] = []
  for (let at = 0; at < count; at++) {
    const header = decodeBlockHeader(bytes.slice(BLOCK_HEADER_BYTES * at, BLOCK_HEADER_BYTES * (at + 1)))
    if (header === undefined) return { ok: false, reason: `block header ${at} has no proof of work` }
    const parent = headers.at(-1)
    if (parent !== undefined && !equalBytes(header.parent, parent.hash))
      return { ok: false, reason: `block header ${at} does not follow the one before` }
    headers.push(header)
  }
  const known = headers.findIndex(({ hash }) => equalBytes(hash, checkpoint.hash))
  const from = checkpoint.height - known
  if (known < 0 || from < 0) return { ok: false, reason: 'the block that is known is not among the block headers' }
  const easy = headers.findIndex(
    ({ target }, at) => at > known && !mayFollow(chain, (headers[at - 1] as BlockHeader).target, target, from + at),
  )
  if (easy >= 0) return { ok: false, reason: `block ${from + easy} has less work than its place asks for` }
  return { ok: true, run: { checkpoint, from, headers } }
}

/**
 * Whether a target may follow its parent's. On main it moves at multiples of 2016 and by a factor of 4 at most; what
 * exactly it moves to hangs on times that may lie before the first header. On test chains blocks may be easy.
 */
export function mayFollow(chain: BitcoinChain, parent: bigint, target: bigint, height: number): boolean {
  if (target > easiestTarget(chain)) return false
  if (chain !== 'main') return true
  return height % RETARGET_BLOCKS === 0 ? target <= RETARGET_FACTOR * parent : target === parent
}

function easiestTarget(chain: BitcoinChain): bigint {
  return targetOf(EASIEST[chain]) ?? 0n
}

/** Hashes that blocks of these targets take on average. */
export function workOf(headers: readonly BlockHeader[]): bigint {
  return headers.reduce((sum, { target }) => sum + (1n << 256n) / (target + 1n), 0n)
}
