import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Region, RowRing } from '../src/ring.ts'

const steps = fc.array(
  fc.oneof(fc.record({ claim: fc.integer({ min: 1, max: 20 }) }), fc.record({ release: fc.nat() })),
  {
    maxLength: 200,
  },
)

test('regions stay inside, never overlap, and all room comes back', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 40 }), steps, (capacity, list) => {
      const ring = new RowRing(capacity)
      const held: Region[] = []
      for (const step of list) {
        if ('claim' in step) {
          const region = ring.claim(step.claim)
          if (region === undefined) expect(held.length > 0 || step.claim > capacity).toBe(true)
          else held.push(region)
        } else if (held.length > 0) {
          ring.release(held.splice(step.release % held.length, 1)[0] as Region)
        }
        const owners = new Uint8Array(capacity)
        for (const { start, count } of held)
          for (let row = start; row < start + count; row++) owners[row] = (owners[row] ?? 9) + 1
        expect(Math.max(0, ...owners)).toBeLessThanOrEqual(1)
        expect(held.every(({ start, count }) => start >= 0 && start + count <= capacity)).toBe(true)
        expect(ring.usedRows).toBeLessThanOrEqual(capacity)
      }
      for (const region of held) ring.release(region)
      expect(ring.usedRows).toBe(0)
      expect(ring.claim(capacity)?.count).toBe(capacity)
    }),
  )
})

test('full is full until the oldest goes', () => {
  const ring = new RowRing(10)
  const [a, b] = [ring.claim(4), ring.claim(4)]
  if (a === undefined || b === undefined) throw new Error('there is room for both')
  expect(ring.claim(3)).toBeUndefined()
  ring.release(b)
  expect(ring.claim(3)).toBeUndefined()
  ring.release(a)
  expect(ring.claim(10)).toEqual({ start: 0, count: 10 })
})

test('what is not held can’t be released', () => {
  const ring = new RowRing(4)
  const [a, b] = [ring.claim(1), ring.claim(1)]
  if (a === undefined || b === undefined) throw new Error('there is room for both')
  ring.release(b)
  expect(() => ring.release(b)).toThrow('not held')
  ring.release(a)
  expect(() => ring.release(a)).toThrow('not held')
  expect(() => ring.release({ start: 0, count: 1 })).toThrow('not held')
})
