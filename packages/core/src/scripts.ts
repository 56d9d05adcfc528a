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
export const OP_DROP = 0x75
const OP_NUMEQUAL = 0x9c
export const OP_CHECKSIG = 0xac
const OP_CHECKSIGVERIFY = 0xad
export const OP_CHECKSEQUENCEVERIFY = 0xb2
const OP_CHECKSIGADD = 0xba

/** BIP342's leaf version. The control block of a leaf that stands alone is this, the output key's parity added. */
const TAPSCRIPT = 0xc0

/** BIP341's point H, whose discrete logarithm nobody knows: an output made from it has no key path. */
export const UNSPENDABLE_KEY = fromHex('50929b74c1a04954b78b4b6035e97a5e078a5a0f28ec96d547bfee9ace803ac0')

/** The longest OP_RETURN push that Core before version 30 and Knots relay. */
const MAX_PAYLOAD = 80

const networkIdOf = once(networkId)

/** A taproot output's script, and the two last witness items of a spend by one of its leaves. */
export interface LeafOutput {
  readonly script: Uint8Array
  readonly leaf: Uint8Array
  readonly control: Uint8Array
}

/** Output script of every link of the anchor chain. @throws Error when the anchor key is not on the curve. */
export const anchorScript = once((params) => anchorOutput(params).script)

/** Output script of the vault, which deposits pay to. */
export const vaultScript = (params: Params): Uint8Array => vaultOutput(params).script

/**
 * What messages without a link pay to, so that block filters find them. Anybody may spend it, but
 * only a block later: nobody can hang a child on an unconfirmed message to make replacing it dear.
 */
export const signalScript = once((params) => {
  const witnessScript = concatBytes(push(networkIdOf(params)), Uint8Array.of(OP_DROP, OP_1, OP_CHECKSEQUENCEVERIFY))
  return concatBytes(Uint8Array.of(0), push(sha256(witnessScript)))
})

/** The vault, as the watchers spend it: its script, leaf and control block. */
export const vaultOutput = once((params) => leafOutput(UNSPENDABLE_KEY, vaultLeaf(params)))

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
  const control = concatBytes(controlHead(odd), internalKey)
  return { script: taprootScript(key), leaf, control }
}

/** A deposit's output: the watchers may sweep it at once, the depositor alone may take it back later. */
export interface DepositOutput {
  readonly script: Uint8Array
  /** `threshold` watchers: the vault's own leaf. */
  readonly sweep: LeafOutput
  /** The refund key, once the output is `refund` blocks old. */
  readonly refund: LeafOutput
}

/**
 * Derived from the network and both keys: nobody knows the discrete logarithm of H + r·G, so there is no key path, and r
 * commits the output to the rollup key that its tag must name.
 */
export function depositOutput(params: Params, key: Uint8Array, refundKey: Uint8Array): DepositOutput {
  const r = taggedHash('kedge/deposit', concatBytes(networkIdOf(params), key, refundKey))
  const internalKey = addToKey(UNSPENDABLE_KEY, r).key
  const leaves = [vaultLeaf(params), refundLeaf(params, refundKey)] as const
  const hashes = leaves.map(tapLeafHash) as [Uint8Array, Uint8Array]
  const { key: outputKey, odd } = taprootKey(internalKey, tapBranch(...hashes))
  const script = taprootScript(outputKey)
  const [sweep, refund] = leaves.map((leaf, at): LeafOutput => {
    const control = concatBytes(controlHead(odd), internalKey, hashes[1 - at] as Uint8Array)
    return { script, leaf, control }
  }) as [LeafOutput, LeafOutput]
  return { script, sweep, refund }
}

/** `<refund key> CHECKSIGVERIFY <R> CHECKSEQUENCEVERIFY`: the number stays on the stack, and is true. */
export function refundLeaf(params: Params, refundKey: Uint8Array): Uint8Array {
  const check = Uint8Array.of(OP_CHECKSIGVERIFY)
  return concatBytes(push(refundKey), check, pushNumber(params.windows.refund), Uint8Array.of(OP_CHECKSEQUENCEVERIFY))
}

/** BIP341's hash of two subtrees, the lesser first. */
export function tapBranch(a: Uint8Array, b: Uint8Array): Uint8Array {
  return taggedHash('TapBranch', isLess(a, b) ? concatBytes(a, b) : concatBytes(b, a))
}

function isLess(a: Uint8Array, b: Uint8Array): boolean {
  const at = a.findIndex((byte, index) => byte !== b[index])
  return at >= 0 && (a[at] as number) < (b[at] as number)
}

/** The first byte of a control block. */
export function controlHead(odd: boolean): Uint8Array {
  return Uint8Array.of(odd ? TAPSCRIPT + 1 : TAPSCRIPT)
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
  return addToKey(internalKey, tapTweak(internalKey, root))
}

/** The point of even y with this x, plus `scalar` times the base point. @throws Error when there is no such point. */
function addToKey(key: Uint8Array, scalar: Uint8Array): { readonly key: Uint8Array; readonly odd: boolean } {
  const { lift_x, pointToBytes } = schnorr.utils
  // All of it is public, so nothing is lost by an operation whose time tells what it works on.
  const point = lift_x(bytesToNumberBE(key)).add(schnorr.Point.BASE.multiplyUnsafe(bytesToNumberBE(scalar)))
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

/** Computed once for each `Params` value. */
export function once<T extends object | undefined>(compute: (params: Params) => T): (params: Params) => T {
  const known = new WeakMap<Params, T>()
  return (params) => {
    const script = known.get(params) ?? compute(params)
    known.set(params, script)
    return script
  }
}
