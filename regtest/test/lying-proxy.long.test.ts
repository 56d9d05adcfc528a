import { readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { decodeTransfer, fromHex } from '@kedge/core'
import { createWallet, readAddresses } from '@kedge/wallet'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { runKedge } from '../src/kedge.ts'
import { writeWalletConfig } from '../src/layout.ts'
import { RegtestNetwork } from '../src/network.ts'
import { type Person, Stage } from '../src/stage.ts'
import { describeOnBitcoind } from './ground.ts'
import { LyingProxy } from './lying-proxy.ts'

interface Answered {
  readonly code: number
  readonly json: {
    readonly id?: string
    readonly rung?: string
    readonly isRepeat?: true
    readonly error?: { readonly code: string; readonly details?: { readonly reason?: string } }
  }
}

/** The program, and a node that is honest, with one between them that is not. What is checked in the end is money. */
describeOnBitcoind('a wallet behind somebody who lies', () => {
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'kedge-lying-proxy-'))
    network = await RegtestNetwork.start({ folder, challengers: 1, sealAfterMs: 200 })
    stage = new Stage(network, (_, work) => work(quietly))
    ;[alice, bob] = (await stage.people(2)) as [Person, Person]
    proxy = new LyingProxy(network.sequencer.ready.api)
    await proxy.start()
  }, 90_000)
  afterEach(() => proxy.honest())
  afterAll(async () => {
    await proxy.stop()
    await network.stop()
    await rm(folder, { recursive: true })
  })

  describe('pays', paying)
  describe('forces', forcing)
})

let folder: string
let network: RegtestNetwork
let stage: Stage
let alice: Person
let bob: Person
let proxy: LyingProxy
const quietly = () => undefined

const kedge = async (path: string, ...args: string[]): Promise<Answered> => {
  const config = writeWalletConfig(folder, network.sequencer.ready.api, network.bitcoind.rpc)
  const settings = ['--config', config, '--node', proxy.url, '--wallet', path, '--json']
  const { code, stdout } = await runKedge(['wallet', ...args, ...settings])
  return { code, json: JSON.parse(stdout) as Answered['json'] }
}
const run = (...args: string[]) => kedge(alice.wallet.path, ...args)
const moneyOf = async (key: string) => (await network.sequencer.client.account({ key })).balance
const signedBy = ({ wallet }: Person) =>
  (JSON.parse(readFileSync(wallet.path, 'utf8')) as { sends: { transfer: string }[] }).sends.map(({ transfer }) =>
    decodeTransfer(fromHex(transfer)),
  )
const noncesFrom = (start: number) =>
  new Set(
    signedBy(alice)
      .slice(start)
      .map((transfer) => transfer?.nonce),
  )

const carried = async (id: string) => {
  const entry = await stage.mineUntil(
    'it is carried',
    async () => (await network.sequencer.client.forced({ id })).forced.find(({ effect }) => effect !== undefined),
    quietly,
  )
  return entry.effect
}

const LIES = [
  ['expired', false, 12n],
  ['silence', false, 16n],
  ['expired', true, 11n],
  ['nonce-used', false, 14n],
] as const

function paying(): void {
  test.each(LIES.slice(0, process.env.KEDGE_CHAOS ? undefined : 2))(
    'pays once where it is answered %s, and the node gets the bytes at once: %s',
    {
      timeout: 60_000,
    },
    async (answer, passesOn, sats) => {
      const [before, start] = [await moneyOf(bob.key), signedBy(alice).length]
      const send = () => run('send', bob.key, `${sats}sat`)
      Object.assign(proxy, { answer, passesOn })
      const told = answer === 'silence' ? 'not-answered' : 'refused'
      expect((await send()).json.error?.code).toBe(told)
      proxy.nonce = 1n
      expect((await send()).json.error?.code).toBe(told)
      proxy.honest()
      expect((await send()).json).toMatchObject({ rung: 'sequenced', isRepeat: true })
      await proxy.release()
      expect(noncesFrom(start).size).toBe(1)
      expect(await moneyOf(bob.key)).toBe(before + 1000n * sats)
    },
  )

  test('signs nothing for a nonce that nobody shows to be the next', { timeout: 60_000 }, async () => {
    const start = signedBy(alice).length
    proxy.nonce = 1n
    expect((await run('send', bob.key, '20sat')).json.error?.code).toBe('nonce-unproven')
    expect((await run('force', 'transfer', bob.key, '20sat', '--yes')).json.error?.code).toBe('nonce-unproven')
    expect(signedBy(alice).length).toBe(start)
  })

  test('signs another payment in the place of what was refused, and not behind it', { timeout: 60_000 }, async () => {
    const [before, start] = [await moneyOf(bob.key), signedBy(alice).length]
    Object.assign(proxy, { answer: 'insufficient-funds', passesOn: false })
    expect((await run('send', bob.key, '30sat')).json.error?.code).toBe('refused')
    proxy.honest()
    expect((await run('send', bob.key, '31sat')).json.error?.code).toBe('earlier-open')
    expect((await run('send', bob.key, '31sat', '--replace')).json.rung).toBe('sequenced')
    await proxy.release()
    expect(noncesFrom(start).size).toBe(1)
    expect(await moneyOf(bob.key)).toBe(before + 31_000n)
    // What was replaced may come back as long as what replaced it is not final.
    expect((await run('send', bob.key, '30sat')).json.error?.code).toBe('earlier-open')
  })

  test('asks whether the same is meant once more', { timeout: 60_000 }, async () => {
    const before = await moneyOf(bob.key)
    const { id = '' } = (await run('send', bob.key, '40sat')).json
    const refused = await run('send', bob.key, '40sat')
    expect(refused).toMatchObject({ code: 1, json: { error: { code: 'paid-already', details: { id } } } })
    expect((await run('send', bob.key, '40sat', '--again')).json.rung).toBe('sequenced')
    expect(await moneyOf(bob.key)).toBe(before + 80_000n)
  })

  test('pays once where several processes are asked at once, and the node is slow', { timeout: 60_000 }, async () => {
    const [before, start] = [await moneyOf(bob.key), signedBy(alice).length]
    proxy.slowMs = 400
    const answers = await Promise.all([1, 2, 3].map(() => run('send', bob.key, '45sat')))
    expect(noncesFrom(start).size).toBe(1)
    for (const { json } of answers) expect(json.rung ?? json.error?.code).toMatch(/^(sequenced|paid-already)$/)
    expect(await moneyOf(bob.key)).toBe(before + 45_000n)
  })

  test('restored from its words pays on, and believes no more than it is shown', { timeout: 60_000 }, async () => {
    const before = await moneyOf(bob.key)
    const { words } = JSON.parse(readFileSync(alice.wallet.path, 'utf8')) as { words: string }
    const path = join(folder, 'restored.json')
    await createWallet(path, network.params, words)
    proxy.nonce = 1n
    expect((await kedge(path, 'send', bob.key, '50sat')).json.error?.code).toBe('nonce-unproven')
    proxy.honest()
    expect((await kedge(path, 'send', bob.key, '50sat')).json.rung).toBe('sequenced')
    // The first file goes on too: what was signed elsewhere in between shows itself.
    expect((await run('send', bob.key, '51sat')).json.rung).toBe('sequenced')
    expect(await moneyOf(bob.key)).toBe(before + 101_000n)
  })
}

function forcing(): void {
  test('forces the very bytes that it was told to have expired', { timeout: 60_000 }, async () => {
    const [before, start] = [await moneyOf(bob.key), signedBy(alice).length]
    Object.assign(proxy, { answer: 'expired', passesOn: false })
    const held = await run('send', bob.key, '60sat', '--expiry', '5000')
    expect(held.json.error?.code).toBe('refused')
    proxy.nonce = 1n
    const { id = '' } = (await run('force', 'transfer', bob.key, '60sat', '--yes')).json
    proxy.honest()
    expect(noncesFrom(start).size).toBe(1)
    expect(await carried(id)).toBe('executed')
    await proxy.release()
    expect(await moneyOf(bob.key)).toBe(before + 60_000n)
  })

  test('forces to an account that was opened since it signed first, and to somebody who has none', {
    timeout: 60_000,
  }, async () => {
    const [since, never] = await Promise.all(
      ['since', 'never'].map(async (name) => {
        const path = join(folder, `${name}.json`)
        await createWallet(path, network.params)
        return (await readAddresses(path)).rollup
      }),
    )
    if (since === undefined || never === undefined) throw new Error('two wallets were made')
    Object.assign(proxy, { answer: 'silence', passesOn: false })
    const start = signedBy(alice).length
    expect((await run('send', since, '70sat')).json.error?.code).toBe('not-answered')
    proxy.honest()
    expect((await kedge(bob.wallet.path, 'send', since, '1sat')).json.rung).toBe('sequenced')
    const forced = (await run('force', 'transfer', since, '70sat', '--yes')).json
    const [first, second] = signedBy(alice).slice(start)
    expect([first?.mayCreate, second?.mayCreate]).toEqual([true, false])
    expect(second?.nonce).toBe(first?.nonce)
    expect(await carried(forced.id ?? '')).toBe('executed')
    await proxy.release()
    expect(await moneyOf(since)).toBe(71_000n)
    expect((await network.sequencer.client.account({ key: since })).cells).toHaveLength(1)

    const newcomer = (await run('force', 'transfer', never, '80sat', '--yes')).json
    expect(await carried(newcomer.id ?? '')).toBe('executed')
    expect(await moneyOf(never)).toBe(80_000n)
    await network.agreed()
  })
}
