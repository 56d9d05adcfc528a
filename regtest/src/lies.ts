import { randomBytes } from 'node:crypto'
import {
  applyOperation,
  type BatchPlace,
  buildHeader,
  type Context,
  decodeOperation,
  decodeTransfer,
  encodeTransfer,
  type Ledger,
  MerkleLog,
  merkleRoot,
  operationId,
  type Params,
  type Receipt,
  type SealedBatch,
  type SlotFields,
  stepLeaves,
  type Transfer,
  toHex,
} from '@kedge/core'
import type { Tamper } from '@kedge/sequencer'
import { promiseAgain } from './promise-again.ts'

/** What a sequencer can lie about, each as a change to one honest batch. */

export type LieName =
  | 'credit-itself'
  | 'forge-debit'
  | 'skip-deposit'
  | 'skip-forced'
  | 'garbage-steps'
  | 'withhold-data'
  | 'show-late'
  | 'break-promise'
  | 'promise-twice'

interface Lie {
  readonly tell: (honest: SealedBatch, ground: Ground) => SealedBatch
  /** What of it nobody gets to see. */
  readonly hides: (kind: 'header' | 'data' | 'steps', where: 'peers' | 'bitcoin') => boolean
}

/** What a batch stands on. */
interface Ground {
  readonly ledger: Ledger
  readonly context: Context
}

const nothing = () => false

export const LIES: Readonly<Record<LieName, Lie>> = {
  /** The recipient of the last payment gets a bitcoin out of nowhere; all hashes are in order. */
  'credit-itself': {
    tell: (honest, ground) => rewrite(honest, ground, { operations: honest.operations, gift: 100_000_000_000n }),
    hides: nothing,
  },
  /** One more payment from the last payer's account, which nobody signed. */
  'forge-debit': {
    tell: (honest, ground) => rewrite(honest, ground, { operations: [...honest.operations, forge(honest, ground)] }),
    hides: nothing,
  },
  /** A deposit that is due is left out. */
  'skip-deposit': {
    tell: (honest, ground) =>
      rewrite(honest, ground, { operations: honest.operations.filter((bytes) => !isDeposit(bytes)) }),
    hides: nothing,
  },
  /** What somebody forced on Bitcoin is left out. */
  'skip-forced': {
    tell: (honest, ground) =>
      rewrite(honest, ground, { operations: honest.operations.filter((bytes) => !isForced(bytes)) }),
    hides: nothing,
  },
  /** Step roots that nobody can open: the payments are shown, what each leads to is not. */
  'garbage-steps': {
    tell: (honest) => ({ ...honest, stepsRoot: Uint8Array.from(randomBytes(32)) }),
    hides: (kind) => kind === 'steps',
  },
  /** An honest batch that nobody else gets to see. */
  'withhold-data': { tell: (honest) => honest, hides: () => true },
  /** An honest batch that peers don't get to see, but whoever demands it on Bitcoin. */
  'show-late': { tell: (honest) => honest, hides: (_, where) => where === 'peers' },
  /** The first payment is left out, though its payer was promised its place; the batch is in order. */
  'break-promise': {
    tell: (honest, ground) => {
      const first = honest.operations.findIndex(isTransfer)
      return rewrite(honest, ground, { operations: honest.operations.toSpliced(first, 1) })
    },
    hides: nothing,
  },
  /** Two payers are promised a place in one slot; the batches are honest. */
  'promise-twice': { tell: (honest) => honest, hides: nothing },
}

/** Lies once for each time it is told to, in the next batch that gives occasion. */
export class Liar implements Tamper {
  private readonly params: Params
  private readonly slotSecret: Uint8Array
  private next: LieName | undefined
  /** What the last payer was promised. */
  private promised: Receipt | undefined
  /** What payers were promised falsely, by operation: a liar sticks to it. */
  private readonly told = new Map<string, Receipt>()
  /** A key, as hex. */
  private ignored: string | undefined
  /** By header hash. */
  private readonly hidden = new Map<string, Lie['hides']>()

  /** Asked by several parts of a node, without this object in front. */
  readonly mayServe: Tamper['mayServe'] = (headerHash, kind, where) =>
    this.hidden.get(toHex(headerHash))?.(kind, where) !== true

  constructor(params: Params, slotSecret: Uint8Array) {
    this.params = params
    this.slotSecret = slotSecret
  }

  lieAbout(name: LieName): void {
    this.next = name
  }

  /** Takes nothing of this key's owner from now on; without one, it takes everybody's again. */
  ignore(key: string | undefined): void {
    this.ignored = key
  }

  ignores(payer: Uint8Array): boolean {
    return this.ignored === toHex(payer)
  }

  promise(honest: Receipt, operation: Uint8Array): Receipt {
    const before = this.promised
    const name = toHex(operationId(operation))
    const told = this.told.get(name)
    if (told !== undefined) return told
    this.promised = honest
    if (this.next !== 'promise-twice' || before === undefined) return honest
    this.next = undefined
    const lie = promiseAgain(this.params, this.slotSecret, before, operation)
    this.told.set(name, lie)
    return lie
  }

  seal(honest: SealedBatch, ledger: Ledger, place: BatchPlace, slots: SlotFields): SealedBatch {
    const name = this.next
    if (name === undefined || !givesOccasion(name, honest)) return honest
    this.next = undefined
    const context = { params: this.params, originHeight: place.origin.height, isSigned: () => true }
    const told = LIES[name].tell(honest, { ledger, context })
    this.hidden.set(toHex(buildHeader(place, told, slots).hash), LIES[name].hides)
    return told
  }
}

function givesOccasion(name: LieName, { operations }: SealedBatch): boolean {
  if (name === 'promise-twice') return false
  if (name === 'skip-deposit') return operations.some(isDeposit)
  return name === 'skip-forced' ? operations.some(isForced) : lastTransfer(operations) !== undefined
}

interface Rewriting {
  readonly operations: readonly Uint8Array[]
  /** Millisatoshis for the last recipient, in the last step. */
  readonly gift?: bigint
}

/**
 * The batch as it would be with these operations, if signatures and duties did not matter: roots that agree with each
 * other, so that only re-execution finds the fault. The ledger is as before in the end.
 */
function rewrite(honest: SealedBatch, { ledger, context }: Ground, { operations, gift }: Rewriting): SealedBatch {
  ledger.undo(honest.delta)
  const ids = new MerkleLog()
  for (const [at, bytes] of operations.entries()) {
    const isLast = at === operations.length - 1
    applyBlindly({ ledger, context }, bytes, isLast && gift !== undefined ? gift : 0n)
    ids.append(operationId(bytes))
  }
  const { roots, delta } = ledger.seal()
  const post = ledger.root
  ledger.undo(delta)
  ledger.redo(honest.delta)
  const stepsRoot = merkleRoot(stepLeaves(honest.pre, roots))
  return { ...honest, post, opsRoot: ids.root(), stepRoots: roots, stepsRoot, operations }
}

/** @param gift for the last cell that the operation touches: a transfer's recipient */
function applyBlindly({ ledger, context }: Ground, bytes: Uint8Array, gift: bigint): void {
  const operation = decodeOperation(bytes)
  const outcome = operation && applyOperation(context, ledger.tree, ledger.totals, operation)
  if (outcome?.ok !== true) throw new Error(`a lie that does not even look right: ${outcome?.refusal}`)
  const updates = outcome.updates.map((update, at, all) =>
    at === all.length - 1
      ? { ...update, account: { ...update.account, balance: update.account.balance + gift } }
      : update,
  )
  ledger.apply(updates, outcome.totals)
}

/** All that the last payer has left, for the last recipient, under the signature of another payment. */
function forge({ operations }: SealedBatch, { ledger, context }: Ground): Uint8Array {
  const last = lastTransfer(operations)
  if (last === undefined) throw new Error('there is no payer to forge for')
  const { nonce, balance } = ledger.tree.account(last.from)
  const fee = context.params.fees.transfer
  return encodeTransfer({ ...last, nonce, amount: balance - fee, fee, mayCreate: false })
}

function lastTransfer(operations: readonly Uint8Array[]): Transfer | undefined {
  const last = operations.findLast(isTransfer)
  return last && decodeTransfer(last)
}

function isTransfer(bytes: Uint8Array): boolean {
  return decodeOperation(bytes)?.kind === 'transfer'
}

function isDeposit(bytes: Uint8Array): boolean {
  return decodeOperation(bytes)?.kind === 'deposit'
}

function isForced(bytes: Uint8Array): boolean {
  return decodeOperation(bytes)?.kind === 'forced'
}
