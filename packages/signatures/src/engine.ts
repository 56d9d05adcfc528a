import { createRequire } from 'node:module'
import { isMainThread } from 'node:worker_threads'
import {
  HASH_BYTES,
  INVALID,
  KEY_BYTES,
  OPERATION_AT,
  OWNER_AT,
  ROW_BYTES,
  SIGNATURE_AT,
  SIGNATURE_BYTES,
  VALID,
} from './rows.ts'

/**
 * What checks BIP340 signatures. All engines accept and refuse exactly what `nobleEngine` does: signature 64 bytes,
 * message 32, key 32 (x-only); r < p, 0 < s < n. Anything else, of whatever length, is a plain `false`. (BIP340 would
 * let s = 0 pass on to the curve equation; nobody can make a signature of that kind.) An engine throws only when it is
 * itself broken.
 */
export interface Engine {
  readonly name: string
  verify(signature: Uint8Array, message: Uint8Array, key: Uint8Array): boolean
  /**
   * Judges a run of rows, which must not change meanwhile: `rows` in the row layout, `messages` 32 bytes a row.
   * Writes VALID or INVALID for each row into `verdicts`, one byte a row.
   */
  verifyRows(rows: Uint8Array, messages: Uint8Array, verdicts: Uint8Array): void
}

/** `none` checks nothing and is for benchmarks alone. */
export type EngineChoice = 'tiny-secp256k1' | '@noble/curves' | 'none'

type Verify = Engine['verify']

function oneByOne(name: string, verify: Verify): Engine {
  return {
    name,
    verify,
    verifyRows(rows, messages, verdicts) {
      for (let row = 0; row < verdicts.length; row++) {
        const at = row * ROW_BYTES
        const signatureAt = at + OPERATION_AT + SIGNATURE_AT
        const valid = verify(
          rows.subarray(signatureAt, signatureAt + SIGNATURE_BYTES),
          messages.subarray(row * HASH_BYTES, (row + 1) * HASH_BYTES),
          rows.subarray(at + OWNER_AT, at + OWNER_AT + KEY_BYTES),
        )
        verdicts[row] = valid ? VALID : INVALID
      }
    },
  }
}

function haveRightLengths(signature: Uint8Array, message: Uint8Array, key: Uint8Array): boolean {
  return signature.length === SIGNATURE_BYTES && message.length === HASH_BYTES && key.length === KEY_BYTES
}

type Noble = typeof import('@noble/curves/secp256k1.js')
let noble: Noble | undefined

/** Its library is loaded with the first check: beside tiny-secp256k1 that hardly comes, and a thread begins sooner. */
export const nobleEngine: Engine = oneByOne('@noble/curves', (signature, message, key) => {
  if (!haveRightLengths(signature, message, key)) return false
  noble ??= loadNoble()
  return noble.schnorr.verify(signature, message, key)
})

function loadNoble(): Noble {
  return createRequire(import.meta.url)('@noble/curves/secp256k1.js')
}

/** The order of secp256k1's group. */
const N = Buffer.from('fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141', 'hex')
const ZERO = Buffer.alloc(32)

function makeTinyEngine(tiny: typeof import('tiny-secp256k1')): Engine {
  return oneByOne('tiny-secp256k1', (signature, message, key) => {
    if (!haveRightLengths(signature, message, key)) return false
    const s = signature.subarray(32)
    if (Buffer.compare(s, N) >= 0 || Buffer.compare(s, ZERO) === 0) return false
    // tiny refuses each r from n on, BIP340 only from p on. Between them lies one r in 2^128.
    if (Buffer.compare(signature.subarray(0, 32), N) >= 0) return nobleEngine.verify(signature, message, key)
    // verifySchnorr throws on such a key from inside its WebAssembly, whose stack then stays where it was: after some
    // 3,400 of them every call traps. Asking first costs a tenth of a check and throws nothing.
    return tiny.isXOnlyPoint(key) && tiny.verifySchnorr(message, key, signature)
  })
}

/**
 * Loaded by `require`, which gives an instance that no other package holds: what they do to theirs can't break ours.
 * Where it does not load, the process says so once and goes on with @noble/curves.
 */
function loadTiny(): Engine | undefined {
  try {
    const tiny: typeof import('tiny-secp256k1') = createRequire(import.meta.url)('tiny-secp256k1')
    return makeTinyEngine(tiny)
  } catch (cause) {
    const text = `tiny-secp256k1 does not load, so @noble/curves checks signatures, some five times slower: ${cause}`
    if (isMainThread) process.emitWarning(text)
    return undefined
  }
}

const tinyEngine = loadTiny()

const noEngine: Engine = {
  name: 'NONE: SIGNATURES ARE NOT CHECKED',
  verify: () => true,
  verifyRows: (_rows, _messages, verdicts) => verdicts.fill(VALID),
}

/** The fastest engine that loads here. */
export const fastestChoice: EngineChoice = tinyEngine === undefined ? '@noble/curves' : 'tiny-secp256k1'

/** @throws Error when that engine does not load here. */
export function engineOf(choice: EngineChoice): Engine {
  if (choice === 'none') return noEngine
  if (choice === '@noble/curves') return nobleEngine
  if (tinyEngine === undefined) throw new Error('tiny-secp256k1 does not load here')
  return tinyEngine
}

/** BIP340, on the calling thread: signature 64 bytes, message 32, x-only key 32. Other lengths are `false`. */
export function verifySignature(signature: Uint8Array, message: Uint8Array, key: Uint8Array): boolean {
  return engineOf(fastestChoice).verify(signature, message, key)
}
