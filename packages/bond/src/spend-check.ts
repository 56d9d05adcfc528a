import { equalBytes, type L1Output, MAX_DEPTH, tapBranch, tapLeafHash, taprootKey } from '@kedge/core'
import { schnorr } from '@noble/curves/secp256k1.js'
import { Transaction } from 'bitcoinjs-lib'
import { isXOnlyPoint } from 'tiny-secp256k1'
import { runScript, type ScriptChecks, type ScriptFault, type ScriptRules } from './interpreter.ts'

/** - `commitment`: the leaf and control block are not those that the output commits to */
export type SpendFault = ScriptFault | 'commitment'

/** BIP341's tree has at most this depth; relay takes less. */
const CONSENSUS_DEPTH = 128

/** BIP342. */
const TAPSCRIPT = 0xc0

/** BIP68: the highest bit turns the lock off, bit 22 makes it one of time, the low 16 bits are its length. */
const LOCK_OFF = 2 ** 31
const LOCK_BITS = 0x40ffff
const LOCK_TYPE = 0x400000

/**
 * What is wrong with one input of a transaction, all of whose inputs spend taproot outputs; undefined where nothing is.
 * Whether an outpoint is there and old enough is the chain's to say.
 * @param spent the outputs that the inputs spend
 */
export function findSpendFault(
  transaction: Transaction,
  spent: readonly L1Output[],
  at: number,
  rules: ScriptRules,
): SpendFault | undefined {
  const witness = transaction.ins[at]?.witness ?? []
  const outputKey = (spent[at] as L1Output).script.slice(2)
  const [leaf, control] = witness.slice(-2)
  if (leaf === undefined) return 'stack'
  if (control === undefined) return isSigned({ transaction, spent, at }, outputKey, leaf) ? undefined : 'signature'
  if (!isCommitted(outputKey, leaf, control, rules)) return 'commitment'
  return runScript(leaf, witness.slice(0, -2), sizeOf(witness), checksFor({ transaction, spent, at, leaf }), rules)
}

function isCommitted(outputKey: Uint8Array, leaf: Uint8Array, control: Uint8Array, rules: ScriptRules): boolean {
  const depth = (control.length - 33) / 32
  if (!Number.isInteger(depth) || depth < 0 || depth > (rules === 'relay' ? MAX_DEPTH : CONSENSUS_DEPTH)) return false
  const [version = 0] = control
  if ((version & 0xfe) !== TAPSCRIPT) return false
  const internalKey = control.slice(1, 33)
  if (!isXOnlyPoint(internalKey)) return false
  let root = tapLeafHash(leaf)
  for (let level = 0; level < depth; level++) root = tapBranch(root, control.slice(33 + 32 * level, 65 + 32 * level))
  const { key, odd } = taprootKey(internalKey, root)
  return equalBytes(key, outputKey) && odd === ((version & 1) === 1)
}

interface SignedInput {
  readonly transaction: Transaction
  readonly spent: readonly L1Output[]
  readonly at: number
  /** Undefined for the key path. */
  readonly leaf?: Uint8Array
}

function checksFor(input: SignedInput): ScriptChecks {
  const { transaction, at } = input
  const sequence = transaction.ins[at]?.sequence ?? 0
  return {
    isSigned: (key, signature) => isSigned(input, key, signature),
    isLockedFor(lock) {
      if (Math.floor(lock / LOCK_OFF) % 2 === 1) return true
      if (transaction.version < 2 || sequence >= LOCK_OFF) return false
      const [wanted, have] = [lock & LOCK_BITS, sequence & LOCK_BITS]
      return (wanted & LOCK_TYPE) === (have & LOCK_TYPE) && wanted <= have
    },
  }
}

function isSigned(input: SignedInput, key: Uint8Array, signature: Uint8Array): boolean {
  if (signature.length !== 64 && signature.length !== 65) return false
  const hashType = signature[64] ?? Transaction.SIGHASH_DEFAULT
  if (signature.length === 65 && !HASH_TYPES.has(hashType)) return false
  // BIP341: there must be an output to sign.
  if ((hashType & 3) === Transaction.SIGHASH_SINGLE && input.at >= input.transaction.outs.length) return false
  return schnorr.verify(signature.slice(0, 64), signatureHash(input, hashType), key)
}

/** BIP341's: all, none, single, each also with anyone-can-pay. The default has no byte. */
const HASH_TYPES: ReadonlySet<number> = new Set([0x01, 0x02, 0x03, 0x81, 0x82, 0x83])

/** The 32 bytes that a taproot input's signature is over (BIP341, BIP342). */
export function signatureHash({ transaction, spent, at, leaf }: SignedInput, hashType: number): Uint8Array {
  const scripts = spent.map(({ script }) => script)
  const values = spent.map(({ value }) => value)
  return transaction.hashForWitnessV1(at, scripts, values, hashType, leaf && tapLeafHash(leaf))
}

/** Serialized: the number of elements, then each behind its length. */
function sizeOf(witness: readonly Uint8Array[]): number {
  const sizeOfCount = (count: number) => (count < 0xfd ? 1 : count <= 0xffff ? 3 : 5)
  return witness.reduce((sum, { length }) => sum + sizeOfCount(length) + length, sizeOfCount(witness.length))
}
