import { asBytes, asHash, asInteger, asRecord, printHash } from './answer.ts'
import { batchRpc, callRpc, RPC_CODES, type Rpc, unlessCode } from './rpc.ts'

/** Bitcoin's best chain, as a bitcoind tells it. Hashes are in hashing order. */

export interface Tip {
  readonly height: number
  readonly hash: Uint8Array
}

export interface ChainHeader {
  readonly height: number
  readonly hash: Uint8Array
  /** Zeros for the genesis block. */
  readonly parent: Uint8Array
  /** 1 at the tip, −1 when the block is not in the best chain. */
  readonly confirmations: number
}

export async function readTip(rpc: Rpc): Promise<Tip> {
  const info = asRecord(await callRpc(rpc, 'getblockchaininfo', []), 'getblockchaininfo')
  return { height: asInteger(info.blocks, 'blocks'), hash: asHash(info.bestblockhash, 'bestblockhash') }
}

/** Undefined for a block the backend has not heard of. */
export async function readHeader(rpc: Rpc, hash: Uint8Array): Promise<ChainHeader | undefined> {
  const answer = await unlessCode(RPC_CODES.notFound, callRpc(rpc, 'getblockheader', [printHash(hash), true]))
  if (answer === undefined) return undefined
  const header = asRecord(answer, 'getblockheader')
  const parent = header.previousblockhash
  return {
    height: asInteger(header.height, 'height'),
    hash,
    parent: parent === undefined ? new Uint8Array(32) : asHash(parent, 'previousblockhash'),
    confirmations: asInteger(header.confirmations, 'confirmations'),
  }
}

/** The 80 bytes of each block. @throws RpcError when the backend has not heard of one. */
export async function readRawHeaders(rpc: Rpc, hashes: readonly Uint8Array[]): Promise<Uint8Array[]> {
  const calls = hashes.map((hash) => ({ method: 'getblockheader', params: [printHash(hash), false] }))
  return (await batchRpc(rpc, calls)).map((answer) => asBytes(answer, 'getblockheader'))
}

/** In the best chain; undefined above its tip. */
export async function readBlockHash(rpc: Rpc, height: number): Promise<Uint8Array | undefined> {
  const answer = await unlessCode(RPC_CODES.outOfRange, callRpc(rpc, 'getblockhash', [height]))
  return answer === undefined ? undefined : asHash(answer, 'getblockhash')
}

/** @throws RpcError when the backend lacks the block, or has pruned it. */
export async function readRawBlock(rpc: Rpc, hash: Uint8Array): Promise<Uint8Array> {
  return asBytes(await callRpc(rpc, 'getblock', [printHash(hash), 0]), 'getblock')
}

/**
 * The best tip, once it is higher than `height`, or after `timeoutMs`, whatever it is then. Waiting for a height
 * loses no block that comes between two calls; a reorganisation shows too, as the new branch is the longer one.
 */
export async function waitForNewBlock(rpc: Rpc, height: number, timeoutMs: number): Promise<Tip> {
  const answer = await callRpc(rpc, 'waitforblockheight', [height + 1, timeoutMs], timeoutMs + rpc.timeoutMs)
  const tip = asRecord(answer, 'waitforblockheight')
  return { height: asInteger(tip.height, 'height'), hash: asHash(tip.hash, 'hash') }
}
