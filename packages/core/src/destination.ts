import { concatBytes, equalBytes } from './bytes.ts'
import type { Reader, Writer } from './codec.ts'

/**
 * Where a withdrawal may be paid to: the five output scripts that every node relays. One that is none of them has no
 * encoding, so that no claim on the vault can be unpayable for its script.
 */

/** A kind's number, what stands before and behind its hash or key, and how long that is. */
interface Form {
  readonly number: number
  readonly head: Uint8Array
  readonly size: number
  readonly tail: Uint8Array
}

const NOTHING = new Uint8Array(0)

const FORMS: readonly Form[] = [
  // P2PKH: DUP HASH160 <20> EQUALVERIFY CHECKSIG
  { number: 1, head: Uint8Array.of(0x76, 0xa9, 20), size: 20, tail: Uint8Array.of(0x88, 0xac) },
  // P2SH: HASH160 <20> EQUAL
  { number: 2, head: Uint8Array.of(0xa9, 20), size: 20, tail: Uint8Array.of(0x87) },
  // P2WPKH: 0 <20>
  { number: 3, head: Uint8Array.of(0, 20), size: 20, tail: NOTHING },
  // P2WSH: 0 <32>
  { number: 4, head: Uint8Array.of(0, 32), size: 32, tail: NOTHING },
  // P2TR: 1 <32>
  { number: 5, head: Uint8Array.of(0x51, 32), size: 32, tail: NOTHING },
]

const PROGRAM_BYTES = 32

export function isDestination(script: Uint8Array): boolean {
  return formOf(script) !== undefined
}

/** The kind's number u8, then its hash or key, zeros behind it up to 32 bytes. @throws RangeError for another script. */
export function writeDestination(writer: Writer, script: Uint8Array): Writer {
  const form = formOf(script)
  if (form === undefined) throw new RangeError('the script is none of the five that withdrawals are paid to')
  const { number, head, size } = form
  return writer
    .u8(number)
    .fixed(script.subarray(head.length, head.length + size), size)
    .zeros(PROGRAM_BYTES - size)
}

/** The script; the reader has failed where there is none. */
export function readDestination(reader: Reader): Uint8Array {
  const number = reader.u8()
  const form = FORMS.find((one) => one.number === number)
  if (form === undefined) {
    reader.failed = true
    return NOTHING
  }
  const program = reader.fixed(form.size)
  reader.zeros(PROGRAM_BYTES - form.size)
  return concatBytes(form.head, program, form.tail)
}

function formOf(script: Uint8Array): Form | undefined {
  return FORMS.find(
    ({ head, size, tail }) =>
      script.length === head.length + size + tail.length &&
      equalBytes(script.subarray(0, head.length), head) &&
      equalBytes(script.subarray(head.length + size), tail),
  )
}
