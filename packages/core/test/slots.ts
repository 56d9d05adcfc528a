import { schnorr, secp256k1 } from '@noble/curves/secp256k1.js'
import { concatBytes } from '../src/bytes.ts'
import { Writer } from '../src/codec.ts'
import { taggedHash } from '../src/hash.ts'
import type { SlotFields } from '../src/header.ts'
import { MerkleLog, rowOf } from '../src/merkle.ts'
import { type SignedTick, type Tick, tickMessage } from '../src/receipt.ts'
import { headerSlotMessage, nonceRoot, type Slot } from '../src/slot.ts'
import { network, params, secretOf } from './world.ts'

/** The tests' slot key signs with nonces that everybody can compute, so that vectors stay the same. */

const { Fn, BASE } = secp256k1.Point

interface Nonce {
  readonly scalar: bigint
  readonly x: Uint8Array
}

const nonces = new Map<string, Nonce>()

/** Of the two nonces of a point the one that is even. */
function nonceOf(number: number, slot: Slot): Nonce {
  const name = `${number} ${slot}`
  const place = new Writer().u32(number).u32(slot === 'header' ? 0xffffffff : slot).bytes
  const made = nonces.get(name) ?? evenNonce(Fn.create(Fn.fromBytes(taggedHash('test/nonce', place), true)))
  nonces.set(name, made)
  return made
}

function evenNonce(scalar: bigint): Nonce {
  const { x, y } = BASE.multiply(scalar).toAffine()
  return { scalar: y % 2n === 0n ? scalar : Fn.neg(scalar), x: Fn.toBytes(x) }
}

const tables = new Map<number, MerkleLog>()

function ticksOf(number: number): MerkleLog {
  const log = tables.get(number) ?? new MerkleLog()
  if (log.count === 0)
    log.append(rowOf(Array.from({ length: params.caps.ticks }, (_, index) => nonceOf(number, index).x)))
  tables.set(number, log)
  return log
}

/** What the link before batch `number` fixes for it. */
export function tableRootOf(number: number): Uint8Array {
  return nonceRoot(nonceOf(number, 'header').x, ticksOf(number).root())
}

function signIn(number: number, slot: Slot, message: Uint8Array, secret: Uint8Array): Uint8Array {
  const { scalar, x } = nonceOf(number, slot)
  const key = schnorr.getPublicKey(secret)
  const { y } = BASE.multiply(Fn.fromBytes(secret)).toAffine()
  const d = y % 2n === 0n ? Fn.fromBytes(secret) : Fn.neg(Fn.fromBytes(secret))
  const e = Fn.create(Fn.fromBytes(taggedHash('BIP0340/challenge', concatBytes(x, key, message)), true))
  return concatBytes(x, Fn.toBytes(Fn.add(scalar, Fn.mul(e, d))))
}

const signatures = new Map<string, Uint8Array>()

/** What a header says of slots: its child's table, and how the parent was signed, if that is the link before. */
export function slotsOf(number: number, before?: { readonly hash: Uint8Array }): SlotFields {
  const table = tableRootOf(number + 1)
  if (before === undefined) return { nonceRoot: table, prevSig: new Uint8Array(96) }
  const message = headerSlotMessage(network, number - 1, before.hash)
  const name = `${number} ${message}`
  const prevSig =
    signatures.get(name) ?? concatBytes(signIn(number - 1, 'header', message, secretOf(2)), ticksOf(number - 1).root())
  signatures.set(name, prevSig)
  return { nonceRoot: table, prevSig }
}

export function signTick(tick: Tick, secret = secretOf(2)): SignedTick {
  const { number, index } = tick
  const message = tickMessage(network, tick, tableRootOf(number))
  const slotPath = [nonceOf(number, 'header').x, ...ticksOf(number).prove(index)]
  return { tick, signature: signIn(number, index, message, secret), slotPath }
}
