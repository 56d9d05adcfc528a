import { type Rpc, readRawBlock } from '@kedge/bitcoin'
import {
  BLOCK_HEADER_BYTES,
  concatBytes,
  equalBytes,
  hashTwice,
  type Inclusion,
  proveInclusion,
  Reader,
  readCompactSize,
  readSized,
  toHex,
} from '@kedge/core'
import { Recent } from './recent.ts'

export interface BlockInclusion extends Inclusion {
  /** 80 bytes. */
  readonly blockHeader: Uint8Array
}

export type FoundInclusion =
  | { readonly ok: true; readonly inclusion: BlockInclusion }
  /** `busy`: as many blocks are being read as may be; `elsewhere`: the transaction is not in the block. */
  | { readonly ok: false; readonly reason: 'busy' | 'elsewhere' }

/** Bytes of inclusions that are kept, some 2 kB each: wallets ask again and again for what was anchored last. */
const KEPT_BYTES = 4 * 2 ** 20

/** Blocks read at once: a full one passes through as 8 MB of hex and 4 MB of bytes. */
const READS_AT_ONCE = 3

/** Inclusions of transactions, from the backend's blocks. */
export class Inclusions {
  private readonly rpc: Rpc
  private readonly recent = new Recent<Promise<BlockInclusion | undefined>>(KEPT_BYTES)
  private reads = 0

  constructor(rpc: Rpc) {
    this.rpc = rpc
  }

  /** @throws RpcError when the backend lacks the block (or has pruned it), RpcUnreachableError. */
  async find(blockHash: Uint8Array, txid: Uint8Array): Promise<FoundInclusion> {
    const name = toHex(blockHash) + toHex(txid)
    let found = this.recent.get(name)
    if (found === undefined) {
      if (this.reads >= READS_AT_ONCE) return { ok: false, reason: 'busy' }
      found = this.read(blockHash, txid)
      this.recent.put(name, found, 0)
    }
    try {
      const inclusion = await found
      if (inclusion === undefined) return { ok: false, reason: 'elsewhere' }
      this.recent.put(name, found, weightOf(inclusion))
      return { ok: true, inclusion }
    } catch (error) {
      this.recent.drop(name)
      throw error
    }
  }

  private async read(blockHash: Uint8Array, txid: Uint8Array): Promise<BlockInclusion | undefined> {
    this.reads++
    try {
      const raw = await readRawBlock(this.rpc, blockHash)
      if (!equalBytes(hashTwice(raw.subarray(0, BLOCK_HEADER_BYTES)), blockHash)) {
        throw new ForeignBlockError(`bitcoind gave another block than ${toHex(blockHash)}`)
      }
      return findInBlock(raw, txid)
    } finally {
      this.reads--
    }
  }
}

function weightOf({ transaction, coinbase, helpers }: BlockInclusion): number {
  return 256 + transaction.length + coinbase.length + 32 * helpers.length
}

/**
 * What one transaction of a raw block is proven with; undefined when it is not in it. The coinbase's own is of no use.
 * @throws ForeignBlockError when the bytes are no block, or its transactions are not those of its header.
 */
export function findInBlock(raw: Uint8Array, txid: Uint8Array): BlockInclusion | undefined {
  const transactions = readStripped(raw)
  const txids = transactions.map(hashTwice)
  const index = txids.findIndex((each) => equalBytes(each, txid))
  const [coinbase] = transactions
  const transaction = transactions[index]
  if (coinbase === undefined || transaction === undefined) return undefined
  const { root, helpers } = proveInclusion(txids, index)
  const blockHeader = raw.slice(0, BLOCK_HEADER_BYTES)
  if (!equalBytes(root, blockHeader.subarray(36, 68))) {
    throw new ForeignBlockError('the transactions of a block are not those of its header')
  }
  return { transaction, index, coinbase, helpers, blockHeader }
}

/** All transactions of a raw block without their witnesses: their txids are the hashes of these bytes. */
function readStripped(raw: Uint8Array): Uint8Array[] {
  const reader = new Reader(raw)
  reader.fixed(BLOCK_HEADER_BYTES)
  const count = readCompactSize(reader)
  const transactions: Uint8Array[] = []
  for (let at = 0; at < count && !reader.failed; at++) transactions.push(readTransaction(reader))
  if (!reader.done) throw new ForeignBlockError(`${raw.length} bytes are not one whole block`)
  return transactions
}

/** Version, a marker and flags where there are witnesses, inputs, outputs, witnesses, lock time (BIP144). */
function readTransaction(reader: Reader): Uint8Array {
  const { bytes } = reader
  const at = () => bytes.length - reader.left
  const start = at()
  reader.fixed(4)
  const hasWitness = bytes[at()] === 0
  if (hasWitness) reader.fixed(2)
  const bodyStart = at()
  const inputs = readCompactSize(reader)
  for (let input = 0; input < inputs && !reader.failed; input++) {
    reader.fixed(36)
    readSized(reader)
    reader.fixed(4)
  }
  const outputs = readCompactSize(reader)
  for (let output = 0; output < outputs && !reader.failed; output++) {
    reader.fixed(8)
    readSized(reader)
  }
  const body = bytes.subarray(bodyStart, at())
  for (let input = 0; hasWitness && input < inputs && !reader.failed; input++) {
    const items = readCompactSize(reader)
    for (let item = 0; item < items && !reader.failed; item++) readSized(reader)
  }
  return concatBytes(bytes.subarray(start, start + 4), body, reader.fixed(4))
}

/** What the backend gave is not the block that it was asked for. */
export class ForeignBlockError extends Error {
  override readonly name = 'ForeignBlockError'
}
