/** A contiguous run of rows that somebody holds. */
export interface Region {
  readonly start: number
  readonly count: number
}

/**
 * Hands out contiguous regions of a fixed number of rows in a circle. Space comes back in the order it was handed
 * out, so a region that is kept holds up all younger ones: the price for claims in constant time.
 */
export class RowRing {
  readonly capacity: number
  /** The first of its rows. */
  private readonly from: number
  /** Oldest first; true when given back but still behind an older one. */
  private readonly regions = new Map<Region, boolean>()
  private next = 0
  /** Rows from the oldest region up to `next`, with those skipped at the end of the circle. */
  private used = 0

  constructor(capacity: number, from = 0) {
    this.capacity = capacity
    this.from = from
  }

  get usedRows(): number {
    return this.used
  }

  /** `undefined` when there is no contiguous room. */
  claim(count: number): Region | undefined {
    if (this.used === 0) this.next = 0
    const toEnd = this.capacity - this.next
    const skipped = count <= toEnd ? 0 : toEnd
    if (this.used + skipped + count > this.capacity) return undefined
    if (skipped > 0) this.take(skipped, true)
    return this.take(count, false)
  }

  /** @throws Error when the region is not held. */
  release(region: Region): void {
    if (this.regions.get(region) !== false) throw new Error(`rows from ${region.start} are not held`)
    this.regions.set(region, true)
    for (const [oldest, free] of this.regions) {
      if (!free) return
      this.regions.delete(oldest)
      this.used -= oldest.count
    }
  }

  private take(count: number, free: boolean): Region {
    const region = { start: this.from + this.next, count }
    this.regions.set(region, free)
    this.next = (this.next + count) % this.capacity
    this.used += count
    return region
  }
}
