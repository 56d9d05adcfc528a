import { schnorr } from '@noble/curves/secp256k1.js'
import { bytesToNumberBE } from '@noble/curves/utils.js'
import { concatBytes, fromHex } from './bytes.ts'
import { Writer } from './codec.ts'
import { sha256, taggedHash } from './hash.ts'
import { networkId, type Params } from './params.ts'

/**
 * The output scripts of a network (spec §6) and what it takes to spend them. Parameters never change, so a script is
 * computed once for each `Params` value.
 */

const OP_PUSHDATA1 = 0x4c
const OP_1 = 0x51
const OP_RETURN = 0x6a
const OP_DROP = 0x75
const OP_NUMEQUAL = 0x9c
const OP_CHECKSIG = 0xac
const OP_CHECKSEQUENCEVERIFY = 0xb2
const OP_CHECKSIGADD = 0xba

/** BIP342's leaf version. The control block of a leaf that stands alone is this, the output key's parity added. */
const TAPSCRIPT = 0xc0

/** BIP341's point H, whose discrete logarithm nobody knows: an output made from it has no key path. */
export const UNSPENDABLE_KEY = fromHex('50929b74c1a04954b78b4b6035e97a5e078a5a0f28ec96d547bfee9ace803ac0')

/** The longest OP_RETURN push that Core before version 30 and Knots relay. */
const MAX_PAYLOAD = 80

/** A taproot output with one leaf: its script, and the two last witness items of a spend by that leaf. */
export interface LeafOutput {
  readonly script: Uint8Array
  readonly leaf: Uint8Array
  readonly control: Uint8Array
}

/** Output script of every link of the anchor chain. @throws Error when the anchor key is not on the curve. */
export const anchorScript = once((params) => anchorOutput(params).script)

/** Output script of the vault, which deposits pay to. */
export const vaultScript = once((params) => leafOutput(UNSPENDABLE_KEY, vaultLeaf(params)).script)

/**
 * What messages without a link pay to, so that block filters find them. Anybody may spend it, but
 * only a block later: nobody can hang a child on an unconfirmed message to make replacing it dear.
 */
export const signalScript = once((params) => {
  const witnessScript = concatBytes(push(networkId(params)), Uint8Array.of(OP_DROP, OP_1, OP_CHECKSEQUENCEVERIFY))
  return concatBytes(Uint8Array.of(0), push(sha256(witnessScript)))
})

/** An anchor link, as the watchers spend it: its script, leaf and control block. */
export function anchorOutput(params: Params): LeafOutput {
  return leafOutput(params.keys.anchor, takeoverLeaf(params))
}

/** `threshold` watchers may spend a link that is `takeover` blocks old. */
export function takeoverLeaf(params: Params): Uint8Array {
  const wait = Uint8Array.of(OP_CHECKSEQUENCEVERIFY, OP_DROP)
  return concatBytes(pushNumber(params.windows.takeover), wait, vaultLeaf(params))
}

/** `threshold` watchers. */
export function vaultLeaf({ keys }: Params): Uint8Array {
  return quorum(keys.watchers, keys.threshold)
}

/**
 * Exactly `threshold` signatures, and an empty item for each other key. The stack's top is the first key's, so a
 * witness lists them last key first.
 */
export function quorum(keys: readonly Uint8Array[], threshold: number): Uint8Array {
  const checks = keys.map((key, at) => concatBytes(push(key), Uint8Array.of(at === 0 ? OP_CHECKSIG : OP_CHECKSIGADD)))
  return concatBytes(...checks, pushNumber(threshold), Uint8Array.of(OP_NUMEQUAL))
}

/** @throws Error when `internalKey` is not on the curve. */
export function leafOutput(internalKey: Uint8Array, leaf: Uint8Array): LeafOutput {
  const { key, odd } = taprootKey(internalKey, tapLeafHash(leaf))
  const control = concatBytes(Uint8Array.of(odd ? TAPSCRIPT + 1 : TAPSCRIPT), internalKey)
  return { script: taprootScript(key), leaf, control }
}

/** BIP341's hash of a tapscript leaf; the root of a tree that has no other leaf. */
export function tapLeafHash(leaf: Uint8Array): Uint8Array {
  return taggedHash('TapLeaf', concatBytes(Uint8Array.of(TAPSCRIPT), compactSize(leaf.length), leaf))
}

/** What is added to an internal key to commit to `root`; without a script tree it is BIP86's tweak. */
export function tapTweak(internalKey: Uint8Array, root: Uint8Array = new Uint8Array(0)): Uint8Array {
  return taggedHash('TapTweak', concatBytes(internalKey, root))
}

/** The x-only output key, and whether its y is odd. @throws Error when `internalKey` is not on the curve. */
export function taprootKey(
  internalKey: Uint8Array,
  root?: Uint8Array,
): { readonly key: Uint8Array; readonly odd: boolean } {
  const { lift_x, pointToBytes } = schnorr.utils
  const tweak = bytesToNumberBE(tapTweak(internalKey, root))
  const point = lift_x(bytesToNumberBE(internalKey)).add(schnorr.Point.BASE.multiply(tweak))
  return { key: pointToBytes(point), odd: (point.toAffine().y & 1n) === 1n }
}

export function taprootScript(outputKey: Uint8Array): Uint8Array {
  return concatBytes(Uint8Array.of(OP_1), push(outputKey))
}

/** The bytes of an OP_RETURN that holds exactly one minimal push of 2 to 80 bytes, else undefined. */
export function dataCarrier(script: Uint8Array): Uint8Array | undefined {
  if (script[0] !== OP_RETURN) return undefined
  const head = script[1] === OP_PUSHDATA1 ? 3 : 2
  const size = script.length - head
  const minimal = head === 3 ? size >= OP_PUSHDATA1 : size < OP_PUSHDATA1
  // Single bytes have number opcodes of their own; no message is that short.
  if (!minimal || size < 2 || size > MAX_PAYLOAD || script[head - 1] !== size) return undefined
  return script.slice(head)
}

/** @throws RangeError unless the payload is 2 to 80 bytes. */
export function dataCarrierScript(payload: Uint8Array): Uint8Array {
  if (payload.length < 2 || payload.length > MAX_PAYLOAD) throw new RangeError(`payload of ${payload.length} bytes`)
  return concatBytes(Uint8Array.of(OP_RETURN), push(payload))
}

/** Minimal push of 2 to 255 bytes. */
export function push(bytes: Uint8Array): Uint8Array {
  const head = bytes.length < OP_PUSHDATA1 ? [bytes.length] : [OP_PUSHDATA1, bytes.length]
  return concatBytes(Uint8Array.from(head), bytes)
}

/** Minimal push of 1 to 65,535: a script number, whose highest bit is its sign. */
export function pushNumber(value: number): Uint8Array {
  if (value <= 16) return Uint8Array.of(OP_1 - 1 + value)
  const bytes = [value & 0xff, value >> 8, 0]
  const size = value < 0x80 ? 1 : value < 0x8000 ? 2 : 3
  return Uint8Array.from([size, ...bytes.slice(0, size)])
}

function compactSize(value: number): Uint8Array {
  return value < 0xfd ? Uint8Array.of(value) : new Writer(3).u8(0xfd).u16(value).bytes
}

function once(compute: (params: Params) => Uint8Array): (params: Params) => Uint8Array {
  const known = new WeakMap<Params, Uint8Array>()
  return (params) => {
    const script = known.get(params) ?? compute(params)
    known.set(params, script)
    return script
  }
}
