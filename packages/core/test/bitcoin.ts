import { concatBytes, toHex } from '../src/bytes.ts'
import { Writer } from '../src/codec.ts'
import { taggedHash } from '../src/hash.ts'
import type { L1Block, L1Input, L1Output, L1Transaction, Outpoint } from '../src/l1.ts'
import { type Anchor, encodeMessage, type Message } from '../src/message.ts'
import { pieceLeaf, pieceWitness, splitPieces } from '../src/pieces.ts'
import { anchorScript, dataCarrierScript, depositOutput, signalScript, vaultScript } from '../src/scripts.ts'
import { encodeSigned, type SignedOperation } from '../src/signed.ts'
import { SIGNAL_VALUE } from '../src/tags.ts'
import { bytes32, keyOf, params } from './world.ts'

/** Bitcoin in memory: blocks of real transaction values. Only the hashes are not Bitcoin's own. */

const OTHER_SCRIPT = Uint8Array.of(0x51)
const PUBLISHER = keyOf(21)
const SIGNATURE = new Uint8Array(64).fill(9)
const CONTROL = concatBytes(Uint8Array.of(0xc0), PUBLISHER)

export function transaction(inputs: readonly L1Input[], outputs: readonly L1Output[]): L1Transaction {
  const writer = new Writer()
  for (const { previous, witness } of inputs) {
    writer.hash(previous.txid).u32(previous.vout)
    for (const item of witness) writer.u32(item.length).fixed(item, item.length)
  }
  for (const { value, script } of outputs) writer.u64(value).u16(script.length).fixed(script, script.length)
  return { txid: taggedHash('test/transaction', writer.bytes), inputs, outputs }
}

let coins = 0

/** An input from a wallet's coin, each time another one. */
export function coin(): L1Input {
  coins++
  const previous = { txid: taggedHash('test/coin', new Writer().u32(coins).bytes), vout: 0 }
  return { previous, witness: [SIGNATURE, PUBLISHER] }
}

/** Starts the wallet's coins anew, for tests that need the same txids each time. */
export function resetCoins(): void {
  coins = 0
}

export const tagOutput = (message: Message, value = 0n): L1Output => ({
  value,
  script: dataCarrierScript(encodeMessage(message)),
})
export const signalOutput = (value = SIGNAL_VALUE): L1Output => ({ value, script: signalScript(params) })
export const vaultOutput = (value: bigint): L1Output => ({ value, script: vaultScript(params) })
export const linkOutput = (): L1Output => ({ value: 10_000n, script: anchorScript(params) })
export const changeOutput = (): L1Output => ({ value: 50_000n, script: OTHER_SCRIPT })

export const spend = (previous: Outpoint): L1Input => ({ previous, witness: [SIGNATURE] })

export function linkTransaction(previous: Outpoint, anchor: Anchor): L1Transaction {
  return transaction([spend(previous), coin()], [tagOutput(anchor), linkOutput(), changeOutput()])
}

export const REFUND_KEY = keyOf(22)

/** An output that is a deposit for `key`, where the tag says so. */
export function depositOutputOf(key: Uint8Array, value: bigint): L1Output {
  const { script } = depositOutput(params, key, REFUND_KEY)
  depositScripts.add(toHex(script))
  return { value, script }
}

const depositScripts = new Set<string>()

/** Whether `depositOutputOf` made it. */
export const isDepositScript = (script: Uint8Array): boolean => depositScripts.has(toHex(script))

export const depositTag = (key: Uint8Array): L1Output => tagOutput({ kind: 'deposit', key, refundKey: REFUND_KEY })

/** A deposit for `key`, an output for each value. */
export function depositTransaction(key: Uint8Array, ...values: readonly bigint[]): L1Transaction {
  const outputs = values.map((value) => depositOutputOf(key, value))
  return transaction([coin()], [...outputs, depositTag(key), changeOutput()])
}

export function challengeTransaction(
  headerHash: Uint8Array,
  data: 'data' | 'steps',
  burn = params.fees.challenge,
): L1Transaction {
  return transaction(
    [coin()],
    [tagOutput({ kind: 'challenge', headerHash, data }, burn), signalOutput(), changeOutput()],
  )
}

export function partTransaction(headerHash: Uint8Array, data: 'data' | 'steps', part: Uint8Array): L1Transaction {
  return transaction([coin(), ...pieceInputs(part)], [tagOutput({ kind: 'part', headerHash, data }), signalOutput()])
}

export function evidenceTransaction(headerHash: Uint8Array, evidence: Uint8Array): L1Transaction {
  return transaction([...pieceInputs(evidence), coin()], [tagOutput({ kind: 'evidence', headerHash }), signalOutput()])
}

export function forcedTransaction(operation: SignedOperation): L1Transaction {
  return transaction([coin(), ...pieceInputs(encodeSigned(operation))], [tagOutput({ kind: 'forced' }), signalOutput()])
}

/** The inputs that publish these bytes. What they commit to plays no part in reading them. */
export function pieceInputs(bytes: Uint8Array): L1Input[] {
  return splitPieces(bytes).map((pieces) => {
    const output = { script: new Uint8Array(0), leaf: pieceLeaf(PUBLISHER, pieces), control: CONTROL }
    return { ...coin(), witness: pieceWitness(output, pieces, SIGNATURE) }
  })
}

/** A chain of blocks from the scan height on. */
export class Bitcoin {
  readonly blocks: L1Block[] = []
  private branch = 0

  get height(): number {
    return params.scanHeight - 1 + this.blocks.length
  }

  get tip(): Uint8Array {
    return this.blocks.at(-1)?.hash ?? BASE_HASH
  }

  block(height: number): L1Block {
    const block = this.blocks[height - params.scanHeight]
    if (block === undefined) throw new RangeError(`no block at height ${height}`)
    return block
  }

  mine(...transactions: readonly L1Transaction[]): L1Block {
    const height = this.height + 1
    const coinbase = transaction([{ previous: { txid: bytes32(0), vout: height }, witness: [] }], [changeOutput()])
    const all = [coinbase, ...transactions]
    const content = new Writer().hash(this.tip).u32(height).u32(this.branch)
    for (const { txid } of all) content.hash(txid)
    const block = { height, hash: taggedHash('test/block', content.bytes), parent: this.tip, transactions: all }
    this.blocks.push(block)
    return block
  }

  mineEmpty(count: number): void {
    for (let at = 0; at < count; at++) this.mine()
  }

  /** Mines empty blocks up to and with `height`. */
  mineUpTo(height: number): void {
    this.mineEmpty(height - this.height)
  }

  /** Drops all blocks above `height`: what is mined next differs. Gives what was dropped. */
  rewind(height: number): L1Block[] {
    this.branch++
    return this.blocks.splice(height - params.scanHeight + 1)
  }
}

/** Hash of the block below the first one that is read. */
export const BASE_HASH = bytes32(0xb1)
