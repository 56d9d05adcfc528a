import { type Rpc, readRawBlock } from '@kedge/bitcoin'
import { concatBytes, equalBytes, Reader, sha256, toHex } from '@kedge/core'
import { Recent } from './recent.ts'

/** That a transaction stands in a Bitcoin block. Paths lead from a txid up to the header's merkle root. */
export interface Inclusion {
  /** Without witnesses. */
  readonly rawTx: Uint8Array
  readonly path: readonly Uint8Array[]
  readonly txIndex: number
  /** 80 bytes. */
  readonly blockHeader: Uint8Array
  /** Its path has the same length: so the tree's depth shows, and no inner node can pose as a transaction. */
  readonly coinbase: { readonly rawTx: Uint8Array; readonly path: readonly Uint8Array[] }
}

export type FoundInclusion =
  | { readonly ok: true; readonly inclusion: Inclusion }
  /** `busy`: as many blocks are being read as may be; `elsewhere`: the transaction is not in the block. */
  | { readonly ok: false; readonly reason: 'busy' | 'elsewhere' }

/** Bytes of inclusions that are kept, some 2 kB each: wallets ask again and again for what was anchored last. */
const KEPT_BYTES = 4 * 2 ** 20

/** Blocks read at once: a full one passes through as 8 MB of hex and 4 MB of bytes. */
const READS_AT_ONCE = 3

/** Inclusions of transactions, from the backend's blocks. */
export class Inclusions {
  private readonly rpc: Rpc
  private readonly recent = new Recent<Promise<Inclusion | undefined>>(KEPT_BYTES)
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

  private async read(blockHash: Uint8Array, txid: Uint8Array): Promise<Inclusion | undefined> {
    this.reads++
    try {
      const raw = await readRawBlock(this.rpc, blockHash)
      if (!equalBytes(hashTwice(raw.subarray(0, HEADER_BYTES)), blockHash)) {
        throw new ForeignBlockError(`bitcoind gave another block than ${toHex(blockHash)}`)
      }
      return proveInclusion(raw, txid)
    } finally {
      this.reads--
    }
  }
}

function weightOf({ rawTx, path, coinbase }: Inclusion): number {
  return 256 + rawTx.length + coinbase.rawTx.length + 64 * path.length
}

const HEADER_BYTES = 80

/**
 * The proof for one transaction of a raw block; undefined when it is not in it.
 * @throws ForeignBlockError when the bytes are no block, or its transactions are not those of its header.
 */
export function proveInclusion(raw: Uint8Array, txid: Uint8Array): Inclusion | undefined {
  const transactions = readStripped(raw)
  const txids = transactions.map(hashTwice)
  const txIndex = txids.findIndex((each) => equalBytes(each, txid))
  const [coinbase] = transactions
  const rawTx = transactions[txIndex]
  if (coinbase === undefined || rawTx === undefined) return undefined
  const { root, path, firstPath } = provePaths(txids, txIndex)
  const blockHeader = raw.slice(0, HEADER_BYTES)
  if (!equalBytes(root, blockHeader.subarray(36, 68))) {
    throw new ForeignBlockError('the transactions of a block are not those of its header')
  }
  return { rawTx, path, txIndex, blockHeader, coinbase: { rawTx: coinbase, path: firstPath } }
}

/** Siblings of a leaf and of leaf 0. A level of odd length repeats its last hash. */
function provePaths(txids: readonly Uint8Array[], index: number) {
  const path: Uint8Array[] = []
  const firstPath: Uint8Array[] = []
  let [level, at] = [txids, index]
  while (level.length > 1) {
    const nodeAt = (place: number) => level[Math.min(place, level.length - 1)] as Uint8Array
    path.push(nodeAt(at ^ 1))
    firstPath.push(nodeAt(1))
    const pairs = Math.ceil(level.length / 2)
    level = Array.from({ length: pairs }, (_, pair) => hashTwice(concatBytes(nodeAt(2 * pair), nodeAt(2 * pair + 1))))
    at >>= 1
  }
  return { root: level[0] as Uint8Array, path, firstPath }
}

/** All transactions of a raw block without their witnesses: their txids are the hashes of these bytes. */
function readStripped(raw: Uint8Array): Uint8Array[] {
  const reader = new Reader(raw)
  reader.fixed(HEADER_BYTES)
  const count = readSize(reader)
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
  const inputs = readSize(reader)
  for (let input = 0; input < inputs && !reader.failed; input++) {
    reader.fixed(36)
    skipSized(reader)
    reader.fixed(4)
  }
  const outputs = readSize(reader)
  for (let output = 0; output < outputs && !reader.failed; output++) {
    reader.fixed(8)
    skipSized(reader)
  }
  const body = bytes.subarray(bodyStart, at())
  for (let input = 0; hasWitness && input < inputs && !reader.failed; input++) {
    const items = readSize(reader)
    for (let item = 0; item < items && !reader.failed; item++) skipSized(reader)
  }
  return concatBytes(bytes.subarray(start, start + 4), body, reader.fixed(4))
}

function skipSized(reader: Reader): void {
  const size = readSize(reader)
  // A size beyond the end would be allocated before it fails.
  if (size > reader.left) reader.failed = true
  else reader.fixed(size)
}

/** Bitcoin's CompactSize; what is beyond 2^32 is no size of anything in a block. */
function readSize(reader: Reader): number {
  const first = reader.u8()
  if (first < 0xfd) return first
  if (first === 0xfd) return reader.u16()
  const size = reader.u32()
  if (first === 0xff && reader.u32() !== 0) reader.failed = true
  return size
}

function hashTwice(bytes: Uint8Array): Uint8Array {
  return sha256(sha256(bytes))
}

/** What the backend gave is not the block that it was asked for. */
export class ForeignBlockError extends Error {
  override readonly name = 'ForeignBlockError'
}
