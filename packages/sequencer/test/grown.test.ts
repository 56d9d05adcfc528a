import { decodeSigned, headOf, readWhole, type SignedOperation, signedMessage } from '@kedge/core'
import { keptOperations } from '@kedge/node'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { keyOf, type Sequencer, Workshop } from './workshop.ts'

const [ALICE, BOB] = [20, 21]
/** Operations that a batch holds without a certificate. */
const CAP = 16

/** A network that would take certificates, and no watcher who gives one. Payments are Alice's, by their nonces. */
describe('a batch that grows, and for which nobody vouches', () => {
  let workshop: Workshop
  let sequencer: Sequencer
  let nonce = 0n

  beforeAll(async () => {
    workshop = await Workshop.start(8, { data: { kind: 'certified', operations: 32 } })
    sequencer = await workshop.open()
    await sequencer.turn()
    await workshop.deposit(keyOf(ALICE), 50_000n)
    await workshop.bitcoind.mine(1)
    for (let block = 0; block < 4; block++) await mine()
  }, 30_000)

  afterAll(async () => {
    await sequencer.crash()
    await workshop.stop()
  })

  async function mine(): Promise<void> {
    await sequencer.turn()
    await workshop.bitcoind.mine(1)
    await sequencer.turn()
  }

  const payment = (at: bigint) => workshop.signed(ALICE, { from: 0, to: keyOf(BOB), amount: 5n, nonce: at })
  const pay = () => sequencer.submit(payment(nonce++))
  const find = (at: bigint) =>
    sequencer.intake.find(signedMessage(workshop.network, decodeSigned(payment(at)) as SignedOperation))

  /** So many anchors wait that the next batch may grow; then one that holds more than its cap. Gives its first nonce. */
  async function grow(above: number): Promise<bigint> {
    for (let anchors = 0; anchors < 10; anchors++) {
      expect(await pay()).toMatchObject([{ ok: true }])
      await sequencer.turn()
    }
    const from = nonce
    const filling = await sequencer.submit(...Array.from({ length: CAP }, () => payment(nonce++)))
    expect(filling).toMatchObject(filling.map((_, index) => ({ ok: true, taken: { index } })))
    for (let at = CAP; at < CAP + above; at++) {
      const [result] = await pay()
      expect(result).toMatchObject({ ok: true, taken: { index: at, isPending: true } })
      expect(result).not.toHaveProperty('taken.receipt')
    }
    const { batch } = sequencer.producer.openBatch ?? {}
    expect(batch).toMatchObject({ count: CAP + above, promisable: CAP, isGrown: true })
    expect((await find(from))?.receipt).toMatchObject({ opIndex: 0, tick: { count: CAP } })
    expect(await find(from + BigInt(CAP))).not.toHaveProperty('receipt')
    return from
  }

  /** Nonces of the payments in the batch that was sealed last. */
  async function sealed(): Promise<bigint[]> {
    const { headerHash } = sequencer.producer.plan().head
    const whole = await keptOperations(sequencer.node.store, headerHash)
    return readWhole(whole ?? new Uint8Array(0)).map((bytes) => decodeSigned(bytes)?.nonce ?? -1n)
  }

  it.each<[string, () => Promise<void>]>([
    ['at once', () => Promise.resolve()],
    ['after a stop', () => sequencer.stop()],
    ['after a crash', () => sequencer.crash()],
  ])('is sealed as far as it was promised, %s, and the rest comes first in the next', async (how, end) => {
    const from = await grow(3)
    const { number } = sequencer.producer.openBatch?.batch.place ?? { number: 0 }
    await end()
    if (how !== 'at once') sequencer = await workshop.open()
    await sequencer.turn()
    expect(sequencer.producer.plan().head.number).toBe(number)
    expect(await sealed()).toEqual(Array.from({ length: CAP }, (_, at) => from + BigInt(at)))
    // Nobody comes before what was taken earlier.
    expect(await sequencer.submit(payment(nonce))).toMatchObject([{ ok: false, code: 'overloaded' }])
    await sequencer.turn()
    expect(sequencer.producer.plan().head.number).toBe(number + 1)
    expect(await sealed()).toEqual([0n, 1n, 2n].map((at) => from + BigInt(CAP) + at))
    for (let block = 0; block < 3; block++) await mine()
    const { follower, executor } = sequencer.node
    expect(executor.rejection).toBeUndefined()
    expect(sequencer.has(ALICE, nonce - 1n)).toBe(true)
    expect(headOf(follower.chain).number).toBe(follower.chain.link.number)
    // Forgets that watchers were not to be had.
    await sequencer.stop()
    sequencer = await workshop.open()
    await sequencer.turn()
  })

  it.each([
    ['at once', false],
    ['through crashes', true],
  ])('and is full of what lost batches held, gives the rest back, and all is placed, %s', async (_, crashes) => {
    const before = nonce
    for (let anchors = 0; anchors < 11; anchors++) {
      expect(await pay()).toMatchObject([{ ok: true }])
      await sequencer.turn()
    }
    for (let full = 0; full < 2; full++) {
      const filling = await sequencer.submit(...Array.from({ length: CAP }, () => payment(nonce++)))
      expect(filling).toMatchObject(filling.map(() => ({ ok: true })))
      await sequencer.turn()
      expect(sequencer.producer.openBatch).toBeUndefined()
    }
    expect(await pay()).toMatchObject([{ ok: true }])
    await sequencer.crash()
    // No block holds the anchors before all of these batches have lapsed.
    for (let block = 0; block <= workshop.params.windows.staleness; block++) await workshop.bitcoind.mineBlock([])
    sequencer = await workshop.open()
    const placed: bigint[] = []
    for (let turn = 0; placed.at(-1) !== nonce - 1n && turn < 10; turn++) {
      await sequencer.turn()
      placed.push(...(await sealed()).filter((at) => at >= before && !placed.includes(at)))
      if (crashes) {
        await sequencer.crash()
        sequencer = await workshop.open()
      }
    }
    await sequencer.stop()
    sequencer = await workshop.open()
    for (let block = 0; block < 3; block++) await mine()
    const { follower, executor } = sequencer.node
    expect(executor.rejection).toBeUndefined()
    expect(executor.ledger.tree.account(0).nonce).toBe(nonce)
    expect(headOf(follower.chain).number).toBe(follower.chain.link.number)
  })
})
