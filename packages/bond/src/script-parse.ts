import { OP } from './opcodes.ts'

/** One instruction: what it pushes, or an opcode. */
export interface Instruction {
  readonly opcode: number
  readonly data: Uint8Array | undefined
}

const KNOWN: ReadonlySet<number> = new Set<number>(Object.values(OP))

/** BIP342 keeps this limit of a stack element. */
export const MAX_ELEMENT = 520

/**
 * Script as instructions. Undefined where it is none of ours: an opcode that no leaf of Kedge uses (among them those
 * that make any spend succeed), or a push that runs over the end.
 */
export function parseScript(script: Uint8Array): Instruction[] | undefined {
  const instructions: Instruction[] = []
  for (let at = 0; at < script.length; ) {
    const opcode = script[at] as number
    const push = pushOf(script, at)
    if (push === undefined && !KNOWN.has(opcode)) return undefined
    if (push !== undefined && push.end > script.length) return undefined
    instructions.push({ opcode, data: push?.data })
    at = push?.end ?? at + 1
  }
  return instructions
}

function pushOf(script: Uint8Array, at: number): { readonly data: Uint8Array; readonly end: number } | undefined {
  const opcode = script[at] as number
  if (opcode >= OP.NUMBER_1 && opcode <= OP.NUMBER_16)
    return { data: Uint8Array.of(opcode - OP.NUMBER_1 + 1), end: at + 1 }
  if (opcode > OP.PUSHDATA2) return undefined
  const width = opcode < OP.PUSHDATA1 ? 0 : opcode === OP.PUSHDATA1 ? 1 : 2
  const [low = 0, high = 0] = script.slice(at + 1, at + 1 + width)
  const start = at + 1 + width
  const end = start + (width === 0 ? opcode : low + 256 * high)
  return { data: script.slice(start, end), end }
}

/** Whether a push is the shortest there is for its bytes (Bitcoin's MINIMALDATA). */
export function isMinimalPush({ opcode, data }: Instruction): boolean {
  if (data === undefined) return true
  const [first = 0] = data
  if (data.length === 1 && first >= 1 && first <= 16) return opcode === OP.NUMBER_1 - 1 + first
  // -1 has an opcode of its own, which no leaf uses.
  if (data.length === 1 && first === 0x81) return false
  if (data.length < OP.PUSHDATA1) return opcode === data.length
  return opcode === (data.length <= 0xff ? OP.PUSHDATA1 : OP.PUSHDATA2)
}

/** A script number of at most `size` bytes: little-endian, the highest bit its sign. Undefined where it is longer. */
export function readNumber(bytes: Uint8Array, size: number): number | undefined {
  if (bytes.length > size) return undefined
  const last = bytes.at(-1) ?? 0
  const magnitude = bytes.reduceRight((sum, byte, at) => sum * 256 + (at === bytes.length - 1 ? byte & 0x7f : byte), 0)
  return (last & 0x80) === 0 ? magnitude : -magnitude
}

/** Whether no shorter script number says the same. */
export function isMinimalNumber(bytes: Uint8Array): boolean {
  const last = bytes.at(-1)
  if (last === undefined || (last & 0x7f) !== 0) return true
  return ((bytes.at(-2) ?? 0) & 0x80) !== 0
}

/** The shortest script number of an integer from 0 up. */
export function writeNumber(value: number): Uint8Array {
  const bytes: number[] = []
  for (let rest = value; rest > 0; rest = Math.floor(rest / 256)) bytes.push(rest % 256)
  if (((bytes.at(-1) ?? 0) & 0x80) !== 0) bytes.push(0)
  return Uint8Array.from(bytes)
}
