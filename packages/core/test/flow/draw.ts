/** A number from 0 to below `limit`. */
export type Draw = (limit: number) => number

/** Numbers that follow from a seed (which is not 0) alone: Marsaglia's xorshift of 32 bits. */
export function drawFrom(seed: number): Draw {
  let state = seed
  return (limit) => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) % limit
  }
}
