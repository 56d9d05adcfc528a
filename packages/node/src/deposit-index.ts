import { type Deposit, type L1Facts, type Position, toHex } from '@kedge/core'

const START: Position = { height: 0, tx: 0, index: 0 }

/**
 * Deposits by the key that they credit, in Bitcoin's order. Facts only grow and are cut, so what is known here is a
 * prefix of theirs, up to the first deposit that is another object.
 */
export class DepositIndex {
  private readonly facts: L1Facts
  private readonly known: Deposit[] = []
  private readonly byKey = new Map<string, Deposit[]>()

  constructor(facts: L1Facts) {
    this.facts = facts
  }

  /** @param key as hex */
  of(key: string): readonly Deposit[] {
    this.follow()
    return this.byKey.get(key) ?? []
  }

  private follow(): void {
    while (this.known.length > 0 && !this.isLastKnownThere()) this.forgetLast()
    for (const deposit of this.facts.depositsAfter(this.known.at(-1)?.position ?? START)) {
      const name = toHex(deposit.key)
      const others = this.byKey.get(name)
      if (others === undefined) this.byKey.set(name, [deposit])
      else others.push(deposit)
      this.known.push(deposit)
    }
  }

  private isLastKnownThere(): boolean {
    return this.facts.depositAfter(this.known.at(-2)?.position ?? START) === this.known.at(-1)
  }

  private forgetLast(): void {
    const deposit = this.known.pop()
    const name = deposit && toHex(deposit.key)
    const others = name === undefined ? undefined : this.byKey.get(name)
    others?.pop()
    if (name !== undefined && others?.length === 0) this.byKey.delete(name)
  }
}
