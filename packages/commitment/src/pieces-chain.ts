import { applyUnconfirmed, type Coin, NO_COINS, printHash, printOutpoint } from '@kedge/bitcoin'
import type { SignedRecord } from '@kedge/storage'
import { spentBy, transactionOf } from './signed.ts'

/** Commits that no block holds yet. One may stand on another's change; reveals stand on them. */
export class UnconfirmedCommits {
  private readonly byTxid: ReadonlyMap<string, SignedRecord>
  private readonly spent: ReadonlySet<string>

  /** @param reveals of these commits */
  constructor(commits: readonly SignedRecord[], reveals: readonly SignedRecord[]) {
    this.byTxid = new Map(commits.map((commit) => [printHash(commit.txid), commit]))
    this.spent = spentBy(...commits, ...reveals)
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

  /** Whether a commit's change was spent already, by another commit. */
  isSpent(commit: SignedRecord, script: Uint8Array): boolean {
    return changeOf(commit, script).some(({ outpoint }) => this.spent.has(printOutpoint(outpoint)))
  }

  /** Change that can pay for one more commit, as far as default relay goes. */
  freeChange(script: Uint8Array): Coin[] {
    const change = [...this.byTxid.values()].flatMap((commit) => changeOf(commit, script))
    return change.filter(({ outpoint }) => !this.spent.has(printOutpoint(outpoint)))
  }
}

function changeOf(commit: SignedRecord, script: Uint8Array): Coin[] {
  return [...applyUnconfirmed(NO_COINS, transactionOf(commit), script).values()]
}
