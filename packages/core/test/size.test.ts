import { afterAll, describe, expect, test } from 'vitest'
import { encodeAccount } from '../src/cell.ts'
import { decodeEvidence, encodeEvidence, type StepEvidence, verifyEvidence } from '../src/evidence.ts'
import { L1Facts } from '../src/facts.ts'
import { hashPair, hashRecord, sha256, zeroHash } from '../src/hash.ts'
import { encodeHeader, type Header, headerHash } from '../src/header.ts'
import { depthOf, MerkleLog, proveLeaves, rowOf } from '../src/merkle.ts'
import { encodeOperation, type Operation, operationId } from '../src/operation.ts'
import { encodeTotals, GENESIS_TOTALS, stateRoot } from '../src/totals.ts'
import { factsOfBlock } from './facts.ts'
import { courtOf } from './rollup.ts'
import { slotsOf } from './slots.ts'
import { accountOf, bytes32, isSigned, keyOf, network, params, secretOf, sign } from './world.ts'

/**
 * The largest state and batch that proofs are measured at: 2^20 cells and 2^13 operations. All cells are alike, so that
 * each level of their tree has one node and nothing need be built.
 */
const OPERATIONS = 2 ** 13
const OWNER = keyOf(41)
const CELL = encodeAccount(accountOf(OWNER, 10n ** 9n))

/** A node over cells of which the first `count` are there. */
function nodeAt(count: number, level: number, index: number): Uint8Array {
  const first = index * 2 ** level
  if (first >= count) return zeroHash(level)
  if (first + 2 ** level <= count) return fullNode(level)
  return hashPair(nodeAt(count, level - 1, 2 * index), nodeAt(count, level - 1, 2 * index + 1))
}

const fullNodes = [hashRecord(CELL)]
function fullNode(level: number): Uint8Array {
  for (let have = fullNodes.length; have <= level; have++)
    fullNodes.push(hashPair(fullNodes[have - 1] as Uint8Array, fullNodes[have - 1] as Uint8Array))
  return fullNodes[level] as Uint8Array
}

/** Random leaves, but for one. */
function logAround(index: number, leaf: Uint8Array): MerkleLog {
  const leaves = Array.from({ length: OPERATIONS }, (_, at) =>
    at === index ? leaf : sha256(Uint8Array.of(at, at >> 8)),
  )
  const log = new MerkleLog()
  log.append(rowOf(leaves))
  return log
}

/** Evidence that operation `index`, which names these cells, leads to another state than the batch says. */
function evidenceAt(count: number, index: number, operation: Operation, cells: readonly number[]) {
  const totals = { ...GENESIS_TOTALS, count, supply: 10n ** 18n, fees: 10n ** 6n }
  const cellsRoot = nodeAt(count, depthOf(count), 0)
  const [before, after] = [stateRoot(cellsRoot, totals), bytes32(0xee)]
  const bytes = encodeOperation(operation)
  const ids = logAround(index, operationId(bytes))
  const steps = logAround(index, hashPair(before, after))
  const header: Header = {
    ...{
      network,
      number: 9,
      parent: bytes32(1),
      origin: { height: 101, hash: bytes32(101) },
      pre: bytes32(2),
      post: bytes32(3),
    },
    ...{ opsRoot: ids.root(), stepsRoot: steps.root(), opCount: OPERATIONS },
    ...slotsOf(9),
  }
  const grown = Math.max(count, (cells.at(-1) ?? 0) + 1)
  const evidence: StepEvidence = {
    claim: 'step',
    header: encodeHeader(header),
    index,
    operation: bytes,
    opHelpers: ids.prove(index),
    step: { before, after, helpers: steps.prove(index) },
    opening: { cellsRoot, totals: encodeTotals(totals) },
    cells: cells.filter((cell) => cell < count).map(() => CELL),
    cellHelpers: proveLeaves(grown, cells, (level, at) => nodeAt(count, level, at)),
  }
  return { header, bytes: encodeEvidence(evidence) }
}

function judge({ header, bytes }: ReturnType<typeof evidenceAt>): { said: string; ms: number } {
  const facts = new L1Facts(params.scanHeight)
  facts.append(101, bytes32(101), factsOfBlock())
  const link = {
    number: 9,
    headerHash: headerHash(encodeHeader(header)),
    post: header.post,
    anchorHeight: 102,
    parent: header.parent,
  }
  const court = courtOf(facts, isSigned)
  const start = performance.now()
  const evidence = decodeEvidence(bytes)
  const verdict = evidence && verifyEvidence(court, link, evidence)
  const ms = performance.now() - start
  return { said: verdict === undefined ? 'it does not decode' : verdict.ok ? verdict.fault : verdict.reason, ms }
}

const MIDDLE = 2 ** 19
const payment = (from: number, toCell: number, create = false) =>
  sign(secretOf(41), { from, toCell, to: OWNER, amount: 1n, fee: 10_100n, mayCreate: create })

const measured: string[] = []
// What a proof costs is for people to see; benchmarks hold it to a limit.
afterAll(() => void process.stdout.write(`${measured.join('\n')}\n`))

describe('evidence at a million cells and 8,192 operations is at most 3,000 bytes', () => {
  test.each<[string, number, number, number, number]>([
    ['cells at the two ends', 2 ** 20, 0, 2 ** 20 - 1, 0],
    ['cells on both sides of the middle', 2 ** 20, MIDDLE - 1, MIDDLE, OPERATIONS - 1],
    ['cells in both halves, the payer behind', 2 ** 20, MIDDLE + 12345, 54321, 4096],
    ['one cell short of a full tree', 2 ** 20 - 1, 0, 2 ** 20 - 2, 4095],
    ['one cell more than a full tree', 2 ** 20 + 1, 0, 2 ** 20, 1],
    ['the cell that fills the tree is created', 2 ** 20 - 1, 0, 2 ** 20 - 1, 5],
    ['the cell that makes the tree grow is created', 2 ** 20, 2 ** 20 - 1, 2 ** 20, 6],
    ['the second cell of a grown tree is created', 2 ** 20 + 1, 77, 2 ** 20 + 1, 7],
  ])('%s', (name, count, from, to, index) => {
    const made = evidenceAt(
      count,
      index,
      payment(from, to, to === count),
      [from, to].sort((a, b) => a - b),
    )
    expect(made.bytes.length).toBeLessThanOrEqual(3000)
    const { said, ms } = judge(made)
    expect(said).toBe('wrong-root')
    measured.push(`${made.bytes.length} bytes, ${ms.toFixed(1)} ms: ${name}`)
  })
})
