import { equalBytes, hashTwice, type Inclusion, proveInclusion, Writer } from '@kedge/core'

/** Bitcoin's own bytes, made in memory: transactions without witnesses, and blocks with regtest's proof of work. */

export interface Spent {
  readonly txid: Uint8Array
  readonly vout: number
}

export interface Paid {
  readonly value: bigint
  readonly script: Uint8Array
}

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

/** nBits of regtest: every second hash is below its target. */
const EASY_BITS = 0x207fffff

export function mineBlock(parent: Uint8Array, transactions: readonly Uint8Array[]): MinedBlock {
  const { root } = proveInclusion(transactions.map(hashTwice), 1)
  for (let nonce = 0; ; nonce++) {
    const header = new Writer().u32(4).hash(parent).hash(root).u32(1_700_000_000).u32(EASY_BITS).u32(nonce).bytes
    const hash = hashTwice(header)
    if ((hash[31] as number) < 0x7f) return { header, hash, transactions }
  }
}

export function provenIn(block: MinedBlock, transaction: Uint8Array): Inclusion {
  const index = block.transactions.findIndex((raw) => equalBytes(raw, transaction))
  const { helpers } = proveInclusion(block.transactions.map(hashTwice), index)
  return { transaction, index, coinbase: block.transactions[0] as Uint8Array, helpers }
}
