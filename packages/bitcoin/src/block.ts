import { equalBytes, type L1Block, type L1Transaction, sha256 } from '@kedge/core'
import { Block, Transaction } from 'bitcoinjs-lib'

/** Raw bytes from a bitcoind, as the ledger reads them. */

/**
 * The transactions are checked against the header's Merkle root, and the hash is the header's own; that the block is
 * the one asked for, and its witnesses, are the backend's word.
 * @throws MalformedBlockError
 */
export function readBlock(raw: Uint8Array, height: number): L1Block {
  const block = parse(raw, () => Block.fromBuffer(raw))
  const transactions = (block.transactions ?? []).map(toL1)
  if (transactions.length === 0 || block.byteLength() !== raw.length) {
    throw new MalformedBlockError(`block ${height}: ${raw.length} bytes are not one whole block`)
  }
  const root = merkleRoot(transactions.map(({ txid }) => txid))
  if (block.merkleRoot === undefined || block.prevHash === undefined || !equalBytes(root, block.merkleRoot)) {
    throw new MalformedBlockError(`block ${height}: the transactions are not those of the header`)
  }
  return { height, hash: doubleSha256(raw.subarray(0, 80)), parent: block.prevHash, transactions }
}

/** @throws MalformedBlockError */
export function readTransaction(raw: Uint8Array): L1Transaction {
  return toL1(parse(raw, () => Transaction.fromBuffer(raw)))
}

function parse<T>(raw: Uint8Array, read: () => T): T {
  try {
    return read()
  } catch (cause) {
    throw new MalformedBlockError(`${raw.length} bytes do not parse`, { cause })
  }
}

/** Copies of everything, so that no value keeps a block's bytes in memory. */
function toL1(transaction: Transaction): L1Transaction {
  return {
    txid: transaction.getHash(false),
    inputs: transaction.ins.map((input) => ({
      previous: { txid: input.hash.slice(), vout: input.index },
      witness: input.witness.map((item) => item.slice()),
    })),
    outputs: transaction.outs.map((output) => ({ value: output.value, script: output.script.slice() })),
  }
}

/** A level of odd length repeats its last hash. */
function merkleRoot(txids: readonly Uint8Array[]): Uint8Array {
  let level = txids
  while (level.length > 1) {
    const below = level
    level = Array.from({ length: Math.ceil(below.length / 2) }, (_, at) => {
      const left = below[2 * at] as Uint8Array
      return hashTwo(left, below[2 * at + 1] ?? left)
    })
  }
  return level[0] as Uint8Array
}

function hashTwo(left: Uint8Array, right: Uint8Array): Uint8Array {
  const both = new Uint8Array(64)
  both.set(left)
  both.set(right, 32)
  return doubleSha256(both)
}

function doubleSha256(bytes: Uint8Array): Uint8Array {
  return sha256(sha256(bytes))
}

/** The backend gave bytes that are no block, or no transaction. */
export class MalformedBlockError extends Error {
  override readonly name = 'MalformedBlockError'
}
