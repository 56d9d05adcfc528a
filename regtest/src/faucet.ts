import {
  applyUnconfirmed,
  buildPayment,
  type Coin,
  type Coins,
  coinKey,
  NO_COINS,
  printOutpoint,
  type Rpc,
  readBlock,
  readBlockHash,
  readRawBlock,
  readTip,
  readTransaction,
  scanBlock,
  sendTransaction,
  spendableCoins,
} from '@kedge/bitcoin'
import { equalBytes, type L1Output, type L1Transaction, type Outpoint } from '@kedge/core'

interface Scanned {
  readonly hash: Uint8Array
  readonly coins: Coins
}

/** sat/vB: above what any policy asks for, so that a payment is mined in the next block. */
const FEE_RATE = 2

/** Satoshis of each coin of the float, and their number: that many payments fit between two blocks. */
const FLOAT_VALUE = 1_00_000_000n
const FLOAT_COINS = 300

/** Pays out what the harness has mined, without a wallet in bitcoind. Its coins follow from the chain at each call. */
export class Faucet {
  readonly key = coinKey(new Uint8Array(32).fill(0x6b))
  private readonly rpc: Rpc
  /** By height, as far as the best chain was read. */
  private readonly scanned: Scanned[] = []
  /** Everything ever sent: what a reorganisation takes out of the chain spends its coins all the same. */
  private readonly sent: L1Transaction[] = []

  constructor(rpc: Rpc) {
    this.rpc = rpc
  }

  /** @returns the output, in the mempool */
  async pay(script: Uint8Array, value: bigint): Promise<Outpoint> {
    const coins = spendableCoins(await this.readCoins(), this.scanned.length - 1)
    const txid = await this.send([{ script, value }], smallestFirst(coins, value))
    return { txid, vout: 0 }
  }

  /** Splits coinbases, so that payments need not wait for each other's change. */
  async splitFloat(): Promise<void> {
    const coins = spendableCoins(await this.readCoins(), this.scanned.length - 1)
    const output = { script: this.key.script, value: FLOAT_VALUE }
    await this.send(Array<L1Output>(FLOAT_COINS).fill(output), coins)
  }

  private async send(outputs: readonly L1Output[], coins: readonly Coin[]): Promise<Uint8Array> {
    const built = buildPayment(outputs, { key: this.key, coins, feeRate: FEE_RATE })
    const sent = await sendTransaction(this.rpc, built.raw, 0n)
    if (!sent.ok) throw new Error(`the faucet's payment was refused: ${sent.detail}`)
    this.sent.push(readTransaction(built.raw))
    return built.txid
  }

  private async readCoins(): Promise<Coins> {
    await this.dropForked()
    const tip = await readTip(this.rpc)
    while (this.scanned.length <= tip.height) await this.scanNext()
    return this.sent.reduce((coins, transaction) => {
      const waiting = transaction.inputs.every(({ previous }) => coins.has(printOutpoint(previous)))
      return waiting ? applyUnconfirmed(coins, transaction, this.key.script) : coins
    }, this.scanned.at(-1)?.coins ?? NO_COINS)
  }

  private async dropForked(): Promise<void> {
    for (let last = this.scanned.at(-1); last !== undefined; last = this.scanned.at(-1)) {
      const hash = await readBlockHash(this.rpc, this.scanned.length - 1)
      if (hash !== undefined && equalBytes(hash, last.hash)) return
      this.scanned.pop()
    }
  }

  private async scanNext(): Promise<void> {
    const height = this.scanned.length
    const hash = await readBlockHash(this.rpc, height)
    if (hash === undefined) throw new Error(`block ${height} went away while it was read`)
    const block = readBlock(await readRawBlock(this.rpc, hash), height)
    this.scanned.push({ hash, coins: scanBlock(this.scanned.at(-1)?.coins ?? NO_COINS, block, this.key.script) })
  }
}

/** The smallest confirmed coin that pays by itself goes first, so that large ones stay for large payments. */
function smallestFirst(coins: readonly Coin[], value: bigint): Coin[] {
  const enough = coins.filter((coin) => coin.height !== undefined && coin.value >= value + 10_000n).reverse()
  return [...enough, ...coins.filter((coin) => !enough.includes(coin))]
}
