import {
  type BatchContext,
  BatchExecution,
  type BatchPlace,
  type BuiltHeader,
  buildHeader,
  type Ledger,
  type Receipt,
  type Refusal,
  type SealedBatch,
  type Tick,
  type Transfer,
} from '@kedge/core'

/** A tick whose signature is still to come, with paths for those who asked. */
export interface Cut {
  readonly tick: Tick
  /** Operations that the tick covers and no earlier one did, with their first index. */
  readonly start: number
  readonly operations: readonly Uint8Array[]
  readonly paths: ReadonlyMap<number, readonly Uint8Array[]>
}

/** The batch that takes transfers now: its place, its execution, and how much of it is promised. */
export class OpenBatch {
  readonly place: BatchPlace
  readonly openedAt: number
  private readonly execution: BatchExecution
  private ticks = 0
  private promised = 0

  /** Credits the due deposits at once: they stand first, and the origin that decides them is fixed now. */
  constructor(
    place: BatchPlace,
    context: BatchContext,
    ledger: Ledger,
    cellOf: (key: Uint8Array) => number | undefined,
    openedAt: number,
  ) {
    this.place = place
    this.openedAt = openedAt
    this.execution = new BatchExecution(context, ledger)
    this.execution.addDeposits(cellOf)
  }

  get count(): number {
    return this.execution.count
  }

  get operations(): readonly Uint8Array[] {
    return this.execution.operations
  }

  /** Operations that no tick covers yet. */
  get unpromised(): number {
    return this.count - this.promised
  }

  add(
    transfer: Transfer,
    bytes: Uint8Array,
    id: Uint8Array | undefined,
    signedBy: Uint8Array | undefined,
  ): Refusal | undefined {
    return this.execution.add(transfer, bytes, id, signedBy)
  }

  /** Fixes the next tick over everything so far. Paths are those of this very prefix, so they are taken now. */
  cut(wanted: readonly number[]): Cut {
    const { number, origin, parent } = this.place
    const tick: Tick = {
      number,
      index: this.ticks++,
      origin,
      parent,
      count: this.count,
      opsRoot: this.execution.opsRoot().slice(),
    }
    const paths = new Map(
      wanted.map((index) => [index, this.execution.provePath(index).map((hash) => hash.slice())] as const),
    )
    const start = this.promised
    this.promised = this.count
    return { tick, start, operations: this.operations.slice(start), paths }
  }

  /** Ticks of an earlier run over this batch, found in the journal. */
  resumeTicks(ticks: number): void {
    this.ticks = ticks
    this.promised = this.count
  }

  seal(): SealedBatch & BuiltHeader {
    const sealed = this.execution.seal()
    return { ...sealed, ...buildHeader(this.place, sealed) }
  }

  abandon(): void {
    this.execution.abandon()
  }
}

/** @throws Error for an index whose path was not asked for. */
export function receiptOf(cut: Cut, signature: Uint8Array, index: number): Receipt {
  const path = cut.paths.get(index)
  if (path === undefined) throw new Error(`no path was cut for operation ${index}`)
  return { tick: cut.tick, signature, opIndex: index, path }
}
