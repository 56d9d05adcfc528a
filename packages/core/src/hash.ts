import { sha256 as nobleSha256 } from '@noble/hashes/sha2.js'
import { concatBytes } from './bytes.ts'

/**
 * SHA-256, behind one narrow interface. Every implementation computes the same function, so which one runs changes
 * speed and nothing else; a process may install a faster one at start (`installHasher`, which checks it first).
 */
export interface Hasher {
  readonly name: string
  sha256(bytes: Uint8Array): Uint8Array
  /** Hashes `input`, a row of 64-byte blocks, into `output`, a row of 32-byte digests. They may not overlap. */
  hashInto(input: Uint8Array, output: Uint8Array): void
}

export const nobleHasher: Hasher = {
  name: '@noble/hashes',
  sha256: (bytes) => nobleSha256(bytes),
  hashInto(input, output) {
    for (let at = 0; at < output.length; at += 32) output.set(nobleSha256(input.subarray(2 * at, 2 * at + 64)), at)
  },
}

let hasher: Hasher = nobleHasher

/** @throws Error when `candidate` does not compute SHA-256. Call once, at the start of a process. */
export function installHasher(candidate: Hasher): void {
  // No block like another: one that stands in another's place is noticed.
  const input = Uint8Array.from({ length: 64 * 17 }, (_, at) => (at * 131 + (at >> 6)) & 0xff)
  const expected = new Uint8Array(32 * 17)
  nobleHasher.hashInto(input, expected)
  const output = new Uint8Array(expected.length)
  candidate.hashInto(input, output)
  const whole = candidate.sha256(input)
  const right = nobleSha256(input)
  if (
    output.some((byte, at) => byte !== expected[at]) ||
    whole.length !== 32 ||
    whole.some((byte, at) => byte !== right[at])
  ) {
    throw new Error(`${candidate.name} does not compute SHA-256`)
  }
  hasher = candidate
}

export function hasherName(): string {
  return hasher.name
}

export function sha256(bytes: Uint8Array): Uint8Array {
  return hasher.sha256(bytes)
}

/** Bitcoin's hash of transactions, nodes and block headers: SHA-256 of the SHA-256. */
export function hashTwice(bytes: Uint8Array): Uint8Array {
  return hasher.sha256(hasher.sha256(bytes))
}

export function hashInto(input: Uint8Array, output: Uint8Array): void {
  if (output.length > 0) hasher.hashInto(input, output)
}

/** The node above `left` and `right`: SHA-256 of their 64 bytes. */
export function hashPair(left: Uint8Array, right: Uint8Array): Uint8Array {
  const output = new Uint8Array(32)
  hasher.hashInto(concatBytes(left, right), output)
  return output
}

/** SHA-256 of one 64-byte record (a cell, the totals). */
export function hashRecord(record: Uint8Array): Uint8Array {
  const output = new Uint8Array(32)
  hasher.hashInto(record, output)
  return output
}

const tagPrefixes = new Map<string, Uint8Array>()

/**
 * BIP340's tagged hash: SHA256(SHA256(tag) ‖ SHA256(tag) ‖ message). What is hashed is longer than 64 bytes, so a
 * tagged hash is never a tree node.
 */
export function taggedHash(tag: string, message: Uint8Array): Uint8Array {
  let prefix = tagPrefixes.get(tag)
  if (prefix === undefined) {
    const digest = nobleSha256(new TextEncoder().encode(tag))
    prefix = concatBytes(digest, digest)
    tagPrefixes.set(tag, prefix)
  }
  const size = prefix.length + message.length
  const whole = size <= scratch.length ? scratch.subarray(0, size) : new Uint8Array(size)
  whole.set(prefix)
  whole.set(message, prefix.length)
  return hasher.sha256(whole)
}

/** Most tagged messages are short, and an array of their own costs as much as hashing them. */
const scratch = new Uint8Array(1024)

export const ZERO_HASH = new Uint8Array(32)

/** `zeroHash(level)` is the root of a subtree of 2^level absent leaves: Z₀ = 0³², Zᵢ₊₁ = hashPair(Zᵢ, Zᵢ). */
export function zeroHash(level: number): Uint8Array {
  for (let have = zeroHashes.length; have <= level; have++) {
    const below = zeroHashes[have - 1] as Uint8Array
    zeroHashes.push(hashPair(below, below))
  }
  return zeroHashes[level] as Uint8Array
}

const zeroHashes: Uint8Array[] = [ZERO_HASH]
