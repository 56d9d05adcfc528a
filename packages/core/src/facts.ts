import { toHex } from './bytes.ts'
import { type Deposit, type DepositSum, outpointOf, type SweptDeposit } from './deposit.ts'
import type { Facts } from './duty.ts'
import type { ForcedEntry } from './forced.ts'
import { comparePositions, type Outpoint, outpointKey, type Position } from './l1.ts'

/** What a block says that batches must heed. */
export interface BlockFacts {
  /** Made in it. */
  readonly deposits: readonly Deposit[]
  /** Swept by it. */
  readonly swept: readonly SweptDeposit[]
  /** Spent by it otherwise: taken back, as a rule. */
  readonly refunded: readonly Deposit[]
  /** Forced in it. */
  readonly forced: readonly ForcedEntry[]
  /** Final at its end. */
  readonly final: readonly FinalBatch[]
}

export interface FinalBatch {
  readonly number: number
  readonly headerHash: Uint8Array
}

/** Bitcoin's best chain as far as batches must heed it, in memory: append at the tip, truncate on a reorg. */
export class L1Facts implements Facts {
  private readonly from: number
  private readonly blocks: (BlockFacts & { readonly hash: Uint8Array })[] = []
  private readonly made: Deposit[] = []
  private readonly swept: SweptDeposit[] = []
  private readonly forced: ForcedEntry[] = []
  private readonly unspent = new Map<string, Deposit>()
  private readonly sweeps = new Map<string, Position>()
  private readonly finals = new Map<string, number>()
  /** Satoshis of the first n swept deposits, at n. */
  private readonly sweptSums: bigint[] = [0n]
  private unspentSum = 0n

  constructor(scanHeight: number) {
    this.from = scanHeight
  }

  append(height: number, hash: Uint8Array, { deposits, swept, refunded, forced, final }: BlockFacts): void {
    if (height !== this.from + this.blocks.length) throw new Error(`block ${height} does not follow ${this.tip}`)
    this.blocks.push({ hash, deposits, swept, refunded, forced, final })
    for (const deposit of deposits) this.addUnspent(deposit)
    for (const deposit of [...swept.map((one) => one.deposit), ...refunded]) this.dropUnspent(deposit)
    for (const { deposit } of swept) this.sweptSums.push((this.sweptSums.at(-1) ?? 0n) + deposit.value)
    for (const { deposit, position } of swept) this.sweeps.set(outpointKey(outpointOf(deposit)), position)
    for (const { headerHash, number } of final) this.finals.set(toHex(headerHash), number)
    this.made.push(...deposits)
    this.swept.push(...swept)
    this.forced.push(...forced)
  }

  /** Forgets all blocks above `height`. */
  truncate(height: number): void {
    const dropped = this.blocks.splice(Math.max(0, height - this.from + 1)).reverse()
    for (const { deposits, swept, refunded, forced, final } of dropped) {
      for (const deposit of [...swept.map((one) => one.deposit), ...refunded]) this.addUnspent(deposit)
      for (const deposit of deposits) this.dropUnspent(deposit)
      for (const { deposit } of swept) this.sweeps.delete(outpointKey(outpointOf(deposit)))
      for (const { headerHash } of final) this.finals.delete(toHex(headerHash))
      this.made.length -= deposits.length
      this.swept.length -= swept.length
      this.sweptSums.length -= swept.length
      this.forced.length -= forced.length
    }
  }

  get tip(): number {
    return this.from + this.blocks.length - 1
  }

  blockHash(height: number): Uint8Array | undefined {
    return this.blocks[height - this.from]?.hash
  }

  depositAt(outpoint: Outpoint): Deposit | undefined {
    return this.unspent.get(outpointKey(outpoint))
  }

  finalNumber(headerHash: Uint8Array): number | undefined {
    return this.finals.get(toHex(headerHash))
  }

  private addUnspent(deposit: Deposit): void {
    this.unspent.set(outpointKey(outpointOf(deposit)), deposit)
    this.unspentSum += deposit.value
  }

  private dropUnspent(deposit: Deposit): void {
    if (this.unspent.delete(outpointKey(outpointOf(deposit)))) this.unspentSum -= deposit.value
  }

  /** Satoshis of those deposits. */
  get unspentValue(): bigint {
    return this.unspentSum
  }

  /** All deposits whose outputs nothing has spent, in Bitcoin's order. */
  unspentDeposits(): readonly Deposit[] {
    return [...this.unspent.values()].sort((a, b) => comparePositions(a.position, b.position))
  }

  /** All deposits that were spent otherwise than by a sweep. */
  refundedDeposits(): readonly Deposit[] {
    return this.blocks.flatMap(({ refunded }) => refunded)
  }

  /** The first deposit that was made behind a position, whatever became of it. */
  depositAfter(position: Position): Deposit | undefined {
    return this.made[firstBehind(this.made, position)]
  }

  /** All deposits that were made behind a position. */
  depositsAfter(position: Position): readonly Deposit[] {
    return this.made.slice(firstBehind(this.made, position))
  }

  /** Where a deposit was swept. */
  sweepOf(deposit: Deposit): Position | undefined {
    return this.sweeps.get(outpointKey(outpointOf(deposit)))
  }

  sweptAfter(position: Position): SweptDeposit | undefined {
    return this.swept[firstBehind(this.swept, position)]
  }

  forcedAfter(position: Position): ForcedEntry | undefined {
    return this.forced[firstBehind(this.forced, position)]
  }

  /** All forced operations behind a position. */
  allForcedAfter(position: Position): readonly ForcedEntry[] {
    return this.forced.slice(firstBehind(this.forced, position))
  }

  /** All swept deposits behind a position, summed up. */
  sumSweptAfter(position: Position): DepositSum {
    const first = firstBehind(this.swept, position)
    const value = (this.sweptSums.at(-1) ?? 0n) - (this.sweptSums[first] ?? 0n)
    return { count: this.swept.length - first, value }
  }

  /** All swept deposits behind a position, in the order of their sweeps. */
  allSweptAfter(position: Position): readonly SweptDeposit[] {
    return this.swept.slice(firstBehind(this.swept, position))
  }
}

function firstBehind(list: readonly { readonly position: Position }[], position: Position): number {
  let [low, high] = [0, list.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if (comparePositions((list[middle] as { readonly position: Position }).position, position) <= 0) low = middle + 1
    else high = middle
  }
  return low
}
