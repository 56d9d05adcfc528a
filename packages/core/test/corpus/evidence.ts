import { concatBytes } from '../../src/bytes.ts'
import type { Credit } from '../../src/deposit.ts'
import { type Evidence, encodeEvidence, type StepEvidence, verifyEvidence } from '../../src/evidence.ts'
import type { Forced } from '../../src/forced.ts'
import { type AnchoredLink, type Header, headerHash } from '../../src/header.ts'
import type { Operation } from '../../src/operation.ts'
import { proveEnd, proveStep } from '../../src/prove.ts'
import { encodeSigned, type SignedOperation } from '../../src/signed.ts'
import { depositTransaction, forcedTransaction, resetCoins } from '../bitcoin.ts'
import { factsWith, headerEvidence, linkOf, proveAgainst } from '../challenger.ts'
import {
  fundedRollup,
  mint,
  nothing,
  pay as payAny,
  payNew as payNewAny,
  type Rig,
  realOwners,
  rig,
  withdraw as withdrawAny,
  withRoot,
} from '../economy.ts'
import { type Batch, contextOf, execute, type Rollup } from '../rollup.ts'
import { bytes32, type Payment, type Taking } from '../world.ts'
import { type Json, toJson } from './json.ts'

const pay = (from: number, to: number, nonce: number, more: Partial<Payment> = {}) =>
  payAny(from, to, nonce, more, realOwners)
const payNew = (from: number, to: number, nonce: number) => payNewAny(from, to, nonce, realOwners)
const withdraw = (from: number, nonce: number, more: Partial<Taking> = {}) => withdrawAny(from, nonce, more, realOwners)
const START = { height: 0, tx: 0, index: 0 }

/** A batch, what is claimed against it, and in whose court. */
interface Trial {
  readonly rollup: Rollup
  readonly batch: Batch
  readonly evidence: Evidence
  /** Where the anchor says something else than the header. */
  readonly link?: Partial<AnchoredLink>
}

function trialOf(rollup: Rollup, batch: Batch): Trial {
  const evidence = proveAgainst(rollup, batch)
  if (evidence === undefined) throw new Error('there is no evidence')
  return { rollup, batch, evidence }
}

function funded(cells = 5) {
  resetCoins()
  return fundedRollup(cells, realOwners)
}

/** A batch whose second operation can't stand. */
function refusedOperation(operation: Operation | Uint8Array): Trial {
  const { rollup } = funded()
  const operations = [payNew(1, 5, 0), operation, payNew(2, 6, 0)]
  return trialOf(rollup, rollup.put(rig(rollup.context, rollup.ledger, operations, 1, nothing)))
}

function minted(cells: number, operation: Operation, cell: number): Trial {
  const { rollup } = funded(cells)
  return trialOf(rollup, rollup.put(rig(rollup.context, rollup.ledger, [operation], 0, mint(rollup.context, cell, 1n))))
}

function wrongRoot(at: number): Trial {
  const { rollup } = funded()
  const honest = rollup.build(pay(0, 1, 0), payNew(1, 5, 0), pay(2, 3, 0))
  return trialOf(rollup, rollup.lie({}, { stepRoots: withRoot(honest.stepRoots, at, bytes32(0xee)) }))
}

/** Two deposits are due; the batch is built as if there were those that `change` leaves. */
function deposits(keep: (at: number) => boolean, more: Partial<{ value: bigint }>, ...operations: Operation[]): Trial {
  const { rollup } = funded()
  rollup.mine(
    ...rollup.swept(depositTransaction(realOwners.key(0), 1_000n), depositTransaction(realOwners.key(1), 2_000n)),
  )
  const all = rollup.facts.allSweptAfter(START)
  const late = rollup.facts.allSweptAfter(rollup.ledger.totals.depositCursor)
  const seen = [
    ...all.slice(0, -2),
    ...late.filter((_, at) => keep(at)).map((one) => ({ ...one, deposit: { ...one.deposit, ...more } })),
  ]
  const context = contextOf(factsWith(rollup, seen), rollup.origin, realOwners.isSigned)
  return trialOf(rollup, rollup.put(execute(context, rollup.ledger, operations)))
}

const forcing = (operation: SignedOperation, height: number): Forced => {
  return { kind: 'forced', position: { height, tx: 1, index: 0 }, operation }
}

/** Two operations were forced, F blocks below the origin. */
function withForced(cells: number, ...operations: readonly SignedOperation[]) {
  const { rollup } = funded(cells)
  rollup.mine(...operations.map(forcedTransaction))
  rollup.mine()
  rollup.mine()
  const due = operations.map((operation, at): Forced => {
    return { kind: 'forced', position: { height: rollup.bitcoin.height - 2, tx: 1 + at, index: 0 }, operation }
  })
  return { rollup, due }
}

/** The batch is built as if the entries were those that `change` makes of them. */
function forced(change: (entries: [Forced, Forced]) => readonly Forced[], ...operations: Operation[]): Trial {
  const { rollup, due } = withForced(5, withdraw(0, 0), withdraw(1, 0))
  const context = contextOf(factsWith(rollup, [], change(due as [Forced, Forced])), rollup.origin, realOwners.isSigned)
  return trialOf(rollup, rollup.put(execute(context, rollup.ledger, operations)))
}

/** A payment to a new cell is used up, as it is carried to somebody else's. */
function misplaced(): Trial {
  const { rollup, due } = withForced(4, payNew(0, 4, 0))
  const [entry] = due as [Forced]
  const lie: Forced = { ...entry, operation: { ...payNew(0, 4, 0), toCell: 1 } }
  return trialOf(rollup, rollup.put(rig(rollup.context, rollup.ledger, [lie], 0, nothing)))
}

/** The step that makes an empty cell. */
const birth: Rig = ({ totals }, operation) => {
  const { position } = operation as Forced
  const account = { owner: realOwners.key(4), nonce: 0n, balance: 0n }
  return {
    updates: [{ cell: totals.count, account }],
    totals: { ...totals, count: totals.count + 1, forcedCursor: position },
  }
}

/** @param link what the anchor says instead of what the header does */
function badHeader(instead: Partial<Header>, link: Partial<AnchoredLink> = {}): Trial {
  const { rollup, last } = funded()
  rollup.build(pay(0, 1, 0))
  const batch = rollup.lie(instead)
  return { rollup, batch, evidence: headerEvidence(batch, last), link }
}

function noHeader(): Trial {
  const trial = badHeader({})
  const header = trial.batch.headerBytes.slice(1)
  return { ...trial, evidence: { ...trial.evidence, header }, link: { headerHash: headerHash(header) } }
}

function oldOrigin(): Trial {
  const { rollup, last } = funded()
  const { height } = last.header.origin
  rollup.build(pay(0, 1, 0))
  const below = { height: height - 1, hash: rollup.facts.blockHash(height - 1) ?? bytes32(0) }
  const batch = rollup.lie({ origin: below })
  return { rollup, batch, evidence: headerEvidence(batch, last) }
}

function guilty(): [string, () => Trial][] {
  const forged = { ...pay(0, 2, 0), signature: pay(1, 2, 0).signature }
  const invented: Credit = {
    kind: 'deposit',
    position: { height: 104, tx: 1, index: 0 },
    key: realOwners.key(0),
    amount: 10n ** 6n,
    cell: 0,
  }
  return [
    ['step: the operation does not decode', () => refusedOperation(Uint8Array.of(9, 9))],
    ['step: a payer that does not exist', () => refusedOperation(pay(0, 1, 0, { from: 77 }))],
    ['step: no cell of it exists', () => refusedOperation(pay(0, 1, 0, { from: 77, toCell: 78 }))],
    ['step: nothing is transferred', () => refusedOperation(pay(0, 1, 0, { amount: 0n }))],
    ['step: an expiry passed', () => refusedOperation(pay(0, 1, 0, { expiry: 104 }))],
    [
      'step: a cell created unasked',
      () => refusedOperation(pay(0, 9, 0, { toCell: 6, mayCreate: false, fee: 10_100n })),
    ],
    ['step: a fee below the minimum', () => refusedOperation(pay(0, 1, 0, { fee: 99n }))],
    ['step: a fee that does not pay for the cell', () => refusedOperation({ ...payNew(0, 6, 0), fee: 10_099n })],
    ['step: another owner’s cell', () => refusedOperation(pay(0, 1, 0, { toCell: 2 }))],
    ['step: a nonce too high', () => refusedOperation(pay(0, 1, 1))],
    ['step: a nonce used before', () => refusedOperation(pay(1, 0, 0))],
    ['step: a transfer to oneself', () => refusedOperation(pay(0, 0, 0))],
    ['step: more than there is', () => refusedOperation(pay(0, 1, 0, { amount: 10n ** 8n }))],
    ['step: another’s signature', () => refusedOperation(forged)],
    ['step: a withdrawal of more than there is', () => refusedOperation(withdraw(0, 0, { amount: 10n ** 8n }))],
    ['step: a withdrawal of dust', () => refusedOperation(withdraw(0, 0, { amount: 1_545n }))],
    [
      'step: a withdrawal that pays too little for its payout',
      () => refusedOperation(withdraw(0, 0, { payoutFee: 0n })),
    ],
    ['step: another’s withdrawal', () => refusedOperation({ ...withdraw(0, 0), signature: withdraw(2, 0).signature })],
    ['step: a withdrawal that leaves the money where it was', () => minted(5, withdraw(0, 0), 0)],
    ['step: a deposit that nobody made', () => refusedOperation(invented)],
    ['step: fees for somebody else', () => refusedOperation({ kind: 'collect', cell: 0, amount: 10n })],
    ['step: a wrong root, the first', () => wrongRoot(0)],
    ['step: a wrong root, where a cell is created', () => wrongRoot(1)],
    ['step: a wrong root, the last', () => wrongRoot(2)],
    ['step: money for the payee', () => minted(5, pay(0, 1, 0), 1)],
    ['step: money for a created cell, the tree does not grow', () => minted(3, payNew(0, 3, 0), 3)],
    ['step: money for a created cell, the tree grows', () => minted(4, payNew(0, 4, 0), 4)],
    ['step: money for the second cell of a tree of one', () => minted(1, payNew(0, 1, 0), 1)],
    ['step: a due deposit skipped', () => deposits(() => false, {}, pay(0, 1, 0))],
    ['step: deposits out of order', () => deposits((at) => at === 1, {})],
    ['step: a deposit of another amount', () => deposits(() => true, { value: 1_500n })],
    ['end: a due deposit skipped', () => deposits((at) => at === 0, {})],
    ['end: due deposits skipped by an empty batch', () => deposits(() => false, {})],
    ['step: something forced that nobody forced', () => refusedOperation(forcing(withdraw(0, 0), 104))],
    ['step: what was forced skipped', () => forced(() => [], pay(0, 1, 0))],
    ['step: what was forced changed', () => forced(([one]) => [{ ...one, operation: withdraw(1, 0) }])],
    ['step: what was forced to a new cell carried to another', misplaced],
    ['step: what was forced out of order', () => forced(([, two]) => [two])],
    ['end: what was forced skipped', () => forced(([one]) => [one])],
    [
      'step: what was forced and can’t stand makes a cell',
      () => {
        const { rollup, due } = withForced(4, payNew(0, 4, 7), withdraw(1, 0))
        return trialOf(rollup, rollup.put(rig(rollup.context, rollup.ledger, due, 0, birth)))
      },
    ],
    [
      'step: what was forced is used up, though it can stand',
      () => {
        const { rollup, due } = withForced(5, withdraw(0, 0), withdraw(1, 0))
        const skip: Rig = (ledger, operation) => {
          const { position } = operation as Forced
          return { updates: [], totals: { ...ledger.totals, forcedCursor: position } }
        }
        return trialOf(rollup, rollup.put(rig(rollup.context, rollup.ledger, due, 0, skip)))
      },
    ],
    [
      'end: the post root is not the last step’s',
      () => {
        const { rollup } = funded()
        rollup.build(pay(0, 1, 0), pay(1, 2, 0))
        return trialOf(rollup, rollup.lie({ post: bytes32(0xee) }))
      },
    ],
    ['header: bytes that are none', noHeader],
    ['header: another number than the link', () => badHeader({}, { number: 9 })],
    ['header: another parent than the link’s', () => badHeader({ parent: bytes32(1) }, { parent: funded().last.hash })],
    ['header: another post than the anchor', () => badHeader({}, { post: bytes32(1) })],
    ['header: an origin before the parent’s', oldOrigin],
    ['header: no operations, but the state moves', () => badHeader({ opCount: 0 })],
    ['header: the parent not signed', () => badHeader({ prevSig: new Uint8Array(96) })],
    ['header: another network', () => badHeader({ network: bytes32(1) })],
    ['header: another pre than the parent’s post', () => badHeader({ pre: bytes32(1) })],
    ['header: too many operations', () => badHeader({ opCount: 65 })],
    ['header: the origin is in no chain', () => badHeader({ origin: { height: 105, hash: bytes32(1) } })],
    [
      'step: the origin is in no chain',
      () => {
        const trial = wrongRoot(0)
        const batch = trial.rollup.lie({ origin: { height: 105, hash: bytes32(1) } })
        return { ...trial, batch, evidence: { ...trial.evidence, header: batch.headerBytes } }
      },
    ],
  ]
}

/** Everything that may be claimed against an honest batch, and is wrong. */
function innocent(): [string, Trial][] {
  const { rollup, last } = funded()
  const batch = rollup.build(pay(0, 1, 0), payNew(1, 5, 0), pay(2, 3, 0))
  rollup.ledger.undo(batch.delta)
  const [step, creating, third] = batch.operations.map((_, at) =>
    proveStep(rollup.context, rollup.ledger, batch, at),
  ) as [StepEvidence, StepEvidence, StepEvidence]
  const end = proveEnd(rollup.context, rollup.ledger, batch)
  rollup.ledger.redo(batch.delta)
  const [payer, payee] = step.cells as [Uint8Array, Uint8Array]
  const swapped = { ...step.step, before: step.step.after, after: step.step.before }
  const claims: [string, Evidence][] = [
    ['step: it is right', step],
    ['step: it creates a cell and is right', creating],
    ['end: no deposit was skipped', end],
    ['header: it is in order', headerEvidence(batch, last)],
    ['step: another header', { ...step, header: last.headerBytes }],
    ['header: no parent', headerEvidence(batch)],
    ['header: another parent', headerEvidence(batch, batch)],
    ['step: an index behind the last operation', { ...step, index: 3 }],
    ['step: another index', { ...step, index: 1 }],
    ['step: another operation', { ...step, operation: third.operation }],
    ['step: the operation’s path too short', { ...step, opHelpers: step.opHelpers.slice(1) }],
    ['step: the operation’s path too long', { ...step, opHelpers: [...step.opHelpers, bytes32(0)] }],
    ['step: before and after exchanged', { ...step, step: swapped }],
    ['step: another step', { ...step, step: third.step }],
    ['step: another state opened', { ...step, opening: third.opening }],
    ['step: other totals', { ...step, opening: { ...step.opening, totals: step.opening.totals.with(8, 1) } }],
    ['step: no cells', { ...step, cells: [] }],
    ['step: a cell missing', { ...step, cells: [payer] }],
    ['step: a cell twice', { ...step, cells: [payer, payer] }],
    ['step: the cells exchanged', { ...step, cells: [payee, payer] }],
    ['step: a richer cell', { ...step, cells: [payer.with(20, 1), payee] }],
    ['step: a node for a cell', { ...step, cells: [concatBytes(...step.cellHelpers.slice(0, 2)), payee] }],
    ['step: the cells’ path too short', { ...step, cellHelpers: step.cellHelpers.slice(1) }],
    ['step: the cells’ path too long', { ...step, cellHelpers: [...step.cellHelpers, bytes32(0)] }],
    ['step: the absent cell given', { ...creating, cells: [...creating.cells, new Uint8Array(64)] }],
    ['end: another state opened', { ...end, opening: step.opening }],
    ['end: another last step', { ...end, step: step.step }],
  ]
  return claims.map(([name, evidence]) => [name, { rollup, batch, evidence }])
}

function vectorOf(name: string, { rollup, batch, evidence, ...trial }: Trial): Json {
  const link = { ...linkOf(rollup, batch), ...trial.link }
  const verdict = verifyEvidence(rollup.derivation.court, link, evidence)
  return {
    ...{ name, link: toJson(link), evidence: toJson(encodeEvidence(evidence)) },
    ...(verdict.ok ? { fault: verdict.fault } : { refused: verdict.reason }),
    bitcoin: bitcoinOf(rollup),
  }
}

function forcedToJson(rollup: Rollup): Json {
  return rollup.facts
    .allForcedAfter(START)
    .map(({ position, operation }) => ({ ...(toJson(position) as object), operation: toJson(encodeSigned(operation)) }))
}

/** What of Bitcoin a court needs: block hashes from the scan height on, swept deposits, forced operations. */
function bitcoinOf(rollup: Rollup): Json {
  return {
    blocks: rollup.bitcoin.blocks.map(({ hash }) => toJson(hash)),
    forced: forcedToJson(rollup),
    swept: rollup.facts
      .allSweptAfter(START)
      .map(({ position, deposit: { key, value } }) => toJson({ ...position, key, value })),
  }
}

export function evidenceVectors(): Json {
  return {
    about:
      'verifyEvidence: a link, evidence in bytes, and the fault that it shows or why it shows none. Blocks are hashes from the scan height on',
    guilty: guilty().map(([name, make]) => vectorOf(name, make())),
    innocent: innocent().map(([name, trial]) => vectorOf(name, trial)),
  }
}
