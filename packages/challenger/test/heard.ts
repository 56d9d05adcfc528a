import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { publicKeyOf } from '@kedge/bitcoin'
import {
  type BatchPlace,
  type Bond,
  buildHeader,
  type Chain,
  encodeWhole,
  equalBytes,
  genesisChain,
  MerkleLog,
  merkleRoot,
  networkId,
  type Origin,
  operationId,
  type Params,
  type Receipt,
  regtestBond,
  regtestRules,
  stepLeaves,
  type Tick,
  ZERO_HASH,
} from '@kedge/core'
import { SlotSigner } from '@kedge/regtest'
import { headers, type LinkRecord, operations, Store } from '@kedge/storage'
import type { Witnessed } from '../src/innocence.ts'
import { KeptTicks } from '../src/kept-ticks.ts'
import { PromiseWatch } from '../src/promise-watch.ts'
import { SlotWatch } from '../src/slot-watch.ts'

/** A network that asks for a bond, what its sequencer signs, and challengers' disks; Bitcoin is as a test says. */

export const of = (seed: number): Uint8Array => new Uint8Array(32).fill(seed)
export const SLOT = of(2)
const keyOf = (seed: number) => publicKeyOf(of(seed))

export const params: Params = {
  ...regtestRules,
  // 60 tables of so many are kept.
  caps: { ...regtestRules.caps, ticks: 2 },
  keys: { anchor: keyOf(1), slot: keyOf(2), fees: keyOf(3), watchers: [keyOf(11), keyOf(12)], threshold: 2 },
  genesis: { txid: ZERO_HASH, vout: 0 },
  vault: { txid: ZERO_HASH, vout: 1, value: 10_000n },
  scanHeight: 101,
  bond: { ...regtestBond, sequencer: keyOf(4), return: keyOf(5) },
}
const network = networkId(params)
const signer = new SlotSigner(params, SLOT)

/** Block h has the hash of 32 bytes h. */
export const ORIGIN: Origin = { height: 120, hash: of(120) }

export const bond: Bond = {
  bond: { outpoint: { txid: of(0x40), vout: 0 }, value: 1_000_000n },
  detectors: [{ outpoint: { txid: of(0x40), vout: 1 }, value: 1_000n }],
  fundedAt: 110,
  slash: { signature: new Uint8Array(64), height: 111 },
}

const listOf = (fills: readonly number[]) => fills.map((fill) => new Uint8Array(17).fill(fill))

function logOf(list: readonly Uint8Array[]): MerkleLog {
  const log = new MerkleLog()
  for (const bytes of list) log.append(operationId(bytes))
  return log
}

/** The sequencer's word that batch `number` begins with these operations. */
export function tickOf(number: number, fills: readonly number[], instead: Partial<Tick> = {}): Receipt {
  const place = { number, index: 0, origin: ORIGIN, parent: ZERO_HASH }
  const tick = { ...place, count: fills.length, opsRoot: logOf(listOf(fills)).root(), ...instead }
  return { ...signer.sign(tick), opIndex: 0, path: [] }
}

/** Signed by nobody, in the slot of another. */
export function forged(receipt: Receipt): Receipt {
  return { ...receipt, signature: receipt.signature.with(63, (receipt.signature[63] as number) ^ 1) }
}

/** A batch on genesis, as its nodes have it. */
export function batchOf(number: number, fills: readonly number[], place: Partial<BatchPlace> = {}) {
  const list = listOf(fills)
  const stepRoots = new Uint8Array(32 * list.length).fill(9)
  const opsRoot = merkleRoot(Uint8Array.from(list.flatMap((bytes) => [...operationId(bytes)])))
  const stepsRoot = merkleRoot(stepLeaves(ZERO_HASH, stepRoots))
  const sealed = { pre: ZERO_HASH, post: of(9), opsRoot, stepsRoot, operations: list }
  const slots = { nonceRoot: signer.rootOf(number + 1), prevSig: new Uint8Array(96) }
  const { bytes, hash } = buildHeader({ network, number, parent: ZERO_HASH, origin: ORIGIN, ...place }, sealed, slots)
  const whole = encodeWhole('data', { headerBytes: bytes, pre: ZERO_HASH, operations: list, stepRoots })
  const link: LinkRecord = { number, outcome: 'batch', height: 122, txid: of(7), headerHash: hash, post: of(9) }
  return { link, writes: [headers.put(hash, bytes), operations.put(hash, whole)] }
}

/** The link that fixes batch `number`'s table. */
export function resumeBefore(number: number, height = 121): LinkRecord {
  const said = { headerHash: ZERO_HASH, nonceRoot: signer.rootOf(number) }
  return { number: number - 1, outcome: 'resume', height, txid: of(6), ...said }
}

/** A challenger's disk, and what it makes of it after each start. */
export class Disk {
  readonly store: Store
  private readonly folder: string
  /** What Bitcoin shows. */
  links: LinkRecord[] = []
  height = 125

  private constructor(store: Store, folder: string) {
    this.store = store
    this.folder = folder
  }

  static async make(): Promise<Disk> {
    const folder = await mkdtemp(join(tmpdir(), 'kedge-heard-'))
    return new Disk(await Store.open(folder, network), folder)
  }

  async remove(): Promise<void> {
    await this.store.close()
    await rm(this.folder, { recursive: true })
  }

  /** Blocks that a reorganisation dropped, and another may have brought back. */
  left: readonly Uint8Array[] = []
  readonly blockHash = (height: number) => (height <= this.height ? of(height) : undefined)

  /** Nothing was read from disk. */
  hear(): Pick<Started, 'slots' | 'kept'> {
    const slots = new SlotWatch(params.keys.slot)
    return { slots, kept: new KeptTicks(params, network, slots) }
  }

  async start(): Promise<Started> {
    const { slots, kept } = this.hear()
    await kept.load(this.store, this.blockHash)
    await slots.load(this.store)
    const chain = (): Chain => ({ ...genesisChain(params, of(1)), height: this.height })
    const link = (number: number) => this.links.find((one) => one.number === number)
    const hasLeft = (hash: Uint8Array) => this.left.some((one) => equalBytes(one, hash))
    const node = { chain, link, blockHash: this.blockHash, hasLeft }
    const promises = new PromiseWatch({ params, node, store: this.store, kept })
    const write = () => this.store.commit([...kept.takeWrites(), ...slots.takeWrites()])
    return { slots, kept, promises, node, write }
  }
}

export interface Started {
  readonly slots: SlotWatch
  readonly kept: KeptTicks
  readonly promises: PromiseWatch
  readonly node: Witnessed
  readonly write: () => Promise<void>
}
