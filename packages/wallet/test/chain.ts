import { concatBytes, equalBytes, sha256, Writer } from '@kedge/core'

/** Bitcoin's own bytes, made in memory: transactions without witnesses, and blocks with regtest's proof of work. */

export interface Spent {
  readonly txid: Uint8Array
  readonly vout: number
}

export interface Paid {
  readonly value: bigint
  readonly script: Uint8Array
}

export const doubleSha256 = (bytes: Uint8Array): Uint8Array => sha256(sha256(bytes))

export function rawTransaction(inputs: readonly Spent[], outputs: readonly Paid[], locktime = 0): Uint8Array {
  const writer = new Writer().u32(2).u8(inputs.length)
  for (const { txid, vout } of inputs) writer.hash(txid).u32(vout).u8(0).u32(0xfffffffd)
  writer.u8(outputs.length)
  for (const { value, script } of outputs) writer.u64(value).u8(script.length).fixed(script, script.length)
  return writer.u32(locktime).bytes
}

export function coinbase(height: number): Uint8Array {
  const script = Uint8Array.of(3, height & 0xff, (height >> 8) & 0xff, height >> 16)
  const writer = new Writer().u32(2).u8(1).zeros(32).u32(0xffffffff).u8(script.length).fixed(script, script.length)
  return writer.u32(0xffffffff).u8(1).u64(5_000_000_000n).u8(1).u8(0x51).u32(0).bytes
}

export interface MinedBlock {
  readonly header: Uint8Array
  readonly hash: Uint8Array
  readonly transactions: readonly Uint8Array[]
}

/** Siblings from a leaf up, and the root. A level of odd length repeats its last hash. */
export function merklePath(leaves: readonly Uint8Array[], index: number): { path: Uint8Array[]; root: Uint8Array } {
  const path: Uint8Array[] = []
  let [row, at] = [leaves, index]
  while (row.length > 1) {
    const even = row.length % 2 === 0 ? row : [...row, row.at(-1) as Uint8Array]
    path.push(even[at ^ 1] as Uint8Array)
    row = Array.from({ length: even.length / 2 }, (_, pair) =>
      doubleSha256(concatBytes(...even.slice(2 * pair, 2 * pair + 2))),
    )
    at >>= 1
  }
  return { path, root: row[0] as Uint8Array }
}

/** nBits of regtest: every second hash is below its target. */
const EASY_BITS = 0x207fffff

export function mineBlock(parent: Uint8Array, transactions: readonly Uint8Array[]): MinedBlock {
  const { root } = merklePath(transactions.map(doubleSha256), 0)
  for (let nonce = 0; ; nonce++) {
    const header = new Writer().u32(4).hash(parent).hash(root).u32(1_700_000_000).u32(EASY_BITS).u32(nonce).bytes
    const hash = doubleSha256(header)
    if ((hash[31] as number) < 0x7f) return { header, hash, transactions }
  }
}

export function provenIn(block: MinedBlock, rawTx: Uint8Array) {
  const txids = block.transactions.map(doubleSha256)
  const txIndex = block.transactions.findIndex((raw) => equalBytes(raw, rawTx))
  const first = block.transactions[0] as Uint8Array
  return {
    rawTx,
    path: merklePath(txids, txIndex).path,
    txIndex,
    blockHeader: block.header,
    coinbase: { rawTx: first, path: merklePath(txids, 0).path },
  }
}
