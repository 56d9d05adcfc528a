import { equalBytes, toHex } from '@kedge/core'
import { type PublicationRecord, publications, type SignedRecord, type Store } from '@kedge/storage'
import type { MinedTransactions } from './mined.ts'
import type { Purse } from './purse.ts'
import { isSame, transactionOf } from './signed.ts'
import { UnconfirmedCommits } from './unconfirmed.ts'

export interface Publication {
  readonly id: Uint8Array
  record: PublicationRecord
}

/** What is being published: on disk, a copy in memory, and the coins of it held back. */
export class Publications {
  private readonly store: Store
  private readonly purse: Purse
  private readonly mined: MinedTransactions
  private readonly byId = new Map<string, Publication>()

  constructor(store: Store, purse: Purse, mined: MinedTransactions) {
    this.store = store
    this.purse = purse
    this.mined = mined
  }

  async load(): Promise<void> {
    for await (const [id, record] of this.store.range(publications)) this.byId.set(toHex(id), { id, record })
    this.holdCoins()
  }

  get all(): Publication[] {
    return [...this.byId.values()]
  }

  /** Those that somebody has to look after. */
  get active(): Publication[] {
    return this.all.filter(({ record }) => record.state !== 'buried')
  }

  find(id: Uint8Array): Publication | undefined {
    return this.byId.get(toHex(id))
  }

  async add(id: Uint8Array, record: PublicationRecord): Promise<void> {
    const publication = { id, record }
    await this.save(publication, record)
    this.byId.set(toHex(id), publication)
  }

  async save(publication: Publication, record: PublicationRecord): Promise<void> {
    await this.store.commit([publications.put(publication.id, record)])
    publication.record = record
    this.holdCoins()
  }

  async forget(publication: Publication): Promise<void> {
    await this.store.commit([publications.del(publication.id)])
    this.byId.delete(toHex(publication.id))
    this.holdCoins()
  }

  /** Takes this commit for the one in use. A reveal of another one can't be sent any more. */
  async useCommit(publication: Publication, commit: SignedRecord): Promise<void> {
    const { record } = publication
    const commits = [...record.commits.filter((other) => !isSame(other, commit)), commit]
    const kept = record.tagged !== undefined && standsOn(record.tagged, commit) ? record : withoutTagged(record)
    await this.save(publication, { ...kept, commits })
  }

  isMined({ txid }: SignedRecord): boolean {
    return this.mined.heightOf(txid) !== undefined
  }

  /** Where what carries the tag was mined, in any version. */
  taggedHeight({ tagged, replaced }: PublicationRecord): number | undefined {
    const txids = tagged === undefined ? replaced : [tagged.txid, ...replaced]
    return txids.map((txid) => this.mined.heightOf(txid)).find((height) => height !== undefined)
  }

  get unconfirmed(): UnconfirmedCommits {
    const commits = this.active.flatMap(({ record }) => record.commits.slice(-1))
    return new UnconfirmedCommits(commits.filter((commit) => !this.isMined(commit)))
  }

  /** Unconfirmed commits that a publication's reveal stands on. */
  belowTagged({ commits }: PublicationRecord): SignedRecord[] {
    const commit = commits.at(-1)
    return commit === undefined || this.isMined(commit) ? [] : [...this.unconfirmed.ancestorsOf(commit), commit]
  }

  private holdCoins(): void {
    this.purse.hold(
      'publications',
      this.active.flatMap(({ record }) => signedOf(record)),
    )
  }
}

export function signedOf({ commits, tagged }: PublicationRecord): SignedRecord[] {
  return tagged === undefined ? [...commits] : [...commits, tagged]
}

/** What carried the tag may still be mined, so its txid is kept. */
export function withoutTagged({ tagged, ...rest }: PublicationRecord): PublicationRecord {
  return tagged === undefined ? rest : { ...rest, replaced: [...rest.replaced, tagged.txid] }
}

function standsOn(reveal: SignedRecord, commit: SignedRecord): boolean {
  return transactionOf(reveal).inputs.some(({ previous }) => equalBytes(previous.txid, commit.txid))
}
