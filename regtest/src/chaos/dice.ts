/** Chances that fall the same way again for the same seed (Mulberry32): what failed once can be tried again. */
export class Dice {
  readonly seed: number
  private state: number

  constructor(seed: number) {
    this.seed = seed
    this.state = seed >>> 0
  }

  /** From 0 to below 1. */
  next(): number {
    this.state = (this.state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(this.state ^ (this.state >>> 15), this.state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }

  /** A whole number from 0 to below `count`. */
  below(count: number): number {
    return Math.floor(this.next() * count)
  }

  /** A whole number from `low` to `high`. */
  between(low: number, high: number): number {
    return low + this.below(high - low + 1)
  }

  /** @throws RangeError for an empty list */
  pick<T>(list: readonly T[]): T {
    const at = this.below(list.length)
    if (at >= list.length) throw new RangeError('nothing to pick from')
    return list[at] as T
  }

  /** Dice of their own, for somebody whose throws come in an order that time decides. */
  fork(): Dice {
    return new Dice(this.below(2 ** 32))
  }
}

/** `KEDGE_CHAOS_SEED`, or a new one. */
export function freshDice(): Dice {
  const given = process.env.KEDGE_CHAOS_SEED
  return new Dice(given === undefined ? Math.floor(Math.random() * 2 ** 32) : Number(given))
}
