import type { Challenge } from '@kedge/api'
import { printHash } from '@kedge/bitcoin'
import { equalBytes, toHex } from '@kedge/core'
import { type NoticeRecord, notices, type Store } from '@kedge/storage'
import { type Follower, noticeKey } from './follow.ts'

/** Challenges that counted, by the header they are about: read from the notices of each block once. */
export class ChallengeIndex {
  private readonly store: Store
  private readonly follower: Follower
  private readonly byHeader = new Map<string, Challenge[]>()
  private done: { readonly height: number; readonly hash: Uint8Array } | undefined
  private reading: Promise<void> | undefined

  constructor(store: Store, follower: Follower) {
    this.store = store
    this.follower = follower
  }

  async of(headerHash: Uint8Array): Promise<readonly Challenge[]> {
    this.reading ??= this.follow().finally(() => {
      this.reading = undefined
    })
    await this.reading
    return this.byHeader.get(toHex(headerHash)) ?? []
  }

  private async follow(): Promise<void> {
    if (this.done !== undefined && !this.isInChain(this.done)) this.forget()
    const { height, hash } = this.follower.chain
    const from = noticeKey((this.done?.height ?? -1) + 1, 0)
    for await (const [, notice] of this.store.range(notices, { from, to: noticeKey(height + 1, 0) })) this.add(notice)
    // Blocks that were replaced while their notices were read are read again from the start, the next time.
    this.done = { height, hash }
  }

  private isInChain({ height, hash }: { readonly height: number; readonly hash: Uint8Array }): boolean {
    const current =
      height === this.follower.chain.height ? this.follower.chain.hash : this.follower.facts.blockHash(height)
    return current !== undefined && equalBytes(current, hash)
  }

  private forget(): void {
    this.byHeader.clear()
    this.done = undefined
  }

  private add(notice: NoticeRecord): void {
    const name = toHex(notice.headerHash)
    const known = this.byHeader.get(name) ?? []
    if (notice.outcome === 'raised') {
      const { data, height, deadline } = notice
      const challenge = { kind: data, txid: printHash(notice.txid), height, deadline }
      this.byHeader.set(name, [...known.filter(({ kind }) => kind !== data), challenge])
    }
    if (notice.outcome === 'answered') {
      const answer = (challenge: Challenge) =>
        challenge.kind === notice.data ? { ...challenge, answeredAt: notice.height } : challenge
      this.byHeader.set(name, known.map(answer))
    }
  }
}
