import fc from 'fast-check'
import { expect, test } from 'vitest'
import { concatBytes, equalBytes } from '../src/bytes.ts'
import { batchLimits, findDue } from '../src/duty.ts'
import {
  type Court,
  decodeEvidence,
  type EndEvidence,
  type Evidence,
  encodeEvidence,
  type Opening,
  type StepEvidence,
  type StepPair,
  verifyEvidence,
} from '../src/evidence.ts'
import { hashRecord, ZERO_HASH, zeroHash } from '../src/hash.ts'
import type { AnchoredLink } from '../src/header.ts'
import { encodeOperation, namedCells, type Operation } from '../src/operation.ts'
import { proveEnd, proveStep } from '../src/prove.ts'
import { decodeTotals, encodeTotals } from '../src/totals.ts'
import { forcedTransaction } from './bitcoin.ts'
import { headerEvidence, linkOf, proveAgainst } from './challenger.ts'
import { fundedRollup, mint, nothing, pay, payNew, rig, withdraw, withRoot } from './economy.ts'
import type { Batch, Rollup } from './rollup.ts'
import { bytes32, CASES, FUZZ_TIMEOUT, params } from './world.ts'

/** An honest batch in its court, and all that could be claimed against it. */
interface Case {
  readonly court: Court
  readonly link: AnchoredLink
  readonly claims: readonly Evidence[]
}

/**
 * Transfers in a ring, each third one to a new cell, so that the trees of cells and steps pass through powers of two;
 * each fifth one is a withdrawal instead.
 */
function operationsOf(cells: number, count: number, used = 0): Operation[] {
  const nonces = Array.from({ length: cells }, (_, cell) => (cell === 0 ? used : 0))
  let next = cells
  return Array.from({ length: count }, (_, at) => {
    const from = at % cells
    const nonce = nonces[from] as number
    nonces[from] = nonce + 1
    if (at % 5 === 4) return withdraw(from, nonce)
    return at % 3 === 0 || cells === 1 ? payNew(from, next++, nonce) : pay(from, (from + 1) % cells, nonce)
  })
}

function honestCase(cells: number, count: number): Case {
  const { rollup, last } = fundedRollup(cells)
  // Some batches begin with what was forced: one entry that stands, two that can't.
  const forced = count % 2 === 0 ? [withdraw(0, 0), payNew(0, cells, 9), withdraw(0, 9)] : []
  rollup.mine(...forced.map(forcedTransaction))
  rollup.mineUpTo(rollup.bitcoin.height + params.windows.forced)
  const batch = rollup.build(...operationsOf(cells, count, forced.length > 0 ? 1 : 0))
  rollup.ledger.undo(batch.delta)
  const steps = batch.operations.map((_, at) => proveStep(rollup.context, rollup.ledger, batch, at))
  const claims = [...steps, proveEnd(rollup.context, rollup.ledger, batch), headerEvidence(batch, last)]
  return { court: rollup.derivation.court, link: linkOf(rollup, batch), claims }
}

const HONEST = [1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17].flatMap((cells) =>
  [1, 2, 3, 4, 5, 8, 9].map((count) => honestCase(cells, count)),
)
const STEPS = HONEST.flatMap(({ claims }) => claims.filter((claim) => claim.claim === 'step'))

type Draw = (limit: number) => number
type Change<T> = (value: T, draw: Draw) => T

/** Hashes that could pass for something: of this proof, of another, of a cell's bytes, of nothing. */
function someHash(own: readonly Uint8Array[], draw: Draw): Uint8Array {
  const other = STEPS[draw(STEPS.length)] as StepEvidence
  const cell = other.cells[draw(2)] ?? new Uint8Array(64)
  const pool = [...own, ...other.cellHelpers, ...other.step.helpers, other.step.after, other.opening.cellsRoot]
  pool.push(
    ZERO_HASH,
    zeroHash(1),
    zeroHash(5),
    cell.slice(0, 32),
    cell.slice(32),
    hashRecord(cell),
    bytes32(draw(256)),
  )
  return pool[draw(pool.length)] as Uint8Array
}

const changeList: Change<readonly Uint8Array[]> = (list, draw) => {
  const at = draw(list.length + 1)
  const hash = someHash(list, draw)
  switch (draw(7)) {
    case 0:
      return list.toSpliced(at, 1)
    case 1:
      return list.toSpliced(at, 0, hash)
    case 2:
      return list.toSpliced(at, 1, hash)
    case 3:
      return list.slice(0, at)
    case 4:
      return list.toReversed()
    case 5:
      return [...list, ...list]
    default:
      return [...list.slice(at), ...list.slice(0, at)]
  }
}

const changeCells: Change<readonly Uint8Array[]> = (cells, draw) => {
  const other = STEPS[draw(STEPS.length)] as StepEvidence
  const foreign = [...cells, ...other.cells, new Uint8Array(64), concatBytes(someHash([], draw), someHash([], draw))]
  const cell = foreign[draw(foreign.length)] as Uint8Array
  const at = draw(cells.length + 1)
  switch (draw(5)) {
    case 0:
      return cells.toReversed()
    case 1:
      return cells.toSpliced(at, 1)
    case 2:
      return cells.toSpliced(at, draw(2), cell).slice(0, 2)
    case 3:
      return [cell, cell]
    default:
      return cells.map((one, index) => (index === at ? flip(one, draw) : one))
  }
}

function flip(bytes: Uint8Array, draw: Draw): Uint8Array {
  if (bytes.length === 0) return bytes
  const at = draw(bytes.length)
  return bytes.with(at, (bytes[at] as number) ^ (1 << draw(8)))
}

const changePair: Change<StepPair> = ({ before, after, helpers }, draw) => {
  switch (draw(5)) {
    case 0:
      return { before: after, after: before, helpers }
    case 1:
      return { before: someHash([after], draw), after, helpers }
    case 2:
      return { before, after: someHash([before], draw), helpers }
    case 3:
      return (STEPS[draw(STEPS.length)] as StepEvidence).step
    default:
      return { before, after, helpers: changeList(helpers, draw) }
  }
}

const changeOpening: Change<Opening> = (opening, draw) => {
  const totals = decodeTotals(opening.totals)
  switch (draw(4)) {
    case 0:
      return { ...opening, cellsRoot: someHash([opening.cellsRoot], draw) }
    case 1:
      return { ...opening, totals: flip(opening.totals, draw) }
    case 2:
      return totals === undefined
        ? opening
        : {
            ...opening,
            totals: encodeTotals({ ...totals, count: totals.count + 1 - draw(3) + (totals.count === 0 ? 1 : 0) }),
          }
    default:
      return (STEPS[draw(STEPS.length)] as StepEvidence).opening
  }
}

/** Changes near the end of the judge's way are made more often: many of those before it are noticed at once. */
const changeStep: Change<StepEvidence> = (claim, draw) => {
  const other = STEPS[draw(STEPS.length)] as StepEvidence
  const way = draw(20)
  if (way === 0) return { ...claim, header: draw(2) === 0 ? other.header : flip(claim.header, draw) }
  if (way === 1) return { ...claim, index: draw(2) === 0 ? other.index : claim.index + 1 }
  if (way === 2) return { ...claim, operation: draw(2) === 0 ? other.operation : flip(claim.operation, draw) }
  if (way < 5) return { ...claim, opHelpers: changeList(claim.opHelpers, draw) }
  if (way < 8) return { ...claim, step: changePair(claim.step, draw) }
  if (way < 11) return { ...claim, opening: changeOpening(claim.opening, draw) }
  if (way < 15) return { ...claim, cells: changeCells(claim.cells, draw) }
  return { ...claim, cellHelpers: changeList(claim.cellHelpers, draw) }
}

const changeEnd: Change<EndEvidence> = (claim, draw) => {
  const other = STEPS[draw(STEPS.length)] as StepEvidence
  switch (draw(3)) {
    case 0:
      return { ...claim, step: changePair(claim.step, draw) }
    case 1:
      return { ...claim, opening: changeOpening(claim.opening, draw) }
    default:
      return draw(9) === 0 ? { ...claim, header: other.header } : { ...claim, step: other.step }
  }
}

const change: Change<Evidence> = (claim, draw) => {
  if (claim.claim === 'step') return changeStep(claim, draw)
  if (claim.claim === 'end') return changeEnd(claim, draw)
  const field = (['header', 'parent', 'grandparent'] as const)[draw(3)] ?? 'header'
  const other = STEPS[draw(STEPS.length)] as StepEvidence
  const changed = [flip(claim[field], draw), other.header, new Uint8Array(0)][draw(3)] as Uint8Array
  return { ...claim, [field]: changed }
}

/** Numbers below a limit, from a seed (xorshift): one value for fast-check to note, however many are drawn. */
const draws = fc.integer({ min: 1, max: 0x7fffffff }).map((seed): Draw => {
  let state = seed
  return (limit) => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) % limit
  }
})

test(
  'no evidence verifies against an honest batch, however it is changed',
  () => {
    fc.assert(
      fc.property(draws, fc.integer({ min: 1, max: 3 }), (draw, changes) => {
        const { court, link, claims } = HONEST[draw(HONEST.length)] as Case
        let claim = claims[draw(claims.length)] as Evidence
        for (let at = 0; at < changes; at++) claim = change(claim, draw)
        expect(verifyEvidence(court, link, claim).ok).toBe(false)
        const bytes = encodeEvidence(claim)
        const decoded = decodeEvidence(bytes)
        if (decoded !== undefined) expect(equalBytes(encodeEvidence(decoded), bytes)).toBe(true)
      }),
      { numRuns: CASES },
    )
  },
  FUZZ_TIMEOUT,
)

test(
  'nor when its bytes are changed',
  () => {
    fc.assert(
      fc.property(draws, (draw) => {
        const { court, link, claims } = HONEST[draw(HONEST.length)] as Case
        let bytes = encodeEvidence(claims[draw(claims.length)] as Evidence)
        for (let at = draw(3); at >= 0; at--) bytes = flip(bytes, draw)
        if (draw(4) === 0) bytes = bytes.slice(0, draw(bytes.length))
        if (draw(4) === 0) bytes = concatBytes(bytes, someHash([], draw).slice(0, draw(33)))
        const evidence = decodeEvidence(bytes)
        if (evidence === undefined) return
        expect(equalBytes(encodeEvidence(evidence), bytes)).toBe(true)
        expect(verifyEvidence(court, link, evidence).ok).toBe(false)
      }),
      { numRuns: CASES },
    )
  },
  FUZZ_TIMEOUT,
)

/** Some hash, but never the true one: the worlds that hashes are drawn from begin alike. */
function otherHash(truth: Uint8Array, draw: Draw): Uint8Array {
  const hash = someHash([], draw)
  return equalBytes(hash, truth) ? bytes32(draw(256)) : hash
}

/** A lie of some kind at some place of a batch, with what it must be found guilty of. */
function tellLie(draw: Draw): { rollup: Rollup; batch: Batch; found: string } {
  const { rollup } = fundedRollup(1 + draw(9))
  const cells = rollup.ledger.tree.count
  const operations: (Operation | Uint8Array)[] = operationsOf(cells, 1 + draw(9))
  const at = draw(operations.length)
  const { context, ledger } = rollup
  switch (draw(4)) {
    case 0: {
      const honest = rollup.build(...operations)
      const root = otherHash(honest.stepRoots.subarray(32 * at, 32 * at + 32), draw)
      return {
        rollup,
        batch: rollup.lie({}, { stepRoots: withRoot(honest.stepRoots, at, root) }),
        found: `step ${at}: wrong-root`,
      }
    }
    case 1: {
      const named = namedCells(operations[at] as Operation)
      const cell = named[draw(named.length)] as number
      const batch = rollup.put(rig(context, ledger, operations, at, mint(context, cell, BigInt(1 + draw(1000)))))
      return { rollup, batch, found: `step ${at}: wrong-root` }
    }
    case 2: {
      const bad = flip(encodeOperation(operations[at] as Operation), () => 0)
      const batch = rollup.put(rig(context, ledger, [...operations.slice(0, at), bad], at, nothing))
      return { rollup, batch, found: `step ${at}: undecodable` }
    }
    default: {
      const { stepRoots } = rollup.build(...operations)
      const post = otherHash(stepRoots.subarray(-32), draw)
      return { rollup, batch: rollup.lie({ post }), found: 'end: post-is-not-last-step' }
    }
  }
}

test(
  'each lie yields evidence that verifies, and verifies for that batch alone',
  () => {
    fc.assert(
      fc.property(draws, (draw) => {
        const { rollup, batch, found } = tellLie(draw)
        const evidence = proveAgainst(rollup, batch)
        if (evidence === undefined) throw new Error('there is no evidence')
        const { court } = rollup.derivation
        const verdict = verifyEvidence(court, linkOf(rollup, batch), evidence)
        const place = evidence.claim === 'step' ? `step ${evidence.index}` : evidence.claim
        expect(verdict.ok ? `${place}: ${verdict.fault}` : verdict.reason).toBe(found)
        const other = HONEST[draw(HONEST.length)] as Case
        expect(verifyEvidence(other.court, other.link, evidence).ok).toBe(false)
        expect(findDue(batchLimits(court.params), court.facts, 0, rollup.ledger.totals, 0)).toBeUndefined()
      }),
      { numRuns: Math.ceil(CASES / 50) },
    )
  },
  FUZZ_TIMEOUT,
)
