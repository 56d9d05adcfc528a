import { cp, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { decodeReceipt, headOf, type Receipt } from '@kedge/core'
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

  const witnessesOf = ({ node, own, slots }: Sequencer, signAlone = false) =>
    new Witnesses({ node, params: workshop.params, own, slots, signAlone })

  /** What peers say, as soon as one has said it. */
  async function hear(): Promise<unknown> {
    const witnesses = witnessesOf(sequencer)
    const { signal } = new AbortController()
    return await waitFor(
      { until: 'a peer has answered' },
      async () => (await witnesses.haveNothingNewer(signal).catch(String)) || undefined,
    )
  }

  const halves = ['sequencer', 'tally']

  /** What peers say of both halves as they were before `work`; then goes on with the newest. */
  async function hearOnCopy(work: () => Promise<unknown>): Promise<unknown> {
    await sequencer.crash()
    for (const name of halves) await cp(folder(name), folder(`old-${name}`), { recursive: true })
    sequencer = await workshop.open(NEVER)
    await sequencer.turn()
    await work()
    await sequencer.crash()
    for (const name of halves) {
      await rename(folder(name), folder(`new-${name}`))
      await rename(folder(`old-${name}`), folder(name))
    }
    sequencer = await workshop.open()
    await sequencer.follow()
    const heard = await hear()
    await sequencer.crash()
    for (const name of halves) {
      await rm(folder(name), { recursive: true })
      await rename(folder(`new-${name}`), folder(name))
    }
    sequencer = await workshop.open(NEVER)
    await sequencer.turn()
    return heard
  }

  describe('in both halves of the record', () => {
    let peer: Onlooker
    const payTold = async () => {
      const { tick } = await pay()
      await waitFor({ until: 'the peer is told' }, () => {
        const bytes = peer.node.seenTicks.newest()
        const told = bytes && decodeReceipt(bytes)?.tick
        return told?.number === tick.number && told.index === tick.index ? true : undefined
      })
    }
    /** The next batch is open then, and nothing promised in it. */
    const seal = async () => {
      await restart(0)
      await restart()
    }

    beforeAll(async () => {
      peer = await Onlooker.open(workshop, sequencer, 'onlooker')
      workshop.bootstrap.push(...peer.node.host.addresses())
    })
    afterAll(async () => {
      workshop.bootstrap.splice(0)
      await peer.close()
    })

    it('that are the newest, beside a peer that was started anew: it goes on', async () => {
      expect(await hear()).toBe(true)
      await payTold()
      expect(await hear()).toBe(true)
      await restart()
      expect(await hear()).toBe(true)
    })

    it('a tick behind what a peer was told', async () => {
      expect(await hearOnCopy(payTold)).toMatch(/a peer has tick \d+ of batch \d+, which is not the one it knows/)
    })

    it('without a tick in the open batch, of which a peer was told one', async () => {
      await seal()
      expect(await hearOnCopy(payTold)).toMatch(/a peer has tick 0 of batch \d+, which is not the one it knows/)
    })

    it('batches behind what a peer was told', async () => {
      const found = await hearOnCopy(async () => {
        for (let batch = 0; batch < 2; batch++) {
          await payTold()
          await seal()
        }
        await payTold()
      })
      expect(found).toMatch(/a peer has tick 0 of batch \d+, and it knows of no slots behind batch \d+/)
    })
  })

  it('while no peer is there to say so, nothing is signed, unless the operator vouches for them', async () => {
    await restart()
    const { signal } = new AbortController()
    const two = [witnessesOf(sequencer), witnessesOf(sequencer, true)]
    const look = () => Promise.all(two.map((witnesses) => witnesses.haveNothingNewer(signal)))
    expect(await look()).toEqual([false, false])
    await sleep(3_100)
    expect(await look()).toEqual([false, true])
    const peer = await Onlooker.open(workshop, sequencer, 'late')
    await waitFor({ until: 'it comes' }, async () => ((await look()).every(Boolean) ? true : undefined))
    await peer.close()
  })

  it('an empty folder is bound to nothing', async () => {
    await sequencer.crash()
    await rm(folder('sequencer'), { recursive: true })
    sequencer = await workshop.open(NEVER)
    expect(await witnessesOf(sequencer).haveNothingNewer(new AbortController().signal)).toBe(true)
    await sequencer.turn()
  })
})
