import { join } from 'node:path'
import type { Client } from '@kedge/api'
import { type Transfer, toHex } from '@kedge/core'
import { describe, expect, it } from 'vitest'
import { readBalance } from '../src/actions/balance.ts'
import { readHistory } from '../src/actions/history.ts'
import { resumeSends } from '../src/actions/resume.ts'
import { send } from '../src/actions/send.ts'
import { readUnplaced } from '../src/actions/unplaced.ts'
import { signedOf } from '../src/content.ts'
import { readWalletFile } from '../src/file.ts'
import { createWallet, openWallet, type Wallet } from '../src/wallet.ts'
import { temporaryFolder } from './folder.ts'
import { LedgerNode } from './node.ts'

const stranger = '79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798'
const keyOf = (wallet: Wallet) => toHex(wallet.keys.rollup.key)

async function newWallet(node: LedgerNode, client: Client = node.client()): Promise<Wallet> {
  const path = join(await temporaryFolder(), 'wallet.json')
  await createWallet(path, node.params)
  return openWallet(path, client)
}

function fund(node: LedgerNode, ...wallets: readonly Wallet[]): void {
  for (const wallet of wallets) node.deposit(keyOf(wallet), 100_000n)
  node.mine()
}

/** Two branches of one history: what the wallet was promised on the first, nobody has heard of on the second. */
async function branches() {
  const [here, there] = [new LedgerNode(), new LedgerNode()]
  const wallet = await newWallet(here)
  for (const node of [here, there]) fund(node, wallet)
  return { here, there, wallet, moved: { ...wallet, client: there.client() } }
}

const paidTo = async (node: LedgerNode, key = stranger) => (await node.client().account({ key })).balance
const sentBy = async ({ path }: Wallet) =>
  (await readWalletFile(path)).sends.map(signedOf).filter(({ kind }) => kind === 'transfer') as Transfer[]

describe('payments that are in no batch', () => {
  it('are listed where the node knows nothing of them, and sent again as the same bytes, in their order', async () => {
    const { there, wallet, moved } = await branches()
    const ids: string[] = []
    for (const amount of [1n, 2n, 3n])
      ids.push((await send(wallet, { to: stranger, amount, memo: `no. ${amount}` })).id)
    expect(await readUnplaced(wallet)).toEqual([])
    const unplaced = ids.map((id, at) => ({ id, amount: BigInt(at + 1), standing: 'unknown', text: `no. ${at + 1}` }))
    expect((await readHistory(moved)).unplaced).toMatchObject(unplaced)
    expect((await readBalance(moved)).unplaced).toMatchObject(unplaced)
    expect(await resumeSends(moved)).toEqual(ids.map((id) => ({ id, rung: 'sequenced' })))
    expect(await readUnplaced(moved)).toEqual([])
    expect(await paidTo(there)).toBe(6n)
    expect(await resumeSends(moved)).toEqual([])
  })

  it('are left to their payer once another payment has taken their nonce', async () => {
    const { there, wallet, moved } = await branches()
    const { id } = await send(wallet, { to: stranger, amount: 5n })
    await send(moved, { to: stranger, amount: 7n, replace: true })
    const lost = [{ id, amount: 5n, standing: 'dropped', reason: 'nonce-used' }]
    expect(await readUnplaced(moved)).toMatchObject(lost)
    expect(await resumeSends(moved)).toEqual([])
    for (let block = 0; block < 10; block++) there.mine()
    expect(await readUnplaced(moved)).toMatchObject(lost)
    expect((await readWalletFile(moved.path)).sends.map(({ state }) => state)).toEqual(['sequenced', 'final'])
    expect(await readUnplaced(moved)).toMatchObject(lost)
    expect(await paidTo(there)).toBe(7n)
  })

  it('are not listed where the same was paid in their place', async () => {
    const { moved, wallet } = await branches()
    await send(wallet, { to: stranger, amount: 5n })
    await send(moved, { to: stranger, amount: 5n, memo: 'again', replace: true })
    expect(await readUnplaced(moved)).toEqual([])
    expect(await resumeSends(moved)).toEqual([])
  })

  it('are signed anew where the recipient has lost its account, for the same nonce and the fee of one', async () => {
    const { here, there, wallet, moved } = await branches()
    const other = await newWallet(here)
    fund(here, other)
    await send(other, { to: stranger, amount: 1n })
    const { id } = await send(wallet, { to: stranger, amount: 5n, memo: 'rent' })
    expect(await resumeSends(moved)).toMatchObject([{ rung: 'sequenced', replaces: id }])
    const [old, renewed] = await sentBy(wallet)
    expect(old).toMatchObject({ mayCreate: false, fee: 100n })
    expect(renewed).toMatchObject({
      mayCreate: true,
      fee: 10_100n,
      from: old?.from,
      nonce: old?.nonce,
      memo: old?.memo,
    })
    expect(await paidTo(there)).toBe(5n)
    // Whichever is executed on a branch, the other has no nonce there.
    expect(await readUnplaced(wallet)).toEqual([])
    expect(await resumeSends(wallet)).toEqual([])
    expect(await paidTo(here)).toBe(6n)
  })
})

/** Submissions get lost while `faults` has some. */
const losing = (node: LedgerNode, faults: unknown[]) =>
  node.client((ask, url) => {
    if (!url.endsWith('/transfers') || faults.pop() === undefined) return ask()
    throw new TypeError('fetch failed', { cause: new Error('ECONNRESET') })
  })

describe('a payment that expired before anybody took it', () => {
  async function expired(expiry?: number) {
    const node = new LedgerNode()
    const wallet = await newWallet(node, losing(node, ['once']))
    fund(node, wallet)
    const lost = send(wallet, { to: stranger, amount: 5n, memo: 'rent', ...(expiry && { expiry }) })
    await expect(lost).rejects.toMatchObject({ code: 'not-answered' })
    for (let block = 0; block < 1010; block++) node.mine()
    const [{ id } = { id: '' }] = (await readWalletFile(wallet.path)).sends
    return { node, wallet, id }
  }

  it('is signed anew with a later expiry, and shows its memo', async () => {
    const { node, wallet, id } = await expired()
    expect(await readUnplaced(wallet)).toMatchObject([{ id, standing: 'recorded' }])
    expect(await resumeSends(wallet)).toMatchObject([{ rung: 'sequenced', replaces: id }])
    expect((await readHistory(wallet)).entries).toMatchObject([{ amount: 5n, text: 'rent' }])
    expect(await readUnplaced(wallet)).toEqual([])
    expect(await paidTo(node)).toBe(5n)
  })

  it('is left to its payer where another one took its place', async () => {
    const { node, wallet, id } = await expired()
    await expect(send(wallet, { to: stranger, amount: 7n })).rejects.toMatchObject({ code: 'earlier-open' })
    await send(wallet, { to: stranger, amount: 7n, replace: true })
    expect((await readWalletFile(wallet.path)).sends).toMatchObject([{ id, state: 'refused' }, { state: 'sequenced' }])
    expect(await readUnplaced(wallet)).toMatchObject([{ id, standing: 'refused', reason: 'nonce-used' }])
    expect(await resumeSends(wallet)).toEqual([])
    expect(await paidTo(node)).toBe(7n)
  })

  it('stays unpaid where its payer named the expiry', async () => {
    const { node, wallet, id } = await expired(110)
    expect(await resumeSends(wallet)).toEqual([{ id, rung: 'refused', reason: 'expired' }])
    expect(await readUnplaced(wallet)).toMatchObject([{ id, standing: 'refused', reason: 'expired' }])
    expect(await resumeSends(wallet)).toEqual([])
    expect(await paidTo(node)).toBe(0n)
  })
})
