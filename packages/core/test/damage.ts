import fc from 'fast-check'
import { concatBytes } from '../src/bytes.ts'

/** What becomes of bytes on a bad day. */
export const damage = fc.oneof(
  fc
    .record({ flip: fc.nat(4000), mask: fc.integer({ min: 1, max: 255 }) })
    .map(({ flip, mask }) => (bytes: Uint8Array) => {
      const at = flip % Math.max(bytes.length, 1)
      return bytes.length === 0 ? bytes : bytes.with(at, (bytes[at] as number) ^ mask)
    }),
  fc.nat(4000).map((size) => (bytes: Uint8Array) => bytes.slice(0, size % (bytes.length + 1))),
  fc.uint8Array({ minLength: 1, maxLength: 40 }).map((more) => (bytes: Uint8Array) => concatBytes(bytes, more)),
  fc.uint8Array({ maxLength: 400 }).map((other) => () => other),
  fc.tuple(fc.nat(255), fc.uint8Array({ maxLength: 400 })).map(
    ([kind, other]) =>
      () =>
        concatBytes(Uint8Array.of(kind % 4), other),
  ),
)
