import { setImmediate } from 'node:timers/promises'
import { decodeHeader, type Header, MerkleLog, operationId, readWhole, toHex } from '@kedge/core'
import { headers, type Store } from '@kedge/storage'
import { Gate } from './gate.ts'
import { keptOperations } from './kept-operations.ts'
import { Recent } from './recent.ts'

/** Operations of all batches that are kept in memory together: some 20 MB with their trees. */
const KEPT_OPERATIONS = 65_536

/** Batches without operations weigh something too. */
const EMPTY_WEIGHT = 64

/**
 * Batches read, or hashed, at once: each is some megabytes that are kept by nobody, and there may be a thousand requests.
 * Hashing comes first, so that what was read is done with before more is.
 */
const AT_ONCE = 4

/** Operations hashed in one go: some 5 ms. */
const SLICE = 2048

/** Batches whose data this node holds, read from its disk; nobody is asked. */
export class HeldBatches {
  private readonly store: Store
  private readonly recent = new Recent<HeldBatch>(KEPT_OPERATIONS)
  private readonly gate = new Gate(AT_ONCE)
  /** Those that are being read: whoever asks meanwhile gets the same. */
  private readonly reading = new Map<string, Promise<HeldBatch | undefined>>()

  constructor(store: Store) {
    this.store = store
  }

  async get(headerHash: Uint8Array): Promise<HeldBatch | undefined> {
    const name = toHex(headerHash)
    const known = this.recent.get(name) ?? this.reading.get(name)
    if (known !== undefined) return known
    const reading = this.gate.pass(() => this.read(headerHash)).finally(() => this.reading.delete(name))
    this.reading.set(name, reading)
    return await reading
  }

  private async read(headerHash: Uint8Array): Promise<HeldBatch | undefined> {
    const headerBytes = await this.store.get(headers, headerHash)
    const header = headerBytes && decodeHeader(headerBytes)
    const whole = await keptOperations(this.store, headerHash)
    if (headerBytes === undefined || header === undefined || whole === undefined) return undefined
    const batch = new HeldBatch(header, headerBytes, readWhole(whole), this.gate)
    this.recent.put(toHex(headerHash), batch, batch.operations.length + EMPTY_WEIGHT)
    return batch
  }
}

export class HeldBatch {
  readonly header: Header
  readonly headerBytes: Uint8Array
  readonly operations: readonly Uint8Array[]
  private readonly gate: Gate
  private tree: Promise<MerkleLog> | undefined

  constructor(header: Header, headerBytes: Uint8Array, held: readonly Uint8Array[], gate: Gate) {
    this.header = header
    this.headerBytes = headerBytes
    this.operations = held
    this.gate = gate
  }

  /** The path of an operation to the header's opsRoot, from the leaf up. */
  async prove(index: number): Promise<Uint8Array[]> {
    this.tree ??= this.gate.pass(() => treeOf(this.operations), true)
    return (await this.tree).prove(index)
  }
}

/** The tree over a batch's operations, made in slices. */
export async function treeOf(held: readonly Uint8Array[]): Promise<MerkleLog> {
  const log = new MerkleLog()
  for (const [index, bytes] of held.entries()) {
    log.append(operationId(bytes))
    if (index % SLICE === SLICE - 1) await setImmediate()
  }
  return log
}
