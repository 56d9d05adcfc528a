import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { errorBodyOf, statusOf } from '@kedge/api'
import { sendTransaction } from '@kedge/bitcoin'
import { fromHex, toHex } from '@kedge/core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readBalance } from '../src/actions/balance.ts'
import { prepareForce, publishForce, resumePublications } from '../src/actions/force.ts'
import { send } from '../src/actions/send.ts'
import { readWalletFile } from '../src/file.ts'
import { createWallet, openWallet, readAddresses } from '../src/wallet.ts'
import { age } from './age.ts'
import { findBitcoind, type OwnBitcoind, startBitcoind } from './bitcoind.ts'
import { temporaryFolder } from './folder.ts'
import { LedgerNode } from './node.ts'

const binary = findBitcoind()
if (binary === undefined && process.env.CI === 'true') throw new Error('no bitcoind: run scripts/get-bitcoind.sh')

const stranger = '79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798'
const ELSEWHERE = 'bcrt1p8wpt9v4frpf3tkn0srd97pksgsxc5hs52lafxwru9kgeephvs7rqjeprhg'

const payment = (amount: bigint) => ({ kind: 'transfer', transfer: { to: stranger, amount } }) as const

describe.skipIf(binary === undefined)('what is forced, on a real bitcoind', () => {
  let bitcoind: OwnBitcoind
  let datadir: string

  beforeAll(async () => {
    datadir = await mkdtemp(join(tmpdir(), 'kedge-wallet-force-'))
    bitcoind = await startBitcoind(binary as string, datadir)
  })

  afterAll(async () => {
    await bitcoind.kill()
    await rm(datadir, { recursive: true, force: true })
  })

  /** A wallet with money on both sides, whose node answers submissions as it is told. */
  async function funded() {
    const node = new LedgerNode()
    const lies: { answer?: 'unsent' | 'expired' | 'bare' } = {}
    const client = node.client(async (ask, url) => {
      const { answer } = lies
      if (!url.endsWith('/transfers') || answer === undefined) return ask()
      if (answer === 'unsent') throw new TypeError('fetch failed', { cause: new Error('ECONNREFUSED') })
      if (answer === 'expired') return Response.json(errorBodyOf({ code: answer }), { status: statusOf(answer) })
      const { acknowledgement: _, ...bare } = (await (await ask()).json()) as Record<string, unknown>
      return Response.json(bare)
    })
    const path = join(await temporaryFolder(), 'wallet.json')
    await createWallet(path, node.params)
    await bitcoind.mine(1, (await readAddresses(path)).bitcoin)
    await bitcoind.mine(100, ELSEWHERE)
    const wallet = await openWallet(path, client)
    node.deposit(toHex(wallet.keys.rollup.key), 100_000n)
    node.mine()
    const record = async () => (await readWalletFile(path)).sends[0]
    return { node, lies, wallet, record }
  }

  it('and turns out to be ordered long after it was signed, is not signed for a second nonce', async () => {
    const { lies, wallet } = await funded()
    lies.answer = 'bare'
    const { id } = await send(wallet, { to: stranger, amount: 5n })
    await age(wallet)
    const told = { code: 'paid-already', details: { id } }
    await expect(prepareForce(wallet, bitcoind.rpc, payment(5n))).rejects.toMatchObject(told)
    const another = await prepareForce(wallet, bitcoind.rpc, { ...payment(5n), feeRate: 2 })
    expect(another.operation.nonce).toBe(1n)
  })

  it('and is refused by bitcoind, is as it was before: nobody’s word is taken for it', async () => {
    const { lies, wallet, record } = await funded()
    lies.answer = 'unsent'
    await expect(send(wallet, { to: stranger, amount: 5n })).rejects.toMatchObject({ code: 'not-answered' })
    const before = await record()
    const cheap = await prepareForce(wallet, bitcoind.rpc, { ...payment(5n), feeRate: 0.01 })
    expect(cheap.record.id).toBe(before?.id)
    const refused = { code: 'publication-refused' }
    await expect(publishForce(wallet, bitcoind.rpc, cheap)).rejects.toMatchObject(refused)
    expect(await record()).toEqual(before)
    expect((await readWalletFile(wallet.path)).publications).toEqual([])

    // What was published before stays in force.
    const dear = await prepareForce(wallet, bitcoind.rpc, { ...payment(5n), feeRate: 2 })
    await publishForce(wallet, bitcoind.rpc, dear)
    await expect(publishForce(wallet, bitcoind.rpc, cheap)).rejects.toMatchObject(refused)
    expect(await record()).toEqual({ ...before, forced: true })
    expect((await readWalletFile(wallet.path)).publications).toEqual([dear.publication])
  })

  it('and whose coins are spent by something else, is given up, and takes no nonce any more', async () => {
    const { lies, wallet, record } = await funded()
    lies.answer = 'unsent'
    const [lost, other] = [
      await prepareForce(wallet, bitcoind.rpc, { ...payment(5n), feeRate: 2 }),
      await prepareForce(wallet, bitcoind.rpc, { ...payment(6n), feeRate: 40 }),
    ]
    await publishForce(wallet, bitcoind.rpc, lost)
    expect(await resumePublications(wallet, bitcoind.rpc)).toMatchObject([{ outcome: 'sent' }])
    expect(await record()).toMatchObject({ forced: true })
    expect(await sendTransaction(bitcoind.rpc, fromHex(other.publication.commit.raw), 0n)).toMatchObject({ ok: true })
    await bitcoind.mine(1, ELSEWHERE)
    expect(await resumePublications(wallet, bitcoind.rpc)).toMatchObject([{ id: lost.record.id, outcome: 'gone' }])
    expect(await record()).not.toHaveProperty('forced')
    expect((await readWalletFile(wallet.path)).publications).toEqual([])
    const next = await prepareForce(wallet, bitcoind.rpc, { ...payment(6n), feeRate: 2 })
    expect(next.operation.nonce).toBe(0n)
  })

  it('keeps its nonce where a sequencer refuses it after that', async () => {
    const { lies, wallet, record } = await funded()
    lies.answer = 'expired'
    await publishForce(wallet, bitcoind.rpc, await prepareForce(wallet, bitcoind.rpc, { ...payment(5n), feeRate: 2 }))
    await bitcoind.mine(1, ELSEWHERE)
    const again = send(wallet, { to: stranger, amount: 5n, expiry: 1 })
    await expect(again).rejects.toMatchObject({ code: 'refused' })
    expect(await record()).toMatchObject({ state: 'refused', forced: true })
    const next = await prepareForce(wallet, bitcoind.rpc, { ...payment(6n), feeRate: 2 })
    expect(next.operation.nonce).toBe(1n)
    await expect(prepareForce(wallet, bitcoind.rpc, payment(5n))).rejects.toMatchObject({ code: 'earlier-open' })
  })

  it('once the chain has ended, takes the nonce of what was promised and is in no batch: nobody is locked in', async () => {
    const { node, wallet } = await funded()
    node.mine()
    const { id } = await send(wallet, { to: stranger, amount: 5n })
    expect((await prepareForce(wallet, bitcoind.rpc, { ...payment(6n), feeRate: 2 })).operation.nonce).toBe(1n)
    expect(await readBalance(wallet)).toMatchObject({ rung: 'sequenced', unplaced: [] })
    node.end()
    expect(await readBalance(wallet)).toMatchObject({
      rung: 'anchored',
      unplaced: [{ id, standing: 'dropped', reason: 'chain-ended' }],
    })
    const other = await prepareForce(wallet, bitcoind.rpc, { ...payment(6n), feeRate: 2 })
    expect([other.isExit, other.operation.nonce]).toEqual([true, 0n])
    // The same payment is the very bytes that were signed before.
    expect((await prepareForce(wallet, bitcoind.rpc, { ...payment(5n), feeRate: 2 })).record.id).toBe(id)
    await publishForce(wallet, bitcoind.rpc, other)
    expect((await prepareForce(wallet, bitcoind.rpc, { ...payment(7n), feeRate: 2 })).operation.nonce).toBe(1n)
  })
})
