import { readTransaction } from '@kedge/bitcoin'
import { concatBytes, equalBytes, isZero, type L1Transaction, sha256 } from '@kedge/core'

/** That a transaction stands in a Bitcoin block, from its bytes, a path, and the block's 80-byte header alone. */

export interface BlockProof {
  readonly rawTx: Uint8Array
  /** From the txid up to the merkle root. */
  readonly path: readonly Uint8Array[]
  readonly txIndex: number
  readonly blockHeader: Uint8Array
  readonly coinbase: { readonly rawTx: Uint8Array; readonly path: readonly Uint8Array[] }
}

export type Included =
  | { readonly ok: true; readonly transaction: L1Transaction; readonly blockHash: Uint8Array }
  | { readonly ok: false; readonly reason: string }

/**
 * A node of the merkle tree is 64 bytes long and so may a transaction be: one that is crafted to look like a node
 * would carry others that no block holds. So 64 bytes are refused, and the coinbase's path of the same length shows how
 * deep the tree is (CVE-2017-12842).
 */
export function verifyInclusion(proof: BlockProof): Included {
  const { blockHeader, coinbase, path, txIndex } = proof
  if (blockHeader.length !== 80) return { ok: false, reason: 'a block header has 80 bytes' }
  if (coinbase.path.length !== path.length) return { ok: false, reason: 'the coinbase stands at another depth' }
  if (txIndex < 1 || txIndex >= 2 ** path.length) return { ok: false, reason: 'no place in the tree has this index' }
  const transaction = parseStripped(proof.rawTx)
  const first = parseStripped(coinbase.rawTx)
  if (transaction === undefined || first === undefined) return { ok: false, reason: 'the bytes are no transaction' }
  if (!isCoinbase(first)) return { ok: false, reason: 'the block’s first transaction is no coinbase' }
  const root = blockHeader.subarray(36, 68)
  if (!equalBytes(rootOf(first.txid, coinbase.path, 0), root))
    return { ok: false, reason: 'the coinbase is not in the block' }
  if (!equalBytes(rootOf(transaction.txid, path, txIndex), root))
    return { ok: false, reason: 'the transaction is not in the block' }
  const blockHash = doubleSha256(blockHeader)
  if (!meetsItsTarget(blockHeader, blockHash)) return { ok: false, reason: 'the block has no proof of work' }
  return { ok: true, transaction, blockHash }
}

/** A transaction whose witnesses were left out, to the last byte: its txid is the hash of exactly these bytes. */
export function parseStripped(raw: Uint8Array): L1Transaction | undefined {
  if (raw.length === 64) return undefined
  try {
    const transaction = readTransaction(raw)
    return equalBytes(transaction.txid, doubleSha256(raw)) ? transaction : undefined
  } catch {
    return undefined
  }
}

function isCoinbase({ inputs: [input, second] }: L1Transaction): boolean {
  return (
    input !== undefined && second === undefined && isZero(input.previous.txid) && input.previous.vout === 0xffffffff
  )
}

function rootOf(txid: Uint8Array, path: readonly Uint8Array[], index: number): Uint8Array {
  return path.reduce((node, sibling, level) => {
    const isRight = Math.floor(index / 2 ** level) % 2 === 1
    return doubleSha256(isRight ? concatBytes(sibling, node) : concatBytes(node, sibling))
  }, txid)
}

/** The header's compact target (nBits): three bytes, shifted by whole bytes. */
function meetsItsTarget(header: Uint8Array, hash: Uint8Array): boolean {
  const [low = 0, middle = 0, high = 0, exponent = 0] = header.subarray(72, 76)
  const mantissa = BigInt(low + (middle << 8) + ((high & 0x7f) << 16))
  const target = exponent >= 3 ? mantissa << BigInt(8 * (exponent - 3)) : mantissa >> BigInt(8 * (3 - exponent))
  return (high & 0x80) === 0 && littleEndian(hash) <= target
}

function littleEndian(bytes: Uint8Array): bigint {
  return bytes.reduceRight((sum, byte) => (sum << 8n) | BigInt(byte), 0n)
}

function doubleSha256(bytes: Uint8Array): Uint8Array {
  return sha256(sha256(bytes))
}
