import fc from 'fast-check'
import { expect, it } from 'vitest'
import { fromHex, toHex } from '../src/bytes.ts'

it('bytes of any length are printed as hex, and read from it', () => {
  const long = Uint8Array.from({ length: 200_000 }, (_, at) => at % 251)
  for (const length of [0, 1, 4095, 4096, 4097, 8192, long.length]) {
    const bytes = long.subarray(0, length)
    expect(toHex(bytes)).toBe(Buffer.from(bytes).toString('hex'))
  }
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
      expect(toHex(bytes)).toBe(Buffer.from(bytes).toString('hex'))
      expect(fromHex(toHex(bytes))).toEqual(bytes)
    }),
  )
})
