import { concatBytes } from './bytes.ts'
import { sha256 } from './hash.ts'
import type { L1Transaction } from './l1.ts'
import { type LeafOutput, leafOutput } from './scripts.ts'

/**
 * Bytes published on Bitcoin (spec §6): pieces in the witnesses of inputs, each locked to its hash by the leaf that
 * the output being spent committed to, and to the publisher's key, so that nobody can re-spend them without the tag.
 *
 *     leaf     <key> CHECKSIGVERIFY (SHA256 <h> EQUALVERIFY)* SHA256 <h> EQUAL
 *     witness  piece_n … piece_1, signature, leaf, control
 */

const OP_EQUAL = 0x87
const OP_EQUALVERIFY = 0x88
const OP_SHA256 = 0xa8
const OP_CHECKSIGVERIFY = 0xad
const PUSH_32 = 0x20

/** `<key> CHECKSIGVERIFY`. */
const KEY_SIZE = 34
/** `SHA256 <h> EQUALVERIFY`. */
const LOCK_SIZE = 35

/** The longest item that Core and Knots relay in a tapscript witness. */
const MAX_PIECE = 80
/** Knots relays 1,650 bytes of witness an input: 1 + 13 × 81 pieces + 65 signature + 3 + 489 leaf + 34 control = 1,645. */
const MAX_PIECES = 13

/** The most bytes that one input carries. */
export const INPUT_CAPACITY = MAX_PIECE * MAX_PIECES

/** The bytes that a transaction publishes: empty where no input is one of pieces. */
export function readPieces(transaction: L1Transaction): Uint8Array {
  const pieces = transaction.inputs.flatMap((input) => inputPieces(input.witness))
  const bytes = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0))
  let at = 0
  for (const piece of pieces) {
    bytes.set(piece, at)
    at += piece.length
  }
  return bytes
}

/** That the pieces match their hashes is Bitcoin's to check: what they say is judged by itself in any case. */
function inputPieces(witness: readonly Uint8Array[]): readonly Uint8Array[] {
  const [control, leaf, signature, ...pieces] = witness.slice().reverse()
  if (control === undefined || leaf === undefined || signature === undefined || pieces.length === 0) return []
  const matches = isControl(control) && isSignature(signature) && isPieceLeaf(leaf, pieces.length)
  return matches ? pieces : []
}

function isControl(control: Uint8Array): boolean {
  const version = (control[0] ?? 0) & 0xfe
  return version === 0xc0 && control.length >= 33 && control.length % 32 === 1
}

/** BIP341: 64 bytes, or 65 with an explicit hash type. */
function isSignature(signature: Uint8Array): boolean {
  return signature.length === 64 || signature.length === 65
}

function isPieceLeaf(leaf: Uint8Array, count: number): boolean {
  if (leaf.length !== KEY_SIZE + count * LOCK_SIZE) return false
  if (leaf[0] !== PUSH_32 || leaf[KEY_SIZE - 1] !== OP_CHECKSIGVERIFY) return false
  for (let at = KEY_SIZE; at < leaf.length; at += LOCK_SIZE) {
    const end = at + LOCK_SIZE
    const closing = end === leaf.length ? OP_EQUAL : OP_EQUALVERIFY
    if (leaf[at] !== OP_SHA256 || leaf[at + 1] !== PUSH_32 || leaf[end - 1] !== closing) return false
  }
  return true
}

/** Bytes as they are published: for each input its pieces, in order. */
export function splitPieces(bytes: Uint8Array): Uint8Array[][] {
  return chunks(bytes, INPUT_CAPACITY).map((input) => chunks(input, MAX_PIECE))
}

function chunks(bytes: Uint8Array, size: number): Uint8Array[] {
  const count = Math.ceil(bytes.length / size)
  return Array.from({ length: count }, (_, at) => bytes.slice(at * size, (at + 1) * size))
}

/** The leaf that locks one input's pieces. @throws RangeError without a piece. */
export function pieceLeaf(publisherKey: Uint8Array, pieces: readonly Uint8Array[]): Uint8Array {
  if (pieces.length === 0) throw new RangeError('a leaf without pieces')
  const locks = pieces.map((piece, at) => {
    const closing = at === pieces.length - 1 ? OP_EQUAL : OP_EQUALVERIFY
    return concatBytes(Uint8Array.of(OP_SHA256, PUSH_32), sha256(piece), Uint8Array.of(closing))
  })
  return concatBytes(Uint8Array.of(PUSH_32), publisherKey, Uint8Array.of(OP_CHECKSIGVERIFY), ...locks)
}

/** The output to fund for one input of pieces. Its key path is the publisher's, who can so take back an unused one. */
export function pieceOutput(publisherKey: Uint8Array, pieces: readonly Uint8Array[]): LeafOutput {
  return leafOutput(publisherKey, pieceLeaf(publisherKey, pieces))
}

/** The witness that reveals an input's pieces. */
export function pieceWitness(output: LeafOutput, pieces: readonly Uint8Array[], signature: Uint8Array): Uint8Array[] {
  return [...pieces.slice().reverse(), signature, output.leaf, output.control]
}
