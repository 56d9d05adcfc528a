import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { headOf, type Receipt } from '@kedge/core'
import { waitFor } from '@kedge/regtest'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { StaleDataError } from '../src/stale.ts'
import { Tally } from '../src/tally.ts'
import { Witnesses } from '../src/witnesses.ts'
import { Onlooker } from './onlooker.ts'
import { keyOf, type Sequencer, Workshop } from './workshop.ts'

const [ALICE, BOB] = [20, 21]
const NEVER = 1e9

describe('a tally', () => {
  const entry = (next: number) => ({
    number: 7,
    salt: new Uint8Array(32).fill(3),
    ticks: { next, last: new Uint8Array(32).fill(next) },
  })
  let path = ''

  beforeAll(async () => {
    path = join(await mkdtemp(join(tmpdir(), 'kedge-tally-')), 'tally')
  })
  afterAll(() => rm(join(path, '..'), { recursive: true }))

  it('is empty first, and then says what was noted last', async () => {
    const made = await Tally.open(path)
    expect(made.last).toBeUndefined()
    await made.close()
    for (let next = 0; next < 5; next++) {
      const tally = await Tally.open(path)
      expect(tally.last).toEqual(next === 0 ? undefined : entry(next))
      await tally.note(entry(next))
      await tally.note(entry(next + 1))
      expect(tally.last).toEqual(entry(next + 1))
      await tally.close()
    }
  })

  it('torn in its last write, says what was noted before; torn twice, it can’t be read', async () => {
    const tally = await Tally.open(path)
    await tally.note(entry(8))
    await tally.note(entry(9))
    await tally.close()
    const bytes = await readFile(path)
    const torn: Uint8Array[] = []
    for (const block of [0, 512]) {
      const half = Uint8Array.from(bytes)
      half.fill(0xaa, block + 40, block + 512)
      await writeFile(path, half)
      const left = await Tally.open(path)
      torn.push(Uint8Array.of(left.last?.ticks.next ?? 0))
      await left.close()
    }
    expect(torn.map(([next]) => next).sort()).toEqual([8, 9])
    await writeFile(path, new Uint8Array(1024).fill(0xaa))
    await expect(Tally.open(path)).rejects.toThrow('can’t be read')
  })
})

describe('data that are not the newest', () => {
  let workshop: Workshop
  let sequencer: Sequencer
  let nonce = 0n

  beforeAll(async () => {
    workshop = await Workshop.start()
    sequencer = await workshop.open()
    await sequencer.turn()
    await workshop.deposit(keyOf(ALICE), 50_000n)
    await workshop.bitcoind.mine(2)
    for (let block = 0; block < 4; block++) await mine()
    expect(headOf(sequencer.node.follower.chain).number).toBe(2)
    await restart()
  }, 60_000)

  afterAll(async () => {
    await sequencer.stop()
    await workshop.stop()
  })

  async function mine(): Promise<void> {
    await sequencer.turn()
    await workshop.bitcoind.mine(1)
    await sequencer.turn()
  }

  async function restart(sealAfterMs = NEVER): Promise<void> {
    await sequencer.crash()
    sequencer = await workshop.open(sealAfterMs)
    await sequencer.turn()
  }

  async function pay(): Promise<Receipt> {
    const payment = { from: 0, to: keyOf(BOB), amount: 5n, nonce: nonce++ }
    const [result] = await sequencer.submit(workshop.signed(ALICE, payment))
    const receipt = result?.ok && 'taken' in result ? result.taken.receipt : undefined
    if (receipt === undefined) throw new Error(`nothing was promised: ${JSON.stringify(result)}`)
    return receipt
  }

  const folder = (name: string) => join(workshop.folder, name)

  /** Starts it on a copy that was made before `work`, then goes on with the newest data. */
  async function expectRefusal(why: RegExp, work: () => Promise<unknown>): Promise<void> {
    await sequencer.crash()
    await cp(folder('sequencer'), folder('copy'), { recursive: true })
    sequencer = await workshop.open(NEVER)
    await sequencer.turn()
    await work()
    await sequencer.crash()
    await cp(folder('sequencer'), folder('newest'), { recursive: true })
    await rm(folder('sequencer'), { recursive: true })
    await cp(folder('copy'), folder('sequencer'), { recursive: true })
    const refused = await workshop.open().then(
      () => undefined,
      (error: unknown) => error,
    )
    expect(refused).toBeInstanceOf(StaleDataError)
    // An empty folder is no way out for nothing.
    expect((refused as Error).message).toMatch(/breaks what it promised and did not anchor, at the price of its bond$/)
    expect(String(refused)).toMatch(why)
    for (const name of ['sequencer', 'copy']) await rm(folder(name), { recursive: true })
    await cp(folder('newest'), folder('sequencer'), { recursive: true })
    await rm(folder('newest'), { recursive: true })
    sequencer = await workshop.open(NEVER)
    await sequencer.turn()
  }

  it('a tick behind: nothing is signed', () => expectRefusal(/tick 0 of batch 3 is not the one it knows/, pay))

  it('two ticks behind', () =>
    expectRefusal(/tick 2 of batch 3/, async () => {
      await pay()
      await pay()
    }))

  it('a batch behind that waits for its block', () =>
    expectRefusal(/the slots of batch 4 are in use, and it knows of none behind batch 3/, () => restart(0)))

  it('without the other half of the record', async () => {
    await sequencer.crash()
    await cp(folder('tally'), folder('aside'))
    await rm(folder('tally'))
    await expect(workshop.open(NEVER)).rejects.toThrow('beside the keys, is missing')
    await cp(folder('aside'), folder('tally'))
    sequencer = await workshop.open(NEVER)
    await sequencer.turn()
    await pay()
  })

  it('ahead of the other half, as a crash between the two leaves them: it goes on', async () => {
    await cp(folder('tally'), folder('before'))
    await pay()
    await sequencer.crash()
    await cp(folder('before'), folder('tally'))
    sequencer = await workshop.open(NEVER)
    await sequencer.turn()
    await pay()
  })

  it('with both halves of the record, but behind what a peer saw', { timeout: 60_000 }, async () => {
    const known = await pay()
    await sequencer.crash()
    for (const name of ['sequencer', 'tally']) await cp(folder(name), folder(`old-${name}`), { recursive: true })
    sequencer = await workshop.open(NEVER)
    await sequencer.turn()
    const newer = await pay()
    await sequencer.crash()
    for (const name of ['sequencer', 'tally']) {
      await rm(folder(name), { recursive: true })
      await cp(folder(`old-${name}`), folder(name), { recursive: true })
    }
    sequencer = await workshop.open(NEVER)
    await sequencer.follow()
    const { node, slots, producer } = sequencer
    const { params } = workshop
    const { signal } = new AbortController()
    // Nobody is there yet who might know.
    expect(await new Witnesses({ node, params, slots }).haveNothingNewer(producer.plan(), signal)).toBe(false)
    const askedAmong = async (...seen: readonly Receipt[]) => {
      const peer = await Onlooker.open(workshop, sequencer, 'onlooker')
      for (const receipt of seen) peer.node.seenTicks.note(receipt)
      await waitFor({ until: 'the peer is there' }, () => (node.host.peers().length > 0 ? true : undefined))
      const witnesses = new Witnesses({ node, params, slots })
      const found = await witnesses.haveNothingNewer(producer.plan(), signal).catch(String)
      await peer.close()
      await waitFor({ until: 'the peer is gone' }, () => (node.host.peers().length === 0 ? true : undefined))
      return found
    }
    expect(await askedAmong()).toBe(true)
    expect(await askedAmong(known)).toBe(true)
    const forged = { ...newer, signature: known.signature }
    expect(await askedAmong(known, forged)).toBe(true)
    expect(await askedAmong(newer, known)).toMatch(/a peer has tick \d+ of batch \d+, which is not the one it knows/)
  })

  it('an empty folder is bound to nothing', async () => {
    await sequencer.crash()
    await rm(folder('sequencer'), { recursive: true })
    sequencer = await workshop.open(NEVER)
    await sequencer.turn()
  })
})
