import { callRpc, printHash, type Rpc, readBlockHash, type Tip } from '@kedge/bitcoin'
import { equalBytes } from '@kedge/core'

interface ReadBlock {
  readonly height: number
  readonly hash: Uint8Array
  /** Of those watched when it was read; printed. */
  readonly found: ReadonlySet<string>
}

/** Which of the node's own transactions stand in the best chain, and where: read from it, so a restart knows it too. */
export class MinedTransactions {
  private readonly rpc: Rpc
  private blocks: ReadBlock[] = []

  constructor(rpc: Rpc) {
    this.rpc = rpc
  }

  /**
   * Reads on to `tip`, back to the fork first. A transaction must be watched before any block can hold it.
   * @param from the first height to read when nothing was read yet
   * @returns whether bitcoind has `tip` in its best chain; if not, what it has was read
   */
  async follow(tip: Tip, from: number, watched: readonly Uint8Array[]): Promise<boolean> {
    const names = new Set(watched.map(printHash))
    await this.dropForked(tip.height)
    for (let height = (this.blocks.at(-1)?.height ?? from - 1) + 1; height <= tip.height; height++) {
      const hash = await readBlockHash(this.rpc, height)
      if (hash === undefined) return false
      const txids = await this.readTxids(hash)
      this.blocks.push({ height, hash, found: new Set(txids.filter((txid) => names.has(txid))) })
    }
    const last = this.blocks.at(-1)
    return last !== undefined && equalBytes(last.hash, tip.hash)
  }

  heightOf(txid: Uint8Array): number | undefined {
    const name = printHash(txid)
    return this.blocks.find(({ found }) => found.has(name))?.height
  }

  clear(): void {
    this.blocks = []
  }

  private async dropForked(tip: number): Promise<void> {
    for (let last = this.blocks.at(-1); last !== undefined; last = this.blocks.at(-1)) {
      const hash = last.height <= tip ? await readBlockHash(this.rpc, last.height) : undefined
      if (hash !== undefined && equalBytes(hash, last.hash)) return
      this.blocks.pop()
    }
  }

  private async readTxids(hash: Uint8Array): Promise<string[]> {
    const block = await callRpc(this.rpc, 'getblock', [printHash(hash), 1])
    const list = typeof block === 'object' && block !== null && 'tx' in block ? block.tx : undefined
    if (!Array.isArray(list)) throw new TypeError('getblock: tx is not a list')
    return list.filter((txid) => typeof txid === 'string')
  }
}
