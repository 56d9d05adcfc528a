import { type Rpc, RpcError, RpcUnreachableError, readTip } from '@kedge/bitcoin'

/** For so long an answer, or that there was none, serves everybody who asks. */
const KEPT_MS = 250

/** A request for a node's health must not wait long for a bitcoind that hangs. */
const TIMEOUT_MS = 2000

/** Bitcoin's height as the backend tells it, asked for at most four times a second. */
export class BitcoinTip {
  private readonly rpc: Rpc
  private asked: Promise<number | undefined> | undefined
  private at = 0

  constructor(rpc: Rpc) {
    this.rpc = { ...rpc, timeoutMs: Math.min(rpc.timeoutMs, TIMEOUT_MS) }
  }

  /** Undefined while the backend doesn't answer. */
  height(): Promise<number | undefined> {
    if (this.asked === undefined || performance.now() - this.at > KEPT_MS) {
      this.at = performance.now()
      this.asked = this.ask()
    }
    return this.asked
  }

  private async ask(): Promise<number | undefined> {
    try {
      return (await readTip(this.rpc)).height
    } catch (error) {
      if (error instanceof RpcUnreachableError || error instanceof RpcError) return undefined
      throw error
    }
  }
}
