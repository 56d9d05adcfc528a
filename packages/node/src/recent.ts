/** Values by name, those that were used last, up to a total weight. The newest is kept whatever it weighs. */
export class Recent<V> {
  private readonly limit: number
  private readonly entries = new Map<string, { readonly value: V; readonly weight: number }>()
  private weight = 0

  constructor(limit: number) {
    this.limit = limit
  }

  get(name: string): V | undefined {
    const entry = this.entries.get(name)
    if (entry === undefined) return undefined
    this.entries.delete(name)
    this.entries.set(name, entry)
    return entry.value
  }

  put(name: string, value: V, weight: number): void {
    this.drop(name)
    this.entries.set(name, { value, weight })
    this.weight += weight
    for (const oldest of this.entries.keys()) {
      if (this.weight <= this.limit || this.entries.size === 1) return
      this.drop(oldest)
    }
  }

  drop(name: string): void {
    this.weight -= this.entries.get(name)?.weight ?? 0
    this.entries.delete(name)
  }
}
