import { equalBytes } from './bytes.ts'
import { type Claim, claimOf } from './claim.ts'
import { creditOf } from './deposit.ts'
import {
  batchLimits,
  type Due,
  type DutyLimits,
  type Facts,
  findDue,
  findDutyFault,
  type SkippedDue,
  skippedDue,
} from './duty.ts'
import { encodeHeader, type Header, headerHash, type Origin, type SlotFields } from './header.ts'
import type { Ledger } from './ledger.ts'
import { MerkleLog } from './merkle.ts'
import {
  applyOperation,
  type Context,
  decodeOperation,
  encodeOperation,
  type Operation,
  operationId,
  type Refusal,
} from './operation.ts'
import type { SignedOperation } from './signed.ts'
import type { HashedSteps } from './steps.ts'

/** What a batch is executed under, apart from the state it starts from. */
export interface BatchContext extends Context {
  readonly network: Uint8Array
  readonly facts: Facts
  readonly origin: Origin
}

/**
 * One batch on top of a ledger, operation by operation. The sequencer builds with it and every node checks with it,
 * so there is nothing that one of them does and the other does not.
 */
export class BatchExecution {
  private readonly context: BatchContext
  /** The context, except that a signature which was checked before counts. */
  private readonly judging: Context
  private readonly limits: DutyLimits
  private signedBy: Uint8Array | undefined
  private readonly ledger: Ledger
  private readonly pre: Uint8Array
  private readonly ids = new MerkleLog()
  private readonly encoded: Uint8Array[] = []
  private readonly claimed: Claim[] = []
  private readonly usedUp: number[] = []

  constructor(context: BatchContext, ledger: Ledger, limits: DutyLimits = batchLimits(context.params)) {
    if (ledger.steps > 0) throw new Error('another batch is under way on this ledger')
    this.context = context
    this.judging = { ...context, isSigned: (owner, operation) => this.isSigned(owner, operation) }
    this.limits = limits
    this.ledger = ledger
    this.pre = ledger.root
  }

  get count(): number {
    return this.encoded.length
  }

  get operations(): readonly Uint8Array[] {
    return this.encoded
  }

  /** What its withdrawals claim from the vault so far. */
  get claims(): readonly Claim[] {
    return this.claimed
  }

  /** Indices of forced operations that were refused, and so changed nothing. */
  get idle(): readonly number[] {
    return this.usedUp
  }

  /** Root over the first `count` operations so far: what a tick promises. */
  opsRoot(count = this.count): Uint8Array {
    return this.ids.root(count)
  }

  /** Path of an operation among the first `count` so far. */
  provePath(index: number, count = this.count): Uint8Array[] {
    return this.ids.prove(index, 1, count)
  }

  /** The deposit or forced operation that must come next, if one must. */
  due(): Due | undefined {
    const { facts, origin } = this.context
    return findDue(this.limits, facts, origin.height, this.ledger.totals, this.count)
  }

  /** Adds an operation that comes as bytes: from a peer, or from disk. */
  addBytes(bytes: Uint8Array, id: Uint8Array = operationId(bytes), signedBy?: Uint8Array): Refusal | undefined {
    const operation = decodeOperation(bytes)
    return operation === undefined ? 'undecodable' : this.add(operation, bytes, id, signedBy)
  }

  /**
   * Adds the next operation, or says why it can't stand; then nothing has changed.
   * @param signedBy the key by which exactly these bytes were found signed before; any other owner is checked here
   */
  add(
    operation: Operation,
    bytes = encodeOperation(operation),
    id: Uint8Array = operationId(bytes),
    signedBy?: Uint8Array,
  ): Refusal | undefined {
    const fault = findDutyFault(this.context.params, this.due(), operation)
    if (fault !== undefined) return fault
    this.signedBy = signedBy
    const outcome = applyOperation(this.judging, this.ledger.tree, this.ledger.totals, operation)
    if (!outcome.ok) return outcome.refusal
    if (outcome.totals.withdrawals > this.ledger.totals.withdrawals) this.claim(operation)
    if (operation.kind === 'forced' && outcome.updates.length === 0) this.usedUp.push(this.count)
    this.ledger.apply(outcome.updates, outcome.totals)
    this.ids.append(id)
    this.encoded.push(bytes)
    return undefined
  }

  private claim(operation: Operation): void {
    const withdrawal = operation.kind === 'forced' ? operation.operation : operation
    if (withdrawal.kind === 'withdrawal') this.claimed.push(claimOf(this.ledger.totals.withdrawals, withdrawal))
  }

  private isSigned(owner: Uint8Array, operation: SignedOperation): boolean {
    const known = this.signedBy !== undefined && equalBytes(owner, this.signedBy)
    return known || this.context.isSigned(owner, operation)
  }

  /** Adds everything that is due; deposits go to the cell that `cellOf` names, or to a new one. */
  addDue(cellOf: (key: Uint8Array) => number | undefined): void {
    for (let due = this.due(); due !== undefined; due = this.due()) {
      const refusal = this.add(this.operationFor(due, cellOf))
      if (refusal !== undefined) throw new Error(`what is due can't be added: ${refusal}`)
    }
  }

  private operationFor(due: Due, cellOf: (key: Uint8Array) => number | undefined): Operation {
    if (due.kind === 'forced') return due.operation
    return creditOf(this.context.params, due.swept, cellOf(due.swept.deposit.key) ?? this.ledger.totals.count)
  }

  /** Hashes all steps. The ledger then stands after this batch. */
  seal(): SealedBatch {
    return this.sealed(this.ledger.seal())
  }

  /** `seal`, where somebody has hashed what `Ledger.cut` gave. */
  settle(hashed: HashedSteps): SealedBatch {
    return this.sealed(this.ledger.settle(hashed))
  }

  private sealed({ roots, stepsRoot, delta }: HashedSteps): SealedBatch {
    const { pre, ids, encoded: operations, claimed: claims, usedUp: idle } = this
    const [post, opsRoot] = [this.ledger.root, ids.root()]
    return { pre, post, opsRoot, stepRoots: roots, stepsRoot, operations, claims, idle, delta }
  }

  /** Takes everything back. @param hashed as for `Ledger.abandon` */
  abandon(hashed?: HashedSteps): void {
    this.ledger.abandon(hashed)
  }
}

export interface SealedBatch {
  readonly pre: Uint8Array
  readonly post: Uint8Array
  readonly opsRoot: Uint8Array
  readonly stepsRoot: Uint8Array
  /** A row: the state root after each operation. */
  readonly stepRoots: Uint8Array
  readonly operations: readonly Uint8Array[]
  /** What its withdrawals claim from the vault, in order. */
  readonly claims: readonly Claim[]
  /** Indices of forced operations that changed nothing. */
  readonly idle: readonly number[]
  /** For `Ledger.undo`. */
  readonly delta: Uint8Array
}

export interface BatchPlace {
  readonly network: Uint8Array
  readonly number: number
  readonly parent: Uint8Array
  readonly origin: Origin
}

export interface BuiltHeader {
  readonly header: Header
  readonly bytes: Uint8Array
  readonly hash: Uint8Array
}

export function buildHeader(
  place: BatchPlace,
  sealed: Pick<SealedBatch, 'pre' | 'post' | 'opsRoot' | 'stepsRoot' | 'operations'>,
  slots: SlotFields,
): BuiltHeader {
  const { pre, post, opsRoot, stepsRoot, operations } = sealed
  const header: Header = { ...place, pre, post, opsRoot, stepsRoot, opCount: operations.length, ...slots }
  const bytes = encodeHeader(header)
  return { header, bytes, hash: headerHash(bytes) }
}

export type BatchFault =
  | { readonly at: number; readonly refusal: Refusal }
  | { readonly at: 'end'; readonly refusal: SkippedDue }

export type Checked =
  | { readonly ok: true; readonly sealed: SealedBatch }
  /** Steps before the fault, with their true roots; the ledger stands where it stood before. */
  | { readonly ok: false; readonly fault: BatchFault | undefined; readonly stepRoots: Uint8Array }

/**
 * Re-executes a batch whose operations hash to its header's opsRoot. `fault` undefined with ok false means that all
 * operations stand and the committed roots differ. `signers` holds, by index, keys that signatures were checked for before.
 */
export function checkBatch(
  context: BatchContext,
  ledger: Ledger,
  header: Header,
  operations: readonly Uint8Array[],
  ids: readonly Uint8Array[],
  signers: readonly (Uint8Array | undefined)[] = [],
): Checked {
  const execution = new BatchExecution(context, ledger)
  const fault = findFault(execution, operations, ids, signers)
  const sealed = execution.seal()
  const agrees = equalBytes(sealed.stepsRoot, header.stepsRoot) && equalBytes(sealed.post, header.post)
  if (fault === undefined && agrees) return { ok: true, sealed }
  ledger.undo(sealed.delta)
  return { ok: false, fault, stepRoots: sealed.stepRoots }
}

function findFault(
  execution: BatchExecution,
  operations: readonly Uint8Array[],
  ids: readonly Uint8Array[],
  signers: readonly (Uint8Array | undefined)[],
): BatchFault | undefined {
  for (const [at, bytes] of operations.entries()) {
    const refusal = execution.addBytes(bytes, ids[at] as Uint8Array, signers[at])
    if (refusal !== undefined) return { at, refusal }
  }
  const due = execution.due()
  return due === undefined ? undefined : { at: 'end', refusal: skippedDue(due) }
}
