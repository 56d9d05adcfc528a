import type { Deposit } from './deposit.ts'
import type { Facts } from './duty.ts'
import { comparePositions, type Position } from './l1.ts'

/** Bitcoin's best chain as far as batches must heed it, in memory: append at the tip, truncate on a reorg. */
export class L1Facts implements Facts {
  private readonly from: number
  private readonly hashes: Uint8Array[] = []
  private readonly deposits: Deposit[] = []

  constructor(scanHeight: number) {
    this.from = scanHeight
  }

  append(height: number, hash: Uint8Array, deposits: readonly Deposit[]): void {
    if (height !== this.from + this.hashes.length) throw new Error(`block ${height} does not follow ${this.tip}`)
    this.hashes.push(hash)
    this.deposits.push(...deposits)
  }

  /** Forgets all blocks above `height`. */
  truncate(height: number): void {
    this.hashes.length = Math.max(0, Math.min(this.hashes.length, height - this.from + 1))
    while ((this.deposits.at(-1)?.position.height ?? 0) > height) this.deposits.pop()
  }

  get tip(): number {
    return this.from + this.hashes.length - 1
  }

  blockHash(height: number): Uint8Array | undefined {
    return this.hashes[height - this.from]
  }

  depositAfter(position: Position): Deposit | undefined {
    return this.deposits[this.firstBehind(position)]
  }

  /** All deposits behind a position, in Bitcoin's order. */
  depositsAfter(position: Position): readonly Deposit[] {
    return this.deposits.slice(this.firstBehind(position))
  }

  private firstBehind(position: Position): number {
    let [low, high] = [0, this.deposits.length]
    while (low < high) {
      const middle = (low + high) >> 1
      const deposit = this.deposits[middle] as Deposit
      if (comparePositions(deposit.position, position) <= 0) low = middle + 1
      else high = middle
    }
    return low
  }
}
