import {
  concatBytes,
  decodePart,
  decodeSigned,
  decodeTransfer,
  encodeTransfer,
  headOf,
  merkleRoot,
  type SignedOperation,
  signedMessage,
  stepLeaves,
  type Tick,
  transferMessage,
} from '@kedge/core'
import { type IntakeResult, keptOperations } from '@kedge/node'
import { headers, journal, operations } from '@kedge/storage'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { readJournal } from '../src/journal.ts'
import type { Tamper } from '../src/seal.ts'
import { keyOf, type Sequencer, Workshop } from './workshop.ts'

const [ALICE, BOB, CAROL] = [20, 21, 22]
const NEVER = 1e9

/** What each test begins on a copy of. */
let made: Workshop
let workshop: Workshop
let sequencer: Sequencer

beforeAll(async () => {
  made = await Workshop.start()
  workshop = made
  await begin()
  for (const seed of [ALICE, BOB]) {
    await workshop.deposit(keyOf(seed), 5_000n)
    await workshop.bitcoind.mine(1)
  }
  await workshop.bitcoind.mine(1)
  // The resume and the deposits' batch, anchored and a few blocks deep.
  for (let block = 0; block < 4; block++) await mine()
  expect(sequencer.node.executor.ledger.totals.count).toBe(2)
  expect(headOf(sequencer.node.follower.chain).number).toBe(2)
  await sequencer.stop()
  await made.bitcoind.stop()
})

afterAll(() => made.stop())

beforeEach(async () => {
  workshop = await made.copy()
})

afterEach(async () => {
  await sequencer.crash()
  await workshop.stop()
})

async function begin(sealAfterMs = 0): Promise<void> {
  sequencer = await workshop.open(sealAfterMs)
  await sequencer.turn()
}

/** The loop turns before the block too: what it sends then is in it. */
async function mine(blocks = 1): Promise<void> {
  for (let block = 0; block < blocks; block++) {
    await sequencer.turn()
    await workshop.bitcoind.mine(1)
    await sequencer.turn()
  }
}

async function restart(sealAfterMs = 0): Promise<void> {
  await sequencer.stop()
  sequencer = await workshop.open(sealAfterMs)
}

const aliceToBob = (nonce: bigint) => workshop.signed(ALICE, { from: 0, to: keyOf(BOB), amount: 5n, nonce })
const aliceToCarol = (nonce: bigint) => workshop.signed(ALICE, { from: 0, to: keyOf(CAROL), amount: 5n, nonce })
/** The transfer as it stands in a batch. */
function placed(bytes: Uint8Array, toCell: number): Uint8Array {
  const transfer = decodeTransfer(bytes)
  return transfer === undefined ? bytes : encodeTransfer({ ...transfer, toCell })
}
const aliceOut = (nonce: bigint) => workshop.withdrawal(ALICE, { from: 0, amount: 1_000n, nonce })
/** Numbers of the live batches that are not final. */
const line = () => sequencer.node.follower.chain.line.map(({ number }) => number)
const openBatch = () => sequencer.producer.openBatch?.batch

/** The only batch with a transfer, by a challenge that nobody answers. The chain waits for a resume then. */
async function makeVoid(): Promise<void> {
  const { chain } = sequencer.node.follower
  expect(headOf(chain).number).toBe(3)
  await workshop.challenge(headOf(chain).headerHash)
  await workshop.bitcoind.mine(6)
}

describe('taking transfers', () => {
  it('goes on while the ledger is being moved', async () => {
    await begin()
    const acting = sequencer.act()
    expect(await sequencer.add(aliceToBob(0n))).toMatchObject({ ok: true, index: 0 })
    await acting
  })

  it('answers from the last tick when nothing came since', async () => {
    await begin(NEVER)
    const bytes = aliceToBob(0n)
    const [result] = await sequencer.submit(bytes)
    expect(result).toMatchObject({ ok: true, taken: { index: 0 } })
    const transfer = decodeTransfer(bytes)
    if (transfer === undefined) throw new Error('no transfer')
    const id = transferMessage(workshop.network, transfer)
    for (let times = 0; times < 20; times++) {
      expect((await sequencer.intake.find(id))?.receipt).toMatchObject({ opIndex: 0, tick: { index: 0, count: 1 } })
      expect(await sequencer.submit(bytes)).toMatchObject([{ ok: true, repeated: true }])
    }
    const groups: number[] = []
    for await (const [sequence] of sequencer.node.store.range(journal)) groups.push(sequence)
    expect(groups).toHaveLength(1)
  })

  it('writes them once: a sealed batch is the groups that were accepted, before a crash and behind it', async () => {
    await begin(NEVER)
    const { nextSequence } = await readJournal(sequencer.node.store)
    for (const nonce of [0n, 1n]) expect(await sequencer.submit(aliceToBob(nonce))).toMatchObject([{ ok: true }])
    await sequencer.crash()
    await begin(NEVER)
    expect(openBatch()?.count).toBe(2)
    expect(await sequencer.submit(aliceToBob(2n))).toMatchObject([{ ok: true }])
    await restart()
    await sequencer.turn()
    const { store, executor } = sequencer.node
    const { headerHash } = executor.head
    expect(await store.get(operations, headerHash)).toBeUndefined()
    // Behind a restart one more tick is signed before the seal, with a group that holds nothing new.
    expect(await readJournal(store)).toMatchObject({ open: undefined, groups: [], nextSequence: nextSequence + 4 })
    const [whole, headerBytes] = [await keptOperations(store, headerHash), await store.get(headers, headerHash)]
    const part = decodePart('data', headerHash, whole ?? new Uint8Array(0))
    expect(part?.operations).toEqual([0n, 1n, 2n].map(aliceToBob).map((bytes) => placed(bytes, 1)))
    expect(part?.headerBytes).toEqual(headerBytes)
  })

  it('ends the node when they can not be written, rather than seal or promise on top of them', async () => {
    await begin(NEVER)
    for (let nonce = 0n; nonce < 7n; nonce++)
      expect(await sequencer.submit(aliceToBob(nonce))).toMatchObject([{ ok: true }])
    await sequencer.node.store.close()
    await expect(sequencer.submit(aliceToBob(7n))).rejects.toThrow('could not be written')
    await expect(sequencer.submit(aliceToBob(8n))).rejects.toThrow('could not be written')
    await expect(sequencer.act()).rejects.toThrow('could not be written')
    await sequencer.crash()
    sequencer = await workshop.open()
    await sequencer.turn()
    expect(sequencer.has(ALICE, 6n)).toBe(true)
    expect(sequencer.has(ALICE, 7n)).toBe(false)
  })
})

describe('a withdrawal', () => {
  const owed = () => sequencer.node.executor.ledger.totals.owed

  it('is promised like a transfer, once, and found by what was signed', async () => {
    await begin(NEVER)
    const out = aliceOut(1n)
    expect(await sequencer.withdraw(out)).toMatchObject({ ok: false, code: 'nonce-ahead' })
    expect(await sequencer.submit(aliceToBob(0n))).toMatchObject([{ ok: true }])
    const taken = await sequencer.withdraw(out)
    expect(taken).toMatchObject({ ok: true, taken: { index: 1, operation: out, receipt: { opIndex: 1 } } })
    expect(await sequencer.withdraw(out)).toEqual({ ok: true, repeated: true })
    const id = signedMessage(workshop.network, decodeSigned(out) as SignedOperation)
    expect(await sequencer.intake.find(id)).toMatchObject({ index: 1, receipt: { tick: { count: 2 } } })
    const forged = aliceOut(2n).with(-1, 1)
    expect(await sequencer.withdraw(forged)).toMatchObject({ ok: false, code: 'bad-signature' })
    const dust = workshop.withdrawal(ALICE, { from: 0, amount: 600n, nonce: 2n })
    expect(await sequencer.withdraw(dust)).toMatchObject({ ok: false, code: 'dust' })
    expect(await sequencer.withdraw(new Uint8Array(142))).toMatchObject({ ok: false, code: 'undecodable' })
    expect(owed()).toBe(1_000_000n)
  })

  it('that was promised outlives a crash, and a batch that lost its place', async () => {
    await begin(NEVER)
    expect(await sequencer.withdraw(aliceOut(0n))).toMatchObject({ ok: true })
    await sequencer.crash()
    sequencer = await workshop.open(NEVER)
    await sequencer.turn()
    expect([owed(), openBatch()?.count]).toEqual([1_000_000n, 1])
    await sequencer.crash()
    await workshop.bitcoind.mine(workshop.params.windows.staleness + 1)
    sequencer = await workshop.open()
    await mine(2)
    expect(headOf(sequencer.node.follower.chain).number).toBe(3)
    expect([owed(), sequencer.node.executor.rejection]).toEqual([1_000_000n, undefined])
  })
})

describe('an open batch', () => {
  it('makes way for deposits when nobody could be added to it', async () => {
    await begin()
    expect(await sequencer.submit(aliceToBob(9n))).toMatchObject([{ ok: false, code: 'nonce-ahead' }])
    expect(openBatch()).toMatchObject({ count: 0 })
    await workshop.deposit(keyOf(CAROL), 5_000n)
    await mine(2)
    expect(sequencer.node.executor.owners.find(keyOf(CAROL))).toBe(2)
  })

  it('does not grow old while nobody sends', async () => {
    await begin()
    expect(await sequencer.submit(aliceToBob(9n))).toMatchObject([{ ok: false, code: 'nonce-ahead' }])
    await workshop.bitcoind.mine(workshop.params.windows.staleness + 1)
    await sequencer.turn()
    expect(await sequencer.submit(aliceToBob(0n))).toMatchObject([{ ok: true }])
    await mine(2)
    expect(sequencer.node.executor.rejection).toBeUndefined()
    expect(headOf(sequencer.node.follower.chain).number).toBe(3)
  })

  it('gives way when its origin is too old, and its transfers go into the next one', async () => {
    await begin(NEVER)
    expect(await sequencer.submit(aliceToBob(0n))).toMatchObject([{ ok: true }])
    await sequencer.stop()
    await workshop.bitcoind.mine(workshop.params.windows.staleness + 1)
    sequencer = await workshop.open()
    await mine(2)
    expect(headOf(sequencer.node.follower.chain).number).toBe(3)
    expect(sequencer.node.executor.rejection).toBeUndefined()
    expect(sequencer.has(ALICE, 0n)).toBe(true)
  })

  it('with few blocks left is sealed, and nothing is promised in it or on top of it before Bitcoin has it', async () => {
    await begin(NEVER)
    expect(await sequencer.submit(aliceToBob(0n))).toMatchObject([{ ok: true }])
    const { staleness, originDepth } = workshop.params.windows
    const left = staleness - originDepth
    await workshop.bitcoind.mine(left - Math.floor(left / 4) - 1)
    await sequencer.turn()
    expect(await sequencer.submit(aliceToBob(1n))).toMatchObject([{ ok: true }])
    expect(openBatch()).toMatchObject({ count: 2 })
    await workshop.bitcoind.mine(1)
    await sequencer.turn()
    expect(openBatch()).toBeUndefined()
    expect(await sequencer.submit(aliceToBob(2n))).toMatchObject([{ ok: false, code: 'chain-broken' }])
    await mine(1)
    expect(headOf(sequencer.node.follower.chain).number).toBe(3)
    expect(await sequencer.submit(aliceToBob(2n))).toMatchObject([{ ok: true }])
  })

  it('is taken up again after a crash, with payments from cells that it made', async () => {
    await begin()
    await restart(NEVER)
    await workshop.deposit(keyOf(CAROL), 5_000n)
    await workshop.bitcoind.mine(2)
    await sequencer.turn()
    const pay = workshop.signed(CAROL, { from: 2, to: keyOf(BOB), amount: 5n, nonce: 0n })
    expect(await sequencer.submit(pay)).toMatchObject([{ ok: true }])
    const before = openBatch()
    await workshop.bitcoind.mine(1)
    await sequencer.crash()
    sequencer = await workshop.open(NEVER)
    await sequencer.turn()
    expect(openBatch()?.place).toEqual(before?.place)
    expect(openBatch()?.operations).toEqual(before?.operations)
  })

  it('is on disk before it is given up, promised or not', async () => {
    await begin()
    expect(await sequencer.add(aliceToBob(0n))).toMatchObject({ ok: true })
    await workshop.bitcoind.reorg(2, 3)
    await sequencer.follow()
    expect(openBatch()).toBeUndefined()
    await sequencer.crash()
    sequencer = await workshop.open()
    await sequencer.turn()
    expect(sequencer.has(ALICE, 0n)).toBe(true)
  })

  it('is on disk after a clean stop, promised or not', async () => {
    await begin(NEVER)
    expect(await sequencer.add(aliceToBob(0n))).toMatchObject({ ok: true })
    await restart(NEVER)
    expect(await sequencer.submit(aliceToBob(1n))).toMatchObject([{ ok: false, code: 'syncing' }])
    await sequencer.turn()
    expect(sequencer.has(ALICE, 0n)).toBe(true)
    expect(openBatch()).toMatchObject({ count: 1 })
  })

  it('that is given up has its transfers in the next one before anybody else has', async () => {
    await begin(NEVER)
    expect(await sequencer.submit(aliceToBob(0n))).toMatchObject([{ ok: true }])
    await workshop.bitcoind.reorg(2, 3)
    await sequencer.follow()
    const acting = sequencer.act()
    const other = await sequencer.add(aliceToCarol(0n))
    await acting
    expect(other).toMatchObject({ ok: false })
    expect(sequencer.has(ALICE, 0n)).toBe(true)
    expect(sequencer.node.executor.owners.find(keyOf(CAROL))).toBeUndefined()
  })

  it('signs no tick of a number twice, whoever was promised what under it before', async () => {
    await begin(NEVER)
    const [first] = await sequencer.submit(aliceToBob(0n))
    await workshop.bitcoind.reorg(2, 3)
    await sequencer.turn()
    const [second] = await sequencer.submit(aliceToBob(1n))
    await workshop.bitcoind.reorg(2, 3)
    await restart(NEVER)
    await sequencer.turn()
    const [third] = await sequencer.submit(aliceToBob(2n))
    const ticks = [first, second, third].map((result) => tickOf(result))
    // What is carried takes a tick too.
    expect(ticks.map(({ number, index }) => [number, index])).toEqual([
      [3, 0],
      [3, 2],
      [3, 4],
    ])
  })
})

function tickOf(result: IntakeResult | undefined): Tick {
  const tick = result?.ok && 'taken' in result ? result.taken.receipt?.tick : undefined
  if (tick === undefined) throw new Error('nothing was promised')
  return tick
}

describe('after a void', () => {
  beforeEach(async () => {
    await begin()
    const bobOut = workshop.withdrawal(BOB, { from: 1, amount: 1_000n, nonce: 0n })
    const taken = [sequencer.submit(aliceToBob(0n)), sequencer.withdraw(bobOut)]
    expect(await Promise.all(taken)).toMatchObject([[{ ok: true }], { ok: true }])
    await mine()
  })

  it('goes on from the head with what was lost', async () => {
    await makeVoid()
    await mine(3)
    expect(sequencer.node.follower.chain.mode).toBe('active')
    expect(line()).toContain(5)
    expect(sequencer.has(ALICE, 0n)).toBe(true)
    expect(sequencer.node.executor.ledger.totals).toMatchObject({ owed: 1_000_000n, withdrawals: 1 })
  })

  it('loses nothing when a reorganisation brings the batch back, and a later block voids it again', async () => {
    await restart(NEVER)
    await makeVoid()
    for (let turn = 0; turn < 3; turn++) await sequencer.turn()
    expect(openBatch()).toMatchObject({ place: { number: 5 }, count: 2 })
    // Without the challenge's block.
    await workshop.bitcoind.reorg(6, [[]])
    for (let turn = 0; turn < 3; turn++) await sequencer.turn()
    expect(line()).toContain(3)
    expect(openBatch()?.count ?? 0).toBe(0)
    // The challenge is in the mempool again.
    await workshop.bitcoind.mine(6)
    for (let turn = 0; turn < 3; turn++) await sequencer.turn()
    expect(line()).not.toContain(3)
    expect(sequencer.has(ALICE, 0n)).toBe(true)
  })

  it('gets back in order when a reorganisation brings the batch back under those that took its place', async () => {
    await makeVoid()
    await mine()
    expect(await sequencer.submit(aliceToBob(1n))).toMatchObject([{ ok: true }])
    await mine(2)
    expect(headOf(sequencer.node.follower.chain).number).toBe(6)
    // All of it in one block, where no deadline has passed: the resume is null then, and names no head.
    await workshop.bitcoind.reorg(9, 1)
    await sequencer.turn()
    expect(sequencer.producer.reason).toBe('chain-broken')
    // A start finds its way too.
    await restart()
    await mine(8)
    expect(sequencer.node.follower.chain.mode).toBe('active')
    expect(sequencer.producer.reason).toBeUndefined()
    expect(sequencer.has(ALICE, 1n)).toBe(true)
    expect(await sequencer.submit(aliceToBob(2n))).toMatchObject([{ ok: true }])
  })

  it('goes on behind a reorganisation deeper than the dispute window whose blocks come all at once', async () => {
    // Batch 3 goes from its block into the first new one; its origin is not in that branch.
    await workshop.bitcoind.reorg(3, 1 + workshop.params.windows.dispute)
    await sequencer.turn()
    expect(sequencer.node.executor.rejection).toBeUndefined()
    expect(sequencer.node.follower.links.get(3)).toMatchObject({ outcome: 'null' })
    await restart()
    await mine(2)
    expect(sequencer.node.follower.chain.mode).toBe('active')
    expect(sequencer.producer.reason).toBeUndefined()
    expect(sequencer.has(ALICE, 0n)).toBe(true)
    expect(await sequencer.submit(aliceToBob(1n))).toMatchObject([{ ok: true }])
  })
})

/** Promises a state that the last operation does not lead to. */
const wrongEnd: Tamper = {
  seal: (honest) => {
    const post = new Uint8Array(32).fill(7)
    const stepRoots = concatBytes(honest.stepRoots.slice(0, -32), post)
    return { ...honest, post, stepRoots, stepsRoot: merkleRoot(stepLeaves(honest.pre, stepRoots)) }
  },
  mayServe: () => true,
  promise: (honest) => honest,
  ignores: () => false,
}

describe('a batch that is found faulty', () => {
  it('keeps transfers out by a code of its own, until it is void and the chain resumed', async () => {
    sequencer = await workshop.open(0, wrongEnd)
    await sequencer.turn()
    expect(await sequencer.submit(aliceToBob(0n))).toMatchObject([{ ok: true }])
    await mine()
    expect(line()).toContain(3)
    // The next one on the folder is honest, and executes what it finds there.
    await sequencer.crash()
    sequencer = await workshop.open()
    await sequencer.turn()
    expect(sequencer.node.executor.rejection).toMatchObject({ number: 3, fault: 'wrong-root' })
    expect(sequencer.node.follower.chain.mode).toBe('active')
    expect(await sequencer.submit(aliceToBob(1n))).toEqual([{ ok: false, code: 'batch-rejected' }])
    await mine(4)
    expect(line()).not.toContain(3)
    expect(sequencer.has(ALICE, 0n)).toBe(true)
    expect(await sequencer.submit(aliceToBob(1n))).toMatchObject([{ ok: true }])
  })
})
