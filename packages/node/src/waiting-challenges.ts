import {
  printHash,
  type Rpc,
  readMempool,
  readMempoolEntry,
  readTransaction,
  readWaitingTransaction,
} from '@kedge/bitcoin'
import { encodeMessage, type Params, readChallenge, toHex } from '@kedge/core'

/**
 * Between two looks at the mempool, and transactions that are read at one, while the node waits: as many as come in that
 * time on a busy day. What waited before is read as there is time left.
 */
const LOOK_MS = 2_000
const READ_AT_ONCE = 40

/** Challenges in bitcoind's mempool that pay what the rules ask for, whoever sent them. */
export class WaitingChallenges {
  private readonly rpc: Rpc
  private readonly params: Params
  /** Of each transaction that was read and still waits: what challenge it raises, as hex, or undefined. */
  private readonly read = new Map<string, { readonly txid: Uint8Array; readonly payload: string | undefined }>()
  /** As of the last look. */
  private seen: ReadonlySet<string> = new Set()
  private lookedAt = Number.NEGATIVE_INFINITY

  constructor(rpc: Rpc, params: Params) {
    this.rpc = rpc
    this.params = params
  }

  /** Satoshis for a virtual byte that the best of those with this payload pays; undefined where none is known to wait. */
  async rateOf(payload: Uint8Array): Promise<number | undefined> {
    await this.look()
    const same = [...this.read.values()].filter((one) => one.payload === toHex(payload))
    const entries = await Promise.all(same.map(({ txid }) => readMempoolEntry(this.rpc, txid)))
    const rates = entries.flatMap((entry) => (entry === undefined ? [] : [Number(entry.fee) / entry.vsize]))
    return rates.length === 0 ? undefined : Math.max(...rates)
  }

  private async look(): Promise<void> {
    if (performance.now() - this.lookedAt < LOOK_MS) return
    const txids = await readMempool(this.rpc)
    const waiting = new Set(txids.map(printHash))
    for (const name of this.read.keys()) if (!waiting.has(name)) this.read.delete(name)
    const unread = txids.filter((txid) => !this.read.has(printHash(txid)))
    const isNew = (txid: Uint8Array) => !this.seen.has(printHash(txid))
    const newFirst = [...unread.filter(isNew), ...unread.filter((txid) => !isNew(txid))]
    this.seen = waiting
    for (const txid of newFirst.slice(0, READ_AT_ONCE)) {
      const raw = await readWaitingTransaction(this.rpc, txid)
      this.read.set(printHash(txid), { txid, payload: raw && this.challengeIn(raw) })
    }
    this.lookedAt = performance.now()
  }

  private challengeIn(raw: Uint8Array): string | undefined {
    const challenge = readChallenge(this.params, readTransaction(raw))
    return challenge && toHex(encodeMessage(challenge))
  }
}
