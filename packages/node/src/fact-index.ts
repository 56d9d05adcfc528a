import { type Deposit, type ForcedEntry, type L1Facts, type Position, signedMessage, toHex } from '@kedge/core'

const START: Position = { height: 0, tx: 0, index: 0 }

/** What there is of one kind, in Bitcoin's order, as the facts have it. */
interface Source<T> {
  readonly name: (fact: T) => string
  readonly after: (position: Position) => T | undefined
  readonly allAfter: (position: Position) => readonly T[]
}

/**
 * Facts of one kind by name, in Bitcoin's order. Facts only grow and are cut, so what is known here is a prefix of theirs,
 * up to the first one that is another object.
 */
export class FactIndex<T extends { readonly position: Position }> {
  private readonly source: Source<T>
  private readonly known: T[] = []
  private readonly byName = new Map<string, T[]>()

  constructor(source: Source<T>) {
    this.source = source
  }

  of(name: string): readonly T[] {
    this.follow()
    return this.byName.get(name) ?? []
  }

  get all(): readonly T[] {
    this.follow()
    return this.known
  }

  private follow(): void {
    while (this.known.length > 0 && !this.isLastKnownThere()) this.forgetLast()
    for (const fact of this.source.allAfter(this.known.at(-1)?.position ?? START)) {
      const name = this.source.name(fact)
      const others = this.byName.get(name)
      if (others === undefined) this.byName.set(name, [fact])
      else others.push(fact)
      this.known.push(fact)
    }
  }

  private isLastKnownThere(): boolean {
    return this.source.after(this.known.at(-2)?.position ?? START) === this.known.at(-1)
  }

  private forgetLast(): void {
    const fact = this.known.pop()
    const name = fact && this.source.name(fact)
    const others = name === undefined ? undefined : this.byName.get(name)
    others?.pop()
    if (name !== undefined && others?.length === 0) this.byName.delete(name)
  }
}

/** By the key that they credit, as hex. */
export function depositIndex(facts: L1Facts): FactIndex<Deposit> {
  return new FactIndex({
    name: ({ key }) => toHex(key),
    after: (position) => facts.depositAfter(position),
    allAfter: (position) => facts.depositsAfter(position),
  })
}

/** Forced operations by what was signed, as hex. */
export function forcedIndex(facts: L1Facts, network: Uint8Array): FactIndex<ForcedEntry> {
  return new FactIndex({
    name: ({ operation }) => toHex(signedMessage(network, operation)),
    after: (position) => facts.forcedAfter(position),
    allAfter: (position) => facts.allForcedAfter(position),
  })
}
