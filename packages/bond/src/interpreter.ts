import { equalBytes, sha256 } from '@kedge/core'
import { OP } from './opcodes.ts'
import {
  type Instruction,
  isMinimalNumber,
  isMinimalPush,
  MAX_ELEMENT,
  parseScript,
  readNumber,
  writeNumber,
} from './script-parse.ts'

/**
 * Tapscript (BIP342), as far as Kedge's leaves use it. It exists to find out before Bitcoin does what a spend is
 * worth; the tests hold it against a bitcoind.
 */

/** What consensus asks of a spend, or what relay asks beyond it. */
export type ScriptRules = 'consensus' | 'relay'

/** What a script asks about the transaction that it is run for. */
export interface ScriptChecks {
  /** Whether a signature that is not empty is the x-only key's. */
  isSigned(key: Uint8Array, signature: Uint8Array): boolean
  /** Whether the input's relative lock is at least `lock` (BIP112). */
  isLockedFor(lock: number): boolean
}

/**
 * - `script`: none of ours, see `parseScript`
 * - `size`: an element, or the stack, is too large
 * - `minimal`: a push or a number is longer than it must be; consensus allows that
 * - `stack`: an opcode finds too little on it
 * - `number`: an operand is longer than a number may be
 * - `verify`: an equality that must hold doesn't, or a lock that must stand
 * - `signature`: not the key's (an empty one fails only where it must not)
 * - `key`: of no size that means a key
 * - `budget`: more signature checks than the witness's size pays for
 * - `result`: not exactly one element is left, or one that says no
 */
export type ScriptFault =
  | 'script'
  | 'size'
  | 'minimal'
  | 'stack'
  | 'number'
  | 'verify'
  | 'signature'
  | 'key'
  | 'budget'
  | 'result'

/** BIP342: at most 1,000 elements; what each signature check costs, and what every witness has. */
const MAX_STACK = 1000
const CHECK_COST = 50
/** Core and Knots relay no larger element in a tapscript witness. */
const MAX_RELAYED = 80

/** BIP112's operand may be one byte longer than other numbers. */
const NUMBER_SIZE = 4
const LOCK_SIZE = 5

/**
 * Runs a leaf on the elements below it in the witness, the stack's top last.
 * @param witnessSize bytes of the whole serialized witness, which pay for signature checks
 * @returns the fault, or undefined where the spend stands
 */
export function runScript(
  script: Uint8Array,
  elements: readonly Uint8Array[],
  witnessSize: number,
  checks: ScriptChecks,
  rules: ScriptRules,
): ScriptFault | undefined {
  const instructions = parseScript(script)
  if (instructions === undefined) return 'script'
  const limit = rules === 'relay' ? MAX_RELAYED : MAX_ELEMENT
  if (elements.length > MAX_STACK || elements.some(({ length }) => length > limit)) return 'size'
  const machine: Machine = { stack: [...elements], budget: CHECK_COST + witnessSize, checks, rules }
  for (const instruction of instructions) {
    const fault = step(machine, instruction)
    if (fault !== undefined) return fault
  }
  const [result, ...more] = machine.stack
  return result !== undefined && more.length === 0 && isTrue(result) ? undefined : 'result'
}

interface Machine {
  readonly stack: Uint8Array[]
  budget: number
  readonly checks: ScriptChecks
  readonly rules: ScriptRules
}

function step(machine: Machine, instruction: Instruction): ScriptFault | undefined {
  const { stack, rules } = machine
  const { opcode, data } = instruction
  if (data !== undefined) {
    if (data.length > MAX_ELEMENT) return 'size'
    if (rules === 'relay' && !isMinimalPush(instruction)) return 'minimal'
    stack.push(data)
  } else {
    const known = OPCODES[opcode]
    if (known === undefined) return 'script'
    const [takes, run] = known
    if (stack.length < takes) return 'stack'
    const fault = run(machine, stack.splice(stack.length - takes))
    if (fault !== undefined) return fault
  }
  return stack.length > MAX_STACK ? 'size' : undefined
}

/** What an opcode does with the operands it takes off the stack, the top one last. */
type Run = (machine: Machine, operands: Uint8Array[]) => ScriptFault | undefined

const OPCODES: Readonly<Record<number, readonly [takes: number, run: Run]>> = {
  [OP.DROP]: [1, () => undefined],
  [OP.EQUAL]: [2, ({ stack }, [a, b]) => pushTruth(stack, equalBytes(a as Uint8Array, b as Uint8Array))],
  [OP.EQUALVERIFY]: [2, (_, [a, b]) => (equalBytes(a as Uint8Array, b as Uint8Array) ? undefined : 'verify')],
  [OP.NUMEQUAL]: [2, numbersEqual],
  [OP.SHA256]: [1, ({ stack }, [bytes]) => void stack.push(sha256(bytes as Uint8Array))],
  [OP.CHECKSIG]: [2, checkSignature],
  [OP.CHECKSIGVERIFY]: [2, verifySignature],
  [OP.CHECKSIGADD]: [3, addSignature],
  [OP.CHECKSEQUENCEVERIFY]: [1, checkLock],
}

function pushTruth(stack: Uint8Array[], truth: boolean): undefined {
  stack.push(writeNumber(truth ? 1 : 0))
}

function numbersEqual({ stack, rules }: Machine, operands: Uint8Array[]): ScriptFault | undefined {
  const [a, b] = operands.map((bytes) => numberOf(bytes, NUMBER_SIZE, rules))
  if (typeof a !== 'number') return a
  if (typeof b !== 'number') return b
  return pushTruth(stack, a === b)
}

function checkSignature(machine: Machine, [signature, key]: Uint8Array[]): ScriptFault | undefined {
  const judged = judgeSignature(machine, key as Uint8Array, signature as Uint8Array)
  return typeof judged === 'boolean' ? pushTruth(machine.stack, judged) : judged
}

function verifySignature(machine: Machine, [signature, key]: Uint8Array[]): ScriptFault | undefined {
  const judged = judgeSignature(machine, key as Uint8Array, signature as Uint8Array)
  if (typeof judged !== 'boolean') return judged
  return judged ? undefined : 'signature'
}

function addSignature(machine: Machine, [signature, sum, key]: Uint8Array[]): ScriptFault | undefined {
  const before = numberOf(sum as Uint8Array, NUMBER_SIZE, machine.rules)
  if (typeof before !== 'number') return before
  const judged = judgeSignature(machine, key as Uint8Array, signature as Uint8Array)
  if (typeof judged !== 'boolean') return judged
  machine.stack.push(writeNumber(before + (judged ? 1 : 0)))
  return undefined
}

/** An empty signature is no fault, it only counts for nothing; any other must be right (BIP342). */
function judgeSignature(machine: Machine, key: Uint8Array, signature: Uint8Array): boolean | ScriptFault {
  if (signature.length > 0) machine.budget -= CHECK_COST
  if (machine.budget < 0) return 'budget'
  // Keys of other sizes than these two would succeed, for later rules; relay refuses them.
  if (key.length !== 32) return key.length === 0 || machine.rules === 'relay' ? 'key' : signature.length > 0
  if (signature.length === 0) return false
  return machine.checks.isSigned(key, signature) ? true : 'signature'
}

/** The operand stays where it was. */
function checkLock(machine: Machine, [bytes]: Uint8Array[]): ScriptFault | undefined {
  const lock = numberOf(bytes as Uint8Array, LOCK_SIZE, machine.rules)
  machine.stack.push(bytes as Uint8Array)
  if (typeof lock !== 'number') return lock
  return lock >= 0 && machine.checks.isLockedFor(lock) ? undefined : 'verify'
}

function numberOf(bytes: Uint8Array, size: number, rules: ScriptRules): number | ScriptFault {
  if (rules === 'relay' && bytes.length <= size && !isMinimalNumber(bytes)) return 'minimal'
  return readNumber(bytes, size) ?? 'number'
}

/** Anything but zero, of either sign and any length. */
function isTrue(bytes: Uint8Array): boolean {
  return bytes.some((byte, at) => byte !== 0 && !(byte === 0x80 && at === bytes.length - 1))
}
