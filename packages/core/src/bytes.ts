/** Byte strings, compared and printed. Hex is always lower case and of even length. */

const HEX = /^(?:[0-9a-f]{2})*$/

const digits = Array.from('0123456789abcdef', (digit) => digit.charCodeAt(0))

/** Bytes printed in one go: what is called with more than some thousands of arguments fails. */
const PIECE = 4096

/** One flat string: of one that is put together byte by byte, engines keep every step, tenfold its size. */
export function toHex(bytes: Uint8Array): string {
  if (bytes.length <= PIECE) return printPiece(bytes)
  const pieces: string[] = []
  for (let at = 0; at < bytes.length; at += PIECE) pieces.push(printPiece(bytes.subarray(at, at + PIECE)))
  return pieces.join('')
}

function printPiece(bytes: Uint8Array): string {
  const codes = new Array<number>(2 * bytes.length)
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at] as number
    codes[2 * at] = digits[byte >> 4] as number
    codes[2 * at + 1] = digits[byte & 15] as number
  }
  return String.fromCharCode(...codes)
}

/** @throws RangeError unless `text` is lower-case hex of even length. */
export function fromHex(text: string): Uint8Array {
  if (!HEX.test(text)) throw new RangeError('not lower-case hex of even length')
  const bytes = new Uint8Array(text.length / 2)
  for (let at = 0; at < bytes.length; at++) bytes[at] = Number.parseInt(text.slice(2 * at, 2 * at + 2), 16)
  return bytes
}

export function isHex(text: string, byteLength?: number): boolean {
  return HEX.test(text) && (byteLength === undefined || text.length === 2 * byteLength)
}

export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false
  for (let at = 0; at < a.length; at++) if (a[at] !== b[at]) return false
  return true
}

export function isZero(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte === 0)
}

export function concatBytes(...parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}

/** Bitcoin shows transaction and block hashes byte-reversed; inside Kedge they are in the order they are hashed. */
export function reverseBytes(bytes: Uint8Array): Uint8Array {
  return Uint8Array.from(bytes).reverse()
}
