import { buildPayment, type Coin, coinKey, sendTransaction } from '@kedge/bitcoin'
import type { Bitcoind } from './bitcoind.ts'

/** Weight units of a block that a market can fill: with what miners keep for themselves, room for 15,000 vB. */
export const MARKET_BLOCK_WEIGHT = 68_000

/**
 * Bids for one block, which are more than it has room for: large ones of so many outputs of 43 vB each, and small ones on
 * some of their outputs, of 154 vB each, so that nothing else fits into the gaps.
 */
const LARGE = 5
const OUTPUTS = 60
const SMALL = 7

/** Satoshis: of each output of a large bid, and of each coin that pays for one. */
const OUTPUT_VALUE = 40_000n
const COIN_VALUE = 3_000_000n

/** Coins of one transaction that splits a larger one: it must fit a block of the market. */
const SPLIT = 150

/**
 * Others who pay so much for a place in a block that nothing cheaper gets one. Their transactions are real, and bitcoind
 * chooses among all that wait as a miner does; its blocks have to be small (`MARKET_BLOCK_WEIGHT`).
 */
export class FeeMarket {
  private readonly bitcoind: Bitcoind
  private readonly key = coinKey(new Uint8Array(32).fill(0x6d))
  private readonly coins: Coin[] = []

  constructor(bitcoind: Bitcoind) {
    this.bitcoind = bitcoind
  }

  /** Money for bids in so many blocks. Mines two. */
  async open(blocks: number): Promise<void> {
    const { key, bitcoind } = this
    const value = BigInt(SPLIT) * COIN_VALUE + 100_000n
    for (let left = blocks * LARGE; left > 0; left -= SPLIT) {
      const coin = { outpoint: await bitcoind.fund(key.script, value), value, height: undefined, coinbase: false }
      const outputs = Array.from({ length: SPLIT }, () => ({ script: key.script, value: COIN_VALUE }))
      const txid = await this.send(buildPayment(outputs, { key, coins: [coin], feeRate: 2 }))
      for (let vout = 0; vout < SPLIT; vout++)
        this.coins.push({ outpoint: { txid, vout }, value: COIN_VALUE, height: undefined, coinbase: false })
      await bitcoind.mine(1)
    }
    await bitcoind.mine(1)
  }

  /** Fills the next block at this rate, in sat/vB, and a little of the one behind it. */
  async bid(feeRate: number): Promise<void> {
    const { key } = this
    for (const coin of this.coins.splice(0, LARGE)) {
      const outputs = Array.from({ length: OUTPUTS }, () => ({ script: key.script, value: OUTPUT_VALUE }))
      const txid = await this.send(buildPayment(outputs, { key, coins: [coin], feeRate }))
      for (let vout = 0; vout < SMALL; vout++) {
        const small = { outpoint: { txid, vout }, value: OUTPUT_VALUE, height: undefined, coinbase: false }
        await this.send(buildPayment([{ script: key.script, value: 600n }], { key, coins: [small], feeRate }))
      }
    }
  }

  private async send({ raw, txid }: { readonly raw: Uint8Array; readonly txid: Uint8Array }): Promise<Uint8Array> {
    const sent = await sendTransaction(this.bitcoind.rpc, raw, 0n)
    if (!sent.ok) throw new Error(`a bid was refused: ${sent.detail}`)
    return txid
  }
}

/** Rates that rise tenfold over so many blocks, by equal factors, and stay up. */
export function risingRate(from: number, block: number, over: number): number {
  return from * 10 ** (Math.min(block, over) / over)
}
