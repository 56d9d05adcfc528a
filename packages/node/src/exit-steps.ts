import {
  type BatchContext,
  comparePositions,
  decodeOperation,
  equalBytes,
  executeExit,
  isExit,
  type Ledger,
  type Origin,
  type Position,
  type SealedBatch,
} from '@kedge/core'
import type { ClaimIndex } from './claim-index.ts'
import { placeAmong } from './claims.ts'
import type { Follower } from './follow.ts'
import type { OwnerIndex } from './owners.ts'

export interface ExitParts {
  readonly follower: Follower
  readonly ledger: Ledger
  readonly owners: OwnerIndex
  readonly claims: ClaimIndex
  readonly contextOf: (place: { readonly origin: Origin }) => BatchContext
}

/** A block that moved the ledger. */
interface ExitStep {
  readonly height: number
  readonly hash: Uint8Array
  readonly delta: Uint8Array
  readonly sealed: Pick<SealedBatch, 'operations' | 'claims' | 'idle'>
}

/** What became of an operation that was forced, in a step of the exit. */
export interface ExitEntry {
  /** Of the block. */
  readonly height: number
  readonly effect: 'executed' | 'none'
  /** Of a withdrawal that was executed. */
  readonly claim?: number
}

/**
 * The ledger behind the last batch of a chain that has ended: each block of Bitcoin moves it on. Nothing of it is stored,
 * for it follows from that batch's ledger and Bitcoin alone; so what is on disk stays the ledger of the batch.
 */
export class ExitSteps {
  private readonly parts: ExitParts
  private readonly steps: ExitStep[] = []
  /** The last block whose step was taken, also where it changed nothing. */
  private reached = 0

  constructor(parts: ExitParts) {
    this.parts = parts
  }

  /** Whether the ledger is no batch's any more. */
  get isUnderWay(): boolean {
    return this.steps.length > 0
  }

  /** Whether every block of the exit has had its step. */
  get isDone(): boolean {
    const { chain } = this.parts.follower
    return !isExit(chain) || this.reached === chain.height
  }

  /** Takes back the steps of blocks that Bitcoin dropped. To be called at each fork, before the next block is read. */
  retreat(): void {
    const { follower, ledger, claims } = this.parts
    for (let last = this.steps.at(-1); last !== undefined && !this.stands(last); last = this.steps.at(-1)) {
      ledger.undo(last.delta)
      claims.truncate(ledger.totals.withdrawals)
      this.steps.pop()
    }
    this.reached = isExit(follower.chain) ? Math.min(this.reached, follower.chain.height) : 0
  }

  /** The ledger must stand after the last final batch, and the steps so far. */
  advance(): void {
    const { chain, facts } = this.parts.follower
    if (chain.exitFrom === undefined) return
    for (let height = Math.max(chain.exitFrom, this.reached + 1); height <= chain.height; height++) {
      const hash = facts.blockHash(height)
      if (hash === undefined) throw new Error(`block ${height}, which is a step of the exit, is missing`)
      this.step(height, hash)
    }
  }

  private step(height: number, hash: Uint8Array): void {
    const { ledger, owners, claims, contextOf } = this.parts
    const sealed = executeExit(contextOf({ origin: { height, hash } }), ledger, (key) => owners.find(key))
    if (sealed.operations.length > 0) this.steps.push({ height, hash, delta: sealed.delta, sealed })
    claims.append({ height, hash }, sealed.claims)
    this.reached = height
  }

  /** Of the entry that was forced at this position. */
  find(position: Position): ExitEntry | undefined {
    for (const { height, sealed } of this.steps) {
      const { operations, claims, idle } = sealed
      const index = operations.findIndex((bytes) => {
        const operation = decodeOperation(bytes)
        return operation?.kind === 'forced' && comparePositions(operation.position, position) === 0
      })
      if (index < 0) continue
      const claim = placeAmong(operations, claims, idle).find((placed) => placed.index === index)?.claim.number
      return { height, effect: idle.includes(index) ? 'none' : 'executed', ...(claim !== undefined && { claim }) }
    }
    return undefined
  }

  private stands({ height, hash }: ExitStep): boolean {
    const { chain, facts } = this.parts.follower
    const there = facts.blockHash(height)
    return isExit(chain) && there !== undefined && equalBytes(there, hash)
  }
}
