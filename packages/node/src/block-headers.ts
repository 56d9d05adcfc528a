import { type Rpc, readRawHeaders } from '@kedge/bitcoin'
import { concatBytes, toHex } from '@kedge/core'
import { Recent } from './recent.ts'

/** Kept ones: 80 bytes and a name of 64 characters. Wallets ask for those behind their newest payments. */
const KEPT_BYTES = 2 ** 20
const WEIGHT = 256

/** Requests to the backend at once, each for up to a page of headers. */
const READS_AT_ONCE = 3

/** Bitcoin's block headers, from the backend. */
export class BlockHeaders {
  private readonly rpc: Rpc
  private readonly recent = new Recent<Uint8Array>(KEPT_BYTES)
  private reads = 0

  constructor(rpc: Rpc) {
    this.rpc = rpc
  }

  /**
   * Those of the blocks with these hashes, one after the other; undefined while as many are being read as may be.
   * @throws RpcError when the backend has not heard of one, RpcUnreachableError.
   */
  async read(hashes: readonly Uint8Array[]): Promise<Uint8Array | undefined> {
    const kept = hashes.map((hash) => this.recent.get(toHex(hash)))
    const missing = hashes.filter((_, at) => kept[at] === undefined)
    if (missing.length > 0 && this.reads >= READS_AT_ONCE) return undefined
    const fetched = (missing.length === 0 ? [] : await this.fetch(missing)).values()
    return concatBytes(...kept.map((header) => header ?? (fetched.next().value as Uint8Array)))
  }

  private async fetch(hashes: readonly Uint8Array[]): Promise<Uint8Array[]> {
    this.reads++
    try {
      const headers = await readRawHeaders(this.rpc, hashes)
      for (const [at, hash] of hashes.entries()) this.recent.put(toHex(hash), headers[at] as Uint8Array, WEIGHT)
      return headers
    } finally {
      this.reads--
    }
  }
}
