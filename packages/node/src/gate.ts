/** Lets so many do some work at a time; the others wait. Whoever is `first` comes before all who are not. */
export class Gate {
  private free: number
  private readonly firsts: (() => void)[] = []
  private readonly others: (() => void)[] = []

  constructor(places: number) {
    this.free = places
  }

  async pass<T>(work: () => Promise<T>, isFirst = false): Promise<T> {
    if (this.free > 0) this.free--
    else await new Promise<void>((resolve) => (isFirst ? this.firsts : this.others).push(resolve))
    try {
      return await work()
    } finally {
      const next = this.firsts.shift() ?? this.others.shift()
      if (next === undefined) this.free++
      else next()
    }
  }
}
