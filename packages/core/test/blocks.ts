import { Writer } from '../src/codec.ts'
import { hashTwice } from '../src/hash.ts'
import type { L1Output, Outpoint } from '../src/l1.ts'

/** Bitcoin's own bytes, made in memory: transactions without witnesses, and headers with regtest's proof of work. */

export function rawTransaction(inputs: readonly Outpoint[], outputs: readonly L1Output[], locktime = 0): Uint8Array {
  const writer = new Writer().u32(2).u8(inputs.length)
  for (const { txid, vout } of inputs) writer.hash(txid).u32(vout).u8(0).u32(0xfffffffd)
  writer.u8(outputs.length)
  for (const { value, script } of outputs) writer.u64(value).u8(script.length).fixed(script, script.length)
  return writer.u32(locktime).bytes
}

/** What a pool's coinbase has: height and words of its own in the input, outputs beside the reward's. */
export function coinbase(height: number, words = 4, outputs: readonly number[] = [1]): Uint8Array {
  const writer = new Writer().u32(2).u8(1).zeros(32).u32(0xffffffff)
  writer
    .u8(4 + words)
    .u8(3)
    .u8(height & 0xff)
    .u8((height >> 8) & 0xff)
    .u8(height >> 16)
    .zeros(words)
  writer.u32(0xffffffff).u8(outputs.length)
  for (const size of outputs) writer.u64(5_000_000_000n).u8(size).zeros(size)
  return writer.u32(0).bytes
}

/** nBits of regtest: every second hash is below its target. */
export const EASY_BITS = 0x207fffff

/** Tries nonces until the hash is below a target as easy as regtest's. */
export function mineHeader(parent: Uint8Array, merkleRoot: Uint8Array, bits = EASY_BITS, time = 1_700_000_000) {
  for (let nonce = 0; ; nonce++) {
    const header = new Writer().u32(4).hash(parent).hash(merkleRoot).u32(time).u32(bits).u32(nonce).bytes
    if ((hashTwice(header)[31] as number) < 0x7f) return header
  }
}
