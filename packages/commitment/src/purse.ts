import { type Coin, type CoinKey, type Coins, coinKey, printOutpoint, spendableCoins } from '@kedge/bitcoin'
import type { SignedRecord } from '@kedge/storage'
import { spentBy } from './signed.ts'

/**
 * The node's own coins, which pay for what it puts on Bitcoin. It remembers nothing: what is confirmed follows from
 * the blocks, what is held back from the transactions that its users have stored.
 */
export class Purse {
  readonly key: CoinKey
  private confirmed: readonly Coin[] = []
  private readonly held = new Map<string, ReadonlySet<string>>()

  /** @param secret of the key that owns the coins */
  constructor(secret: Uint8Array) {
    this.key = coinKey(secret)
  }

  /** After each block, forward or back: the coins that the blocks up to `tip` leave to `key.script`. */
  setConfirmed(coins: Coins, tip: number): void {
    this.confirmed = spendableCoins(coins, tip)
  }

  /**
   * Holds back what these transactions spend, in place of what `user` had held back before. A user calls it before
   * it lets anybody else run, so that no coin is spent by two.
   */
  hold(user: string, pending: readonly SignedRecord[]): void {
    this.held.set(user, spentBy(...pending))
  }

  /**
   * Confirmed coins for a new transaction, in the order to take them: those that `instead` spends, so that it is
   * replaced and not joined; then the smallest that is `enough` by itself, which leaves large ones to large needs.
   * @param instead transactions of the same user that the new one stands in for
   */
  spendable(instead: readonly SignedRecord[], enough: bigint): Coin[] {
    const own = spentBy(...instead)
    const again = this.confirmed.filter((coin) => own.has(nameOf(coin)))
    const others = this.free().filter((coin) => !own.has(nameOf(coin)))
    const fitting = others.findLast(({ value }) => value >= enough)
    return [...again, ...(fitting === undefined ? [] : [fitting]), ...others.filter((coin) => coin !== fitting)]
  }

  /** Satoshis that nobody has laid a hand on. */
  get balance(): bigint {
    return this.free().reduce((total, { value }) => total + value, 0n)
  }

  /** The largest first. */
  private free(): Coin[] {
    const held = [...this.held.values()]
    return this.confirmed.filter((coin) => !held.some((outpoints) => outpoints.has(nameOf(coin))))
  }
}

function nameOf({ outpoint }: Coin): string {
  return printOutpoint(outpoint)
}
