import {
  type Chain,
  type Claim,
  equalBytes,
  gapsIn,
  type L1Facts,
  type PaidClaims,
  type Params,
  type PayableClaim,
  payableAt,
  unpaidBelow,
} from '@kedge/core'
import { claims, DamagedError, type Store, type Write } from '@kedge/storage'
import type { LinkIndex } from './links.ts'
import type { Head } from './snapshot.ts'

/** What stands between a ledger's claims and their payment. */
export interface PayableParts {
  readonly params: Params
  readonly chain: Chain
  readonly links: LinkIndex
  readonly facts: L1Facts
}

interface Owed {
  readonly claim: Claim
  /** The batch that it comes from; of a step of the exit, the block. */
  readonly from: Head | { readonly height: number; readonly hash: Uint8Array }
}

/** Satoshis, and how many. */
export interface ClaimSums {
  readonly unpaid: { readonly count: number; readonly value: bigint }
  readonly paid: bigint
}

/** All claims of the ledger, by their number: as many as its totals count. */
export class ClaimIndex {
  private readonly store: Store
  private readonly owed: Owed[] = []
  /** Satoshis of the first n claims, at n. */
  private readonly sums: bigint[] = [0n]

  constructor(store: Store) {
    this.store = store
  }

  get count(): number {
    return this.owed.length
  }

  /** What is owed and what of that was paid, without looking at each claim. */
  sum(paid: PaidClaims): ClaimSums {
    const { count } = this
    const unpaid = gapsIn(paid, 0, count)
    const open = unpaid.reduce((sum, [start, end]) => sum + this.sumBelow(end) - this.sumBelow(start), 0n)
    return {
      unpaid: { count: unpaid.reduce((sum, [start, end]) => sum + end - start, 0), value: open },
      paid: this.sumBelow(count) - open,
    }
  }

  private sumBelow(count: number): bigint {
    return this.sums[count] ?? 0n
  }

  /** To be stored with the batch, in one commit. */
  static writesOf({ number, headerHash }: Head, made: readonly Claim[]): Write[] {
    return made.length === 0 ? [] : [claims.put(keyOf(number, headerHash), made)]
  }

  /** Reads those of the batches that are on the ledger. */
  async load(isOnLedger: (head: Head) => boolean): Promise<void> {
    for await (const [key, made] of this.store.range(claims)) {
      const head = headOf(key)
      if (isOnLedger(head)) this.append(head, made)
    }
  }

  /** Of a batch that is on the ledger again. @param withdrawals that the ledger counts now */
  async restore(head: Head, withdrawals: number): Promise<void> {
    if (withdrawals > this.count) this.append(head, await readClaims(this.store, head))
    this.expectCount(withdrawals)
  }

  append(from: Owed['from'], made: readonly Claim[]): void {
    for (const claim of made) {
      if (claim.number !== this.count) throw new DamagedError(`the record of claim ${this.count} is missing`)
      this.owed.push({ claim, from })
      this.sums.push(this.sumBelow(this.count - 1) + claim.amount)
    }
  }

  /** Keeps those that the ledger counts. */
  truncate(withdrawals: number): void {
    this.owed.length = Math.min(this.count, withdrawals)
    this.sums.length = this.count + 1
  }

  /** @throws DamagedError unless there are as many as the ledger counts */
  expectCount(withdrawals: number): void {
    if (this.count !== withdrawals)
      throw new DamagedError(`the records hold ${this.count} claims where the ledger counts ${withdrawals}`)
  }

  /** Those that are owed and not paid: of final batches, and of steps of the exit, when k blocks have passed since. */
  payable(parts: PayableParts): PayableClaim[] {
    return this.due(parts).map(({ claim }) => claim)
  }

  /** The height from which the oldest of those could be paid. */
  payableSince(parts: PayableParts): number | undefined {
    const heights = this.due(parts).map(({ since }) => since)
    return heights.length === 0 ? undefined : Math.min(...heights)
  }

  private due({ params, chain, links, facts }: PayableParts): { claim: PayableClaim; since: number }[] {
    return unpaidBelow(chain.vault.paid, this.count).flatMap((number) => {
      const { claim, from } = this.owed[number] as Owed
      const isStep = 'hash' in from
      const final = isStep ? finalStep(facts, from) : finalBatch(links, from)
      if (final === undefined || payableAt(params, final) > chain.height) return []
      const batch = isStep ? chain.final.number : from.number
      return [{ claim: { ...claim, batch }, since: payableAt(params, final) }]
    })
  }
}

/** Since when nothing can change it any more. */
function finalStep(facts: L1Facts, { height, hash }: { height: number; hash: Uint8Array }): number | undefined {
  return isSame(facts.blockHash(height), hash) ? height : undefined
}

function finalBatch(links: LinkIndex, { number, headerHash }: Head): number | undefined {
  return links.isLive(number, headerHash) ? links.get(number)?.finalAt : undefined
}

function isSame(a: Uint8Array | undefined, b: Uint8Array): boolean {
  return a !== undefined && equalBytes(a, b)
}

/** What the withdrawals of a batch claim. */
export async function readClaims(store: Store, { number, headerHash }: Head): Promise<readonly Claim[]> {
  return (await store.get(claims, keyOf(number, headerHash))) ?? []
}

function keyOf(number: number, headerHash: Uint8Array): Uint8Array {
  const key = new Uint8Array(36)
  new DataView(key.buffer).setUint32(0, number)
  key.set(headerHash, 4)
  return key
}

function headOf(key: Uint8Array): Head {
  return { number: new DataView(key.buffer, key.byteOffset).getUint32(0), headerHash: key.slice(4) }
}
