import { applyUnconfirmed, type Coin, NO_COINS, printHash, printOutpoint } from '@kedge/bitcoin'
import type { SignedRecord } from '@kedge/storage'
import { isSame, spentBy, transactionOf } from './signed.ts'

/** Commits that no block holds yet. One may stand on another's change; nothing else does. */
export class UnconfirmedCommits {
  private readonly commits: readonly SignedRecord[]
  private readonly byTxid: ReadonlyMap<string, SignedRecord>

  constructor(commits: readonly SignedRecord[]) {
    this.commits = commits
    this.byTxid = new Map(commits.map((commit) => [printHash(commit.txid), commit]))
  }

  /** The commits that a transaction directly stands on. */
  parentsOf(signed: SignedRecord): SignedRecord[] {
    const parents = transactionOf(signed).inputs.map(({ previous }) => this.byTxid.get(printHash(previous.txid)))
    return [...new Set(parents.filter((parent) => parent !== undefined))]
  }

  /** All the commits below a transaction, each before those that stand on it. */
  ancestorsOf(signed: SignedRecord): SignedRecord[] {
    const below = this.parentsOf(signed).flatMap((parent) => [...this.ancestorsOf(parent), parent])
    return [...new Set(below)]
  }

  /** What is left when a commit goes, and with it all that stand on it. */
  without(commit: SignedRecord): UnconfirmedCommits {
    const stays = (other: SignedRecord) => [...this.ancestorsOf(other), other].every((below) => !isSame(below, commit))
    return new UnconfirmedCommits(this.commits.filter(stays))
  }

  /** Whether another commit stands on this one. */
  isParent(commit: SignedRecord): boolean {
    return this.commits.some((other) => this.parentsOf(other).some((parent) => isSame(parent, commit)))
  }

  /** Change of theirs that can pay for one more commit. */
  freeChange(script: Uint8Array): Coin[] {
    const spent = spentBy(...this.commits)
    const change = this.commits.flatMap((commit) => [
      ...applyUnconfirmed(NO_COINS, transactionOf(commit), script).values(),
    ])
    return change.filter(({ outpoint }) => !spent.has(printOutpoint(outpoint)))
  }
}
