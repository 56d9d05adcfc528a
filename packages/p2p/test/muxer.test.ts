import { fc, test as fuzz } from '@fast-check/vitest'
import { describe, expect, test } from 'vitest'
import { frameLengths, MAX_STREAM_WINDOW } from '../src/muxer.ts'

describe('frames of a connection', () => {
  const fine = [frame(1, 0xffff_ffff), frame(0, 5), frame(2, 0x7fff_ffff), frame(0, 0), frame(0, MAX_STREAM_WINDOW)]

  fuzz.prop([fc.array(fc.integer({ min: 50, max: 400_000 }), { minLength: 1 })], { numRuns: 30 })(
    'the first that is too long is found however they are cut',
    (sizes) => {
      const bytes = Buffer.concat([...fine, frame(0, MAX_STREAM_WINDOW + 1).subarray(0, 12)])
      const find = frameLengths()
      const found: (number | undefined)[] = []
      for (let at = 0, turn = 0; at < bytes.length; turn++) {
        const size = sizes[turn % sizes.length] ?? 1
        found.push(find(bytes.subarray(at, at + size)))
        at += size
      }
      expect(found.pop()).toBe(MAX_STREAM_WINDOW + 1)
      expect(found.every((length) => length === undefined)).toBe(true)
    },
  )

  test('one byte at a time', () => {
    const find = frameLengths()
    const bytes = Buffer.concat([frame(0, 3), frame(1, 9), frame(0, MAX_STREAM_WINDOW + 1).subarray(0, 12)])
    const found = Array.from(bytes, (byte) => find(Uint8Array.of(byte)))
    expect(found.slice(0, -1).every((length) => length === undefined)).toBe(true)
    expect(found.at(-1)).toBe(MAX_STREAM_WINDOW + 1)
  })
})

/** A header, and for a data frame as many bytes, each of which would be a long data frame's if read as a header. */
function frame(type: number, length: number): Buffer {
  const header = Buffer.alloc(12)
  header.writeUInt8(type, 1)
  header.writeUInt32BE(length, 8)
  return type === 0 ? Buffer.concat([header, Buffer.alloc(Math.min(length, MAX_STREAM_WINDOW), 0xff)]) : header
}
