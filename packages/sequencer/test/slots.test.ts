import { encodeReceipt, headOf, type Receipt, verifyReceipt } from '@kedge/core'
import type { IntakeResult } from '@kedge/node'
import { waitFor } from '@kedge/regtest'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readRecords } from '../src/slot-record.ts'
import { Onlooker } from './onlooker.ts'
import { keyOf, type Sequencer, Workshop } from './workshop.ts'

const [ALICE, BOB] = [20, 21]
const NEVER = 1e9

let workshop: Workshop
let sequencer: Sequencer
let nonce = 0n

async function open(ticks?: number, sealAfterMs = NEVER): Promise<void> {
  nonce = 0n
  workshop = await Workshop.start(ticks)
  sequencer = await workshop.open()
  await sequencer.turn()
  await workshop.deposit(keyOf(ALICE), 50_000n)
  await workshop.bitcoind.mine(2)
  for (let block = 0; block < 4; block++) await mine()
  expect(headOf(sequencer.node.follower.chain).number).toBe(2)
  await sequencer.stop()
  sequencer = await workshop.open(sealAfterMs)
  await sequencer.turn()
}

async function close(): Promise<void> {
  await sequencer.stop()
  await workshop.stop()
}

async function mine(): Promise<void> {
  await sequencer.turn()
  await workshop.bitcoind.mine(1)
  await sequencer.turn()
}

/** Alice pays Bob once more. The wallet's check of the receipt holds. */
async function pay(): Promise<Receipt> {
  const [result] = await sequencer.submit(
    workshop.signed(ALICE, { from: 0, to: keyOf(BOB), amount: 5n, fee: 10_100n, mayCreate: true, nonce: nonce++ }),
  )
  const { operation, receipt } = takenOf(result)
  expect(verifyReceipt(workshop.params, operation, encodeReceipt(receipt))).toMatchObject({ ok: true })
  return receipt
}

function takenOf(result: IntakeResult | undefined): { operation: Uint8Array; receipt: Receipt } {
  const taken = result?.ok && 'taken' in result ? result.taken : undefined
  if (taken?.receipt === undefined) throw new Error(`nothing was promised: ${JSON.stringify(result)}`)
  return { operation: taken.operation, receipt: taken.receipt }
}

describe('slots for ticks', () => {
  beforeAll(() => open(), 60_000)
  afterAll(close)

  it('used up, their batch is sealed and the next one goes on', { timeout: 60_000 }, async () => {
    const { ticks } = workshop.params.caps
    const places: (readonly [number, number])[] = []
    for (let at = 0; at < 2 * ticks + 1; at++) {
      const { number, index } = (await pay()).tick
      places.push([number, index])
    }
    const slotsOf = (number: number) => Array.from({ length: ticks }, (_, index) => [number, index])
    expect(places).toEqual([...slotsOf(3), ...slotsOf(4), [5, 0]])
  })

  it('taken up again behind a crash where they were left, the last one too', { timeout: 60_000 }, async () => {
    const { ticks } = workshop.params.caps
    for (let index = 1; index < ticks; index++) {
      await sequencer.crash()
      sequencer = await workshop.open(NEVER)
      await sequencer.turn()
      expect((await pay()).tick).toMatchObject({ number: 5, index })
    }
    await sequencer.crash()
    sequencer = await workshop.open(NEVER)
    await sequencer.turn()
    expect((await pay()).tick).toMatchObject({ number: 6, index: 0 })
  })

  it('are left alone by who asks again while the batch’s last tick is written, as its seal may follow', async () => {
    const { producer, slots, node } = sequencer
    // What `pay` said last is promised; this is not.
    const bytes = workshop.signed(ALICE, { from: 0, to: keyOf(BOB), amount: 5n, nonce: nonce++ })
    expect(await sequencer.add(bytes)).toMatchObject({ ok: true, index: 1 })
    const open = producer.openBatch
    if (open === undefined) throw new Error('no batch is open')
    const first = open.promise(1)
    while (open.batch.written < 2) await new Promise((resolve) => setImmediate(resolve))
    const again = open.promise(1)
    await open.finish()
    const groups = open.groups.length
    const said = await Promise.all([first, again])
    expect(said.map((receipt) => receipt?.tick.index)).toEqual([1, 1])
    expect([open.groups.length, slots.lineOf(6)?.next]).toEqual([groups, 2])
    const written = await readRecords(node.store)
    expect(written.find(({ number }) => number === 6)?.ticks.next).toBe(2)
  })

  it('sign each header in the next one, as everybody checks', { timeout: 60_000 }, async () => {
    await mine()
    const onlooker = await Onlooker.open(workshop, sequencer, 'onlooker')
    await waitFor({ until: 'the onlooker has checked all batches' }, async (note) => {
      await onlooker.turn()
      const { head, rejection } = onlooker.node.executor
      note(`${head.number} ${rejection?.fault}`)
      return head.number === 5 ? true : undefined
    })
    const head = await sequencer.node.data.header(headOf(sequencer.node.follower.chain).headerHash)
    expect(head?.number).toBe(5)
    expect(head?.prevSig.some((byte) => byte !== 0)).toBe(true)
    await onlooker.close()
  })
})

describe('a table of nonces', () => {
  beforeAll(() => open(200, 0), 60_000)
  afterAll(close)

  it('is as long as the batches before show, and used up seals its batch early', { timeout: 60_000 }, async () => {
    const lengths: number[] = []
    for (let number = 3; number < 7; number++) {
      lengths.push(sequencer.slots.lengthOf(number))
      if (number === 6) break
      for (let index = 0; index < 2; index++) expect((await pay()).tick).toMatchObject({ number, index })
      // Seals it.
      await sequencer.turn()
    }
    // The first batch behind a resume has none before it; the next one held a deposit alone, under one tick.
    expect(lengths).toEqual([200, 18, 20, 20])
    const places: number[] = []
    for (let at = 0; at < 21; at++) places.push((await pay()).tick.number)
    expect(places).toEqual([...new Array<number>(20).fill(6), 7])
  })

  it('is made anew by a start as it was', { timeout: 60_000 }, async () => {
    await sequencer.crash()
    sequencer = await workshop.open(NEVER)
    await sequencer.turn()
    expect(sequencer.slots.lengthOf(7)).toBe(20)
    expect((await pay()).tick).toMatchObject({ number: 7, index: 1 })
  })
})
