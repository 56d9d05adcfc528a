import fc from 'fast-check'
import { expect, test } from 'vitest'
import { concatBytes, isZero, toHex } from '../../src/bytes.ts'
import { isOpen } from '../../src/chain.ts'
import type { Header } from '../../src/header.ts'
import type { L1Transaction } from '../../src/l1.ts'
import type { DataKind } from '../../src/message.ts'
import { encodeOperation, type Operation } from '../../src/operation.ts'
import { encodeParts } from '../../src/publication.ts'
import { challengeTransaction, depositTransaction, partTransaction } from '../bitcoin.ts'
import { mint, nothing, pay, rig, withRoot } from '../economy.ts'
import type { Batch } from '../rollup.ts'
import { bytes32, CASES, FUZZ_TIMEOUT, quickKey } from '../world.ts'
import { type Draw, drawFrom } from './draw.ts'
import { Play } from './play.ts'

/**
 * A sequencer that lies and withholds as it likes, challengers that raise what they need not, and a Bitcoin that
 * reorganises: with one honest node whose messages are mined, nothing false ever becomes final, and every node comes
 * to the same bytes.
 */
const OWNERS = 5

function somePayments({ rollup }: Play, draw: Draw): Operation[] {
  const nonces = Array.from({ length: OWNERS }, (_, cell) => Number(rollup.ledger.tree.account(cell).nonce))
  return Array.from({ length: draw(4) }, () => {
    const from = draw(OWNERS)
    const nonce = nonces[from] as number
    nonces[from] = nonce + 1
    return pay(from, (from + 1 + draw(OWNERS - 1)) % OWNERS, nonce)
  })
}

const HEADER_LIES: Partial<Header>[] = [
  { post: bytes32(1) },
  { stepsRoot: bytes32(2) },
  { opsRoot: bytes32(3) },
  { number: 77 },
  { parent: bytes32(4) },
  { pre: bytes32(5) },
  { origin: { height: 104, hash: bytes32(6) } },
  { opCount: 1000 },
]

function tellLie(play: Play, draw: Draw): Batch {
  const { rollup } = play
  const operations = [pay(0, 1, Number(rollup.ledger.tree.account(0).nonce))]
  switch (draw(4)) {
    case 0: {
      const honest = rollup.build(...somePayments(play, draw))
      return rollup.lie(HEADER_LIES[draw(HEADER_LIES.length)] ?? {}, honest)
    }
    case 1: {
      const honest = rollup.build(...operations)
      return rollup.lie(
        {},
        { stepRoots: withRoot(honest.stepRoots, draw(honest.operations.length), bytes32(draw(256))) },
      )
    }
    case 2:
      return rollup.put(rig(rollup.context, rollup.ledger, operations, 0, mint(rollup.context, 1, 1n)))
    default:
      return rollup.put(rig(rollup.context, rollup.ledger, [encodeOperation(pay(0, 1, 99))], 0, nothing))
  }
}

function serveSome(play: Play, batch: Batch, draw: Draw): void {
  const { headerBytes, operations } = batch
  const ways = [batch, batch, { headerBytes, operations }, { headerBytes }, {}]
  play.serve(batch, ways[draw(ways.length)] ?? {})
}

/** Answers to what is open: all of it, some of it, or nothing. */
function someAnswers({ rollup }: Play, draw: Draw): L1Transaction[] {
  return rollup.chain.line.flatMap(({ headerHash, challenges }) => {
    const batch = rollup.batches.find(({ hash }) => toHex(hash) === toHex(headerHash))
    const kinds = (['data', 'steps'] as const).filter((kind) => challenges[kind] && isOpen(challenges[kind]))
    return batch === undefined ? [] : kinds.flatMap((kind) => answersTo(batch, kind, draw))
  })
}

function answersTo(batch: Batch, kind: DataKind, draw: Draw): L1Transaction[] {
  const parts = encodeParts(kind, batch, 1 + draw(3))
  const [garbage] = parts
  const sent = draw(2) === 0 ? parts : parts.filter(() => draw(3) > 0)
  const all = garbage === undefined ? sent : [...sent, garbage.slice(1)]
  return all.toSorted(() => draw(3) - 1).map((part) => partTransaction(batch.hash, kind, part))
}

function someMove(play: Play, draw: Draw): L1Transaction[] {
  const { rollup } = play
  const line = rollup.chain.line
  const target = line[draw(Math.max(line.length, 1))]
  switch (draw(8)) {
    case 0:
      return rollup.swept(depositTransaction(quickKey(draw(OWNERS)), 1_000n + BigInt(draw(1000))))
    case 1:
      return target ? [challengeTransaction(target.headerHash, draw(2) === 0 ? 'data' : 'steps')] : []
    case 2:
    case 3: {
      if (rollup.chain.mode !== 'active') return [rollup.resume()]
      const batch = tellLie(play, draw)
      serveSome(play, batch, draw)
      return [rollup.anchor(batch)]
    }
    case 4:
      return []
    default: {
      if (rollup.chain.mode !== 'active') return [rollup.resume()]
      const batch = rollup.build(...somePayments(play, draw))
      serveSome(play, batch, draw)
      return [rollup.anchor(batch)]
    }
  }
}

/** Nothing that the first node has not found right is final. */
function expectSafety({ rollup, nodes }: Play): void {
  const { headerHash } = rollup.chain.final
  const found = isZero(headerHash) || nodes[0]?.checkedHashes.includes(toHex(headerHash))
  expect(found, `batch ${rollup.chain.final.number} is final`).toBe(true)
}

function walk(seed: number, blocks: number): void {
  const draw = drawFrom(seed)
  const play = new Play(OWNERS)
  play.join()
  const { rollup } = play
  // What funds the cells is final, and stays.
  play.mineUpTo(112)
  for (let at = 0; at < blocks; at++) {
    if (draw(12) === 0) {
      const dropped = play.reorganise(Math.max(112, rollup.bitcoin.height - 1 - draw(4))).flat()
      if (draw(2) === 0) play.mine(...dropped)
    }
    play.mine(...someMove(play, draw), ...someAnswers(play, draw))
    expectSafety(play)
    if (at % 20 === 19) expect(play.stateOf(play.nodes[0] as never)).toEqual(play.stateOfNewcomer())
  }
  recover(play)
}

/** From here on the sequencer is honest: the chain goes on and comes to an end that all agree on. */
function recover(play: Play): void {
  const { rollup } = play
  const everything = () =>
    rollup.chain.line.flatMap(({ headerHash }) =>
      rollup.batches.filter(({ hash }) => toHex(hash) === toHex(headerHash)),
    )
  for (let at = 0; at < 60 && rollup.chain.line.length > 0; at++) {
    const open = everything().flatMap((batch) =>
      (['data', 'steps'] as const).map((kind) =>
        partTransaction(batch.hash, kind, encodeParts(kind, batch, 99)[0] as Uint8Array),
      ),
    )
    play.mine(...open)
    expectSafety(play)
  }
  expect(rollup.chain.line).toEqual([])
  if (rollup.chain.mode !== 'active') play.mine(rollup.resume())
  const last = rollup.build(...somePayments(play, drawFrom(7)))
  play.serve(last)
  play.mine(rollup.anchor(last))
  play.mineUpTo(rollup.bitcoin.height + 6)
  expect(rollup.chain.final.headerHash).toEqual(last.hash)
  expectSafety(play)
  const [node] = play.nodes
  expect(node && concatBytes(play.stateOf(node))).toEqual(play.stateOfNewcomer())
}

test(
  'nothing false becomes final, and all nodes agree',
  () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 0x7fffffff }), (seed) => walk(seed, 60)),
      { numRuns: Math.ceil(CASES / 600) },
    )
  },
  FUZZ_TIMEOUT,
)
