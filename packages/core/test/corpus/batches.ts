import { concatBytes } from '../../src/bytes.ts'
import { Writer } from '../../src/codec.ts'
import { MerkleLog, merkleRoot, rowOf } from '../../src/merkle.ts'
import { encodeOperation, operationId } from '../../src/operation.ts'
import { decodePart, encodeParts, encodeWhole } from '../../src/publication.ts'
import { stepLeaves } from '../../src/steps.ts'
import { resetCoins } from '../bitcoin.ts'
import { fundedRollup, pay, payNew, realOwners } from '../economy.ts'
import { type Batch, commit } from '../rollup.ts'
import { bytes32, network, params } from '../world.ts'
import { type Json, toJson } from './json.ts'
import { stateToJson } from './operations.ts'

/** Five honest operations on five cells, with everything that is committed to. */
export function batchVectors(): Json {
  resetCoins()
  const { rollup } = fundedRollup(5, realOwners)
  const cells = () => Array.from({ length: rollup.ledger.tree.count }, (_, cell) => rollup.ledger.tree.account(cell))
  const pre = stateToJson({ accounts: cells(), totals: rollup.ledger.totals })
  const batch = rollup.build(
    pay(0, 1, 0, {}, realOwners),
    payNew(1, 5, 0, realOwners),
    { kind: 'collect', cell: 6, amount: 30_000n },
    payNew(2, 7, 0, realOwners),
    payNew(3, 8, 0, realOwners),
  )
  return {
    about: 'a batch of five operations: the state before it, each state root, the header, and the state after it',
    originHeight: batch.header.origin.height,
    pre,
    operations: toJson(batch.operations),
    operationIds: toJson(batch.operations.map(operationId)),
    stepRoots: batch.operations.map((_, at) => toJson(batch.stepRoots.slice(32 * at, 32 * at + 32))),
    header: toJson(batch.header),
    headerBytes: toJson(batch.headerBytes),
    headerHash: toJson(batch.hash),
    post: stateToJson({ accounts: cells(), totals: rollup.ledger.totals }),
  }
}

const place = { network, number: 7, parent: bytes32(6), origin: { height: 150, hash: bytes32(5) } }

function committed(count: number): Batch {
  const operations = Array.from({ length: count }, (_, at) =>
    encodeOperation({ kind: 'collect', cell: at, amount: 1n }),
  )
  const stepRoots = rowOf(Array.from({ length: count }, (_, at) => bytes32(0x40 + at)))
  return commit(place, { pre: bytes32(1), operations, stepRoots })
}

function partOf(name: string, kind: 'data' | 'steps', batch: Batch, bytes: Uint8Array): Json {
  const part = decodePart(kind, batch.hash, bytes)
  const leaves =
    part &&
    (kind === 'data'
      ? part.operations
      : Array.from({ length: part.count }, (_, at) => part.stepRoots.slice(32 * at, 32 * at + 32)))
  const read = part === undefined ? { refused: true } : { start: part.start, count: part.count, leaves: toJson(leaves) }
  return { name, kind, headerHash: toJson(batch.hash), part: toJson(bytes), ...read }
}

/** A tree of steps that breaks off after two and goes on elsewhere, and its two halves. */
function brokenSteps(): Json[] {
  const { operations, stepRoots } = committed(4)
  const [pre, elsewhere] = [bytes32(1), bytes32(0xee)]
  const leaves = concatBytes(stepLeaves(pre, stepRoots.slice(0, 64)), stepLeaves(elsewhere, stepRoots.slice(64)))
  const batch = commit(place, { pre, operations, stepRoots }, { stepsRoot: merkleRoot(leaves) })
  const log = new MerkleLog()
  log.append(leaves)
  const part = (start: number, first: number, roots: Uint8Array) =>
    new Writer()
      .sized(batch.headerBytes)
      .u32(start)
      .u32(2)
      .fixed(roots, roots.length)
      .hashes(log.prove(first, start + 2 - first)).bytes
  return [
    partOf(
      'steps that break off: up to the break',
      'steps',
      batch,
      part(0, 0, concatBytes(pre, stepRoots.slice(0, 64))),
    ),
    partOf(
      'steps that break off: from the break on, without the pair before it',
      'steps',
      batch,
      part(2, 2, concatBytes(elsewhere, stepRoots.slice(64))),
    ),
    partOf(
      'steps that break off: from the break on, with the pair before it',
      'steps',
      batch,
      part(2, 1, stepRoots.slice(0)),
    ),
  ]
}

export function partVectors(): Json {
  const right = (['data', 'steps'] as const).flatMap((kind) =>
    [0, 1, 2, 3, 4, 5].flatMap((count) => {
      const batch = committed(count)
      const parts = encodeParts(kind, batch, 2)
      return [
        partOf(`the whole of ${count}`, kind, batch, encodeWhole(kind, batch)),
        ...(parts.length > 1
          ? parts.map((bytes, at) => partOf(`part ${at + 1} of ${parts.length} of ${count}`, kind, batch, bytes))
          : []),
      ]
    }),
  )
  const batch = committed(3)
  const padded = concatBytes(rowOf(batch.operations.map(operationId)), bytes32(0xee))
  const fuller = commit(place, batch, { opsRoot: merkleRoot(padded) })
  const whole = encodeWhole('data', batch)
  const wrong = [
    partOf('a byte behind it', 'data', batch, concatBytes(whole, Uint8Array.of(0))),
    partOf('a byte short', 'data', batch, whole.slice(0, -1)),
    partOf('another batch’s', 'data', committed(4), whole),
    partOf('another start', 'data', batch, whole.with(369, 1)),
    partOf('operations as steps', 'steps', batch, whole),
    partOf('a tree with something behind its last operation', 'data', fuller, encodeWhole('data', fuller)),
    partOf(
      'the same with that as a helper',
      'data',
      fuller,
      concatBytes(encodeWhole('data', fuller).slice(0, -2), Uint8Array.of(1, 0), bytes32(0xee)),
    ),
    ...brokenSteps(),
  ]
  return {
    about: 'decodePart: bytes that answer for a run of a batch’s operations or step roots',
    cap: params.caps.operations,
    right,
    wrong,
  }
}
