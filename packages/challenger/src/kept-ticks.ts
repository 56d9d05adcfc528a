import { MAX_UNCONFIRMED } from '@kedge/commitment'
import {
  concatBytes,
  decodeReceipt,
  encodeReceipt,
  equalBytes,
  nonceRootOf,
  type Params,
  type Receipt,
  type Said,
  tickMessage,
  toHex,
} from '@kedge/core'
import { isTickSigned } from '@kedge/node'
import { DamagedError, type Store, ticks, type Write } from '@kedge/storage'
import type { SlotWatch } from './slot-watch.ts'

/**
 * Ticks that are kept at once, 1.5 kB each: all that the tables have slots for of the batches that can be under way, as many
 * as may wait for a block, as many again in each of the blocks that are not k deep, and as many that are open or behind
 * that. A lying sequencer that signs more, so as to have some forgotten, has signed broken promises by then: what came
 * first stays, and all of it is judged. Where a network's tables have thousands of slots, memory is the bound.
 */
function mostKept({ caps, windows }: Params): number {
  return Math.min(MAX_UNCONFIRMED * (windows.originDepth + 2) * caps.ticks, MAX_KEPT)
}

const MAX_KEPT = 131_072

/** Hash of the best chain's block; undefined above its tip. */
export type BlockHashAt = (height: number) => Uint8Array | undefined

/**
 * Every tick that was told, or came with a receipt that this node passed on, until its batch is known to begin with what
 * it promised. What nobody signed, and what promises nothing any more, is not kept.
 */
export class KeptTicks {
  private readonly params: Params
  private readonly network: Uint8Array
  private readonly slots: SlotWatch
  /** As they are on disk: by batch, then by nonce. */
  private readonly kept = new Map<number, Map<string, Uint8Array>>()
  private unwritten: Write[] = []
  private count = 0
  private blockHash: BlockHashAt = () => undefined

  constructor(params: Params, network: Uint8Array, slots: SlotWatch) {
    this.params = params
    this.network = network
    this.slots = slots
  }

  /** Beside what came since peers can reach this node. @throws DamagedError */
  async load(store: Store, blockHash: BlockHashAt): Promise<void> {
    this.blockHash = blockHash
    for await (const [, bytes] of store.range(ticks)) {
      const { receipt } = decodeKept(bytes)
      // Beside the one that came in its slot by now, which may be another.
      this.noteKept(bytes)
      if (this.keptOf(receipt) === undefined) this.put(receipt, bytes)
    }
  }

  get size(): number {
    return this.count
  }

  /** Numbers of batches, ascending. */
  get numbers(): number[] {
    return [...this.kept.keys()].sort((one, other) => one - other)
  }

  of(number: number): Said[] {
    return [...(this.kept.get(number)?.values() ?? [])].map(decodeKept)
  }

  /** @returns false where nobody signed it. Each tick is checked once, so a stream of them costs what is new in it. */
  take({ tick, signature, slotPath }: Receipt): boolean {
    const receipt: Receipt = { tick, signature, slotPath, opIndex: 0, path: [] }
    const nonceRoot = nonceRootOf(this.params.caps.ticks, receipt)
    if (nonceRoot === undefined) return false
    const signed = { message: tickMessage(this.network, tick, nonceRoot), signature }
    const known = this.keptOf(receipt)
    if (known !== undefined && !this.slots.knows(signed)) this.noteKept(known)
    const isWanted = known === undefined && this.hasRoomFor(tick)
    if (!isWanted && !this.slots.hasOther(signed)) return true
    if (!isTickSigned(this.params, this.network, receipt)) return false
    this.slots.note(signed)
    if (isWanted) this.keep(receipt, concatBytes(nonceRoot, encodeReceipt(receipt)))
    return true
  }

  /** Its batch keeps the promise, or nothing is left of it. */
  drop({ receipt }: Said): void {
    const { number } = receipt.tick
    const ofBatch = this.kept.get(number)
    if (ofBatch?.delete(nonceOf(receipt)) !== true) return
    this.count -= 1
    if (ofBatch.size === 0) this.kept.delete(number)
    this.unwritten.push(ticks.del(keyOf(receipt)))
  }

  /** In the order in which they are to be written. */
  takeWrites(): Write[] {
    const writes = this.unwritten
    this.unwritten = []
    return writes
  }

  /** What is kept in its slot: a nonce stands for one promise, and a second message there is the end of the key. */
  private keptOf(receipt: Receipt): Uint8Array | undefined {
    return this.kept.get(receipt.tick.number)?.get(nonceOf(receipt))
  }

  /** For what is said in its slot later: more is forgotten there than here. */
  private noteKept(bytes: Uint8Array): void {
    const { receipt, nonceRoot } = decodeKept(bytes)
    this.slots.note({ message: tickMessage(this.network, receipt.tick, nonceRoot), signature: receipt.signature })
  }

  /** Whoever tells again what was judged long ago would have each of those batches read again. */
  private hasRoomFor({ origin }: Receipt['tick']): boolean {
    const { staleness, originDepth } = this.params.windows
    if (this.blockHash(origin.height + staleness + originDepth + 1) !== undefined) return false
    const there = this.blockHash(origin.height)
    const most = mostKept(this.params)
    // Nothing ties what is above this node's tip to anything.
    return there === undefined ? this.count < most / 4 : this.count < most && equalBytes(there, origin.hash)
  }

  private keep(receipt: Receipt, bytes: Uint8Array): void {
    this.put(receipt, bytes)
    this.unwritten.push(ticks.put(keyOf(receipt), bytes))
  }

  private put(receipt: Receipt, bytes: Uint8Array): void {
    const { number } = receipt.tick
    const ofBatch = this.kept.get(number) ?? new Map<string, Uint8Array>()
    this.kept.set(number, ofBatch.set(nonceOf(receipt), bytes))
    this.count += 1
  }
}

/** @throws DamagedError */
function decodeKept(bytes: Uint8Array): Said {
  const receipt = decodeReceipt(bytes.slice(32))
  if (receipt === undefined) throw new DamagedError("a tick that was kept can't be read")
  return { receipt, nonceRoot: bytes.slice(0, 32) }
}

function nonceOf({ signature }: Receipt): string {
  return toHex(signature.slice(0, 32))
}

function keyOf({ tick, signature }: Receipt): Uint8Array {
  const key = new Uint8Array(36)
  new DataView(key.buffer).setUint32(0, tick.number)
  key.set(signature.slice(0, 32), 4)
  return key
}
