import { toHex } from '../src/bytes.ts'
import { type L1Transaction, outpointKey } from '../src/l1.ts'
import type { Bitcoin } from './bitcoin.ts'

/**
 * What Bitcoin in memory does not ask for by itself: each output is spent once, and only while it is there. Outputs of
 * no transaction that was ever seen are coins from elsewhere.
 */
export class Mempool {
  private readonly bitcoin: Bitcoin
  private readonly seen = new Set<string>()

  constructor(bitcoin: Bitcoin) {
    this.bitcoin = bitcoin
  }

  /** Those of the transactions that the next block can hold, in order: what conflicts with an earlier one is left out. */
  select(transactions: readonly L1Transaction[]): L1Transaction[] {
    const mined = this.bitcoin.blocks.flatMap((block) => block.transactions)
    const there = new Set(mined.map(({ txid }) => toHex(txid)))
    const spent = new Set(mined.flatMap(({ inputs }) => inputs.map(({ previous }) => outpointKey(previous))))
    for (const { txid } of [...mined, ...transactions]) this.seen.add(toHex(txid))
    return transactions.filter(({ txid, inputs }) => {
      const isFree = inputs.every(({ previous }) => {
        const from = toHex(previous.txid)
        return !spent.has(outpointKey(previous)) && (there.has(from) || !this.seen.has(from))
      })
      if (!isFree || there.has(toHex(txid))) return false
      there.add(toHex(txid))
      for (const { previous } of inputs) spent.add(outpointKey(previous))
      return true
    })
  }
}
