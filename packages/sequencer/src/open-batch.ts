import {
  type BatchContext,
  BatchExecution,
  type BatchPlace,
  type BuiltHeader,
  buildHeader,
  type Claim,
  decodeSigned,
  type Ledger,
  type Refusal,
  type SealedBatch,
  type SignedOperation,
  type SlotFields,
  type Tick,
} from '@kedge/core'
import type { StepThread } from '@kedge/node'

/** A tick whose signature is still to come. */
export interface Cut {
  /** Undefined where everything that may be promised is. */
  readonly tick: Tick | undefined
  /** Operations that no earlier cut had. */
  readonly operations: readonly Uint8Array[]
}

/** What a batch is built on, and the thread that hashes what it changes. */
export interface BatchGround {
  readonly ledger: Ledger
  readonly steps: StepThread
}

/**
 * A full batch is hashed in so many runs, all but the last while it fills. A run's hashes on one level go through the
 * hasher together: few runs make that fast, many leave it little to do when the batch is sealed.
 */
const RUNS = 8

/** The batch that takes operations now: its place, its execution, and how much of it is promised. */
export class OpenBatch {
  readonly place: BatchPlace
  readonly openedAt: number
  private readonly ground: BatchGround
  private readonly runSteps: number
  private readonly execution: BatchExecution
  private tick: number
  /** How many operations were cut. */
  private cutAt = 0
  /** How many the last tick covers; none was cut before. */
  private tickedAt = -1
  private grownFrom: number | undefined

  /**
   * Adds what is due at once, deposits and forced operations: they stand first, and the origin that decides is fixed now.
   * @param firstTick above those of earlier batches under this number: none is ever signed twice
   */
  constructor(
    place: BatchPlace,
    context: BatchContext,
    ground: BatchGround,
    cellOf: (key: Uint8Array) => number | undefined,
    openedAt: number,
    firstTick: number,
  ) {
    this.place = place
    this.openedAt = openedAt
    this.tick = firstTick
    this.ground = ground
    this.runSteps = Math.ceil(context.params.caps.operations / RUNS)
    this.execution = new BatchExecution(context, ground.ledger)
    this.execution.addDue(cellOf)
  }

  get count(): number {
    return this.execution.count
  }

  get operations(): readonly Uint8Array[] {
    return this.execution.operations
  }

  get claims(): readonly Claim[] {
    return this.execution.claims
  }

  /** Indices of forced operations that changed nothing. */
  get idle(): readonly number[] {
    return this.execution.idle
  }

  add(
    operation: SignedOperation,
    bytes: Uint8Array,
    id: Uint8Array | undefined,
    signedBy: Uint8Array | undefined,
  ): Refusal | undefined {
    const refusal = this.execution.add(operation, bytes, id, signedBy)
    const { steps, ledger } = this.ground
    if (ledger.uncut >= this.runSteps) steps.run(ledger)
    return refusal
  }

  /** Adds what an earlier run of it held. False where it can't stand any more. */
  addAgain(bytes: Uint8Array, signedBy: Uint8Array | undefined): boolean {
    const operation = decodeSigned(bytes)
    return operation !== undefined && this.add(operation, bytes, undefined, signedBy) === undefined
  }

  /** Fixes the next tick over everything so far. */
  cut(): Cut {
    const { number, origin, parent } = this.place
    const operations = this.operations.slice(this.cutAt)
    this.cutAt = this.count
    const count = this.promisable
    if (this.grownFrom !== undefined && this.tickedAt === count) return { tick: undefined, operations }
    this.tickedAt = count
    const opsRoot = this.execution.opsRoot(count).slice()
    return { tick: { number, index: this.tick++, origin, parent, count, opsRoot }, operations }
  }

  /** Path of an operation in the tree over everything that may be promised. */
  pathOf(index: number): Uint8Array[] {
    return this.execution.provePath(index, this.promisable).map((hash) => hash.slice())
  }

  /** Everything in it was promised by an earlier run. */
  markPromised(): void {
    this.cutAt = this.count
  }

  /** How many of its first operations may be promised: all, unless it has grown. */
  get promisable(): number {
    return this.grownFrom ?? this.count
  }

  /** How many are on disk, or on their way there. */
  get written(): number {
    return this.cutAt
  }

  /** From here on operations are taken that stand in this batch only if watchers vouch for it. */
  grow(): void {
    this.grownFrom = this.count
  }

  get isGrown(): boolean {
    return this.grownFrom !== undefined
  }

  get nextTick(): number {
    return this.tick
  }

  /** Nothing may be added from here on. */
  async seal(fields: Promise<SlotFields>): Promise<SealedBatch & BuiltHeader> {
    const { steps, ledger } = this.ground
    const [hashed, slots] = await Promise.all([steps.finish(ledger), fields])
    const sealed = this.execution.settle(hashed)
    return { ...sealed, ...buildHeader(this.place, sealed, slots) }
  }

  /** Takes everything off the ledger. Nothing may be added from here on. */
  async abandon(): Promise<void> {
    const { steps, ledger } = this.ground
    this.execution.abandon(steps.isUnderWay ? await steps.finish(ledger) : undefined)
  }
}
