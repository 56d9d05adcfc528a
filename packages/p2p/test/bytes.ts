/** A seed, and so a peer id, for each number. */
export function seed(number: number): Uint8Array {
  return new Uint8Array(32).fill(number)
}

export function hash(number: number): Uint8Array {
  return new Uint8Array(32).fill(number)
}

/** Bytes that tell a wrong place, length or order. */
export function pattern(length: number, salt = 0): Uint8Array {
  const bytes = new Uint8Array(length)
  for (let at = 0; at < length; at++) bytes[at] = Math.imul(at + salt, 2654435761) >>> 13
  return bytes
}

export function soon(ms = 10_000): AbortSignal {
  return AbortSignal.timeout(ms)
}
