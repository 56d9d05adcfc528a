import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Client } from '@kedge/api'
import { toHex } from '@kedge/core'
import { describe, expect, it } from 'vitest'
import { readBalance } from '../src/actions/balance.ts'
import { readHistory } from '../src/actions/history.ts'
import { resumeSends } from '../src/actions/resume.ts'
import { send } from '../src/actions/send.ts'
import { signedOf } from '../src/content.ts'
import { readWalletFile } from '../src/file.ts'
import { createWallet, openWallet, readAddresses, type Wallet } from '../src/wallet.ts'
import { temporaryFolder } from './folder.ts'
import { LedgerNode } from './node.ts'

async function walletAt(node: LedgerNode, client: Client = node.client(), words?: string): Promise<Wallet> {
  const path = join(await temporaryFolder(), 'wallet.json')
  await createWallet(path, node.params, words)
  return openWallet(path, client)
}

const keyOf = (wallet: Wallet) => toHex(wallet.keys.rollup.key)

/** A node and a wallet that holds 100,000 sat less the cell fee. */
async function funded(client?: (node: LedgerNode) => Client) {
  const node = new LedgerNode()
  const wallet = await walletAt(node, client?.(node))
  node.deposit(keyOf(wallet), 100_000n)
  node.mine()
  return { node, wallet }
}

const stranger = '79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798'

describe('a wallet', () => {
  it('is created, restored from its words, and says where it receives', async () => {
    const node = new LedgerNode()
    const path = join(await temporaryFolder(), 'one.json')
    const { words, addresses } = await createWallet(path, node.params)
    expect((await stat(path)).mode & 0o777).toBe(0o600)
    expect(await readAddresses(path)).toEqual(addresses)
    expect(addresses.bitcoin).toMatch(/^bcrt1p/)
    const again = join(await temporaryFolder(), 'two.json')
    expect(await createWallet(again, node.params, words.toUpperCase())).toEqual({ words, addresses })
    await expect(createWallet(join(path, '..', 'three.json'), node.params, 'a b c')).rejects.toMatchObject({
      code: 'bad-words',
    })
  })

  it('refuses a node of another network, whatever that node calls it', async () => {
    const node = new LedgerNode()
    const path = join(await temporaryFolder(), 'wallet.json')
    await createWallet(path, { ...node.params, scanHeight: 102 })
    await expect(openWallet(path, node.client())).rejects.toMatchObject({ code: 'wrong-network' })
  })
})

describe('sending', () => {
  it('pays a key that has no account yet, and one that has', async () => {
    const { node, wallet } = await funded()
    const other = await walletAt(node)
    expect(await readBalance(wallet)).toMatchObject({ balance: 99_490_000n, waiting: [] })

    const first = await send(wallet, { to: keyOf(other), amount: 5_000n, memo: 'rent' })
    expect(first).toMatchObject({ rung: 'sequenced', fee: 10_100n, expiry: 101 + 1008 })
    const second = await send(wallet, { to: keyOf(other), amount: 7n, fee: 1_000n, expiry: 110 })
    expect(second).toMatchObject({ fee: 1_000n, expiry: 110 })
    expect((await readBalance(wallet)).balance).toBe(99_490_000n - 5_000n - 10_100n - 1_007n)
    expect((await readBalance(other)).balance).toBe(5_007n)

    const { sends } = await readWalletFile(wallet.path)
    expect(sends.map(({ id, state }) => [id, state])).toEqual([
      [first.id, 'sequenced'],
      [second.id, 'sequenced'],
    ])
    expect(sends[0]?.acknowledgement?.receipt).toMatch(/^[0-9a-f]+$/)
    expect(sends[0] && signedOf(sends[0])).toMatchObject({ mayCreate: true, nonce: 0n })
    expect(sends[1] && signedOf(sends[1])).toMatchObject({ mayCreate: false, nonce: 1n, toCell: 1 })
  })

  it('shows its own memo beside the payment, and only where the commitment is to it', async () => {
    const { wallet } = await funded()
    await send(wallet, { to: stranger, amount: 1n, memo: 'rent' })
    await send(wallet, { to: stranger, amount: 2n, memo: 'rent' })
    await send(wallet, { to: stranger, amount: 3n })
    const { entries } = await readHistory(wallet)
    expect(entries.map(({ amount, text }) => [amount, text])).toEqual([
      [3n, undefined],
      [2n, 'rent'],
      [1n, 'rent'],
    ])
    // The same text twice commits to different hashes, so nobody can tell.
    expect(new Set(entries.map(({ memo }) => memo)).size).toBe(3)
  })

  it('takes turns: payments made at once get their nonces in order', async () => {
    const { wallet } = await funded()
    const sent = await Promise.all([1n, 2n, 3n, 4n, 5n].map((amount) => send(wallet, { to: stranger, amount })))
    expect(sent.map(({ rung }) => rung)).toEqual(Array(5).fill('sequenced'))
    const { sends } = await readWalletFile(wallet.path)
    expect(sends.map((record) => signedOf(record).nonce)).toEqual([0n, 1n, 2n, 3n, 4n])
  })

  it('says what is wrong before anything is recorded', async () => {
    const { wallet } = await funded()
    const wrong: [Parameters<typeof send>[1], string][] = [
      [{ to: 'me', amount: 1n }, 'bad-recipient'],
      [{ to: 'ee'.repeat(32).replace(/^ee/, 'ff'), amount: 1n }, 'bad-recipient'],
      [{ to: keyOf(wallet), amount: 1n }, 'bad-recipient'],
      [{ to: stranger, amount: 0n }, 'bad-amount'],
      [{ to: stranger, amount: 99_490_000n }, 'insufficient-funds'],
      [{ to: stranger, amount: 1n, memo: 'x'.repeat(501) }, 'bad-memo'],
    ]
    for (const [request, code] of wrong) await expect(send(wallet, request)).rejects.toMatchObject({ code })
    expect((await readWalletFile(wallet.path)).sends).toEqual([])
  })

  it('tells a wallet without an account to deposit, or to wait', async () => {
    const node = new LedgerNode()
    node.mine()
    const wallet = await walletAt(node)
    await expect(send(wallet, { to: stranger, amount: 1n })).rejects.toMatchObject({
      code: 'no-account',
      message: expect.stringContaining('Deposit bitcoin'),
    })
    node.deposit(keyOf(wallet), 5_000n)
    await expect(send(wallet, { to: stranger, amount: 1n })).rejects.toThrow('waits to be credited')
    expect((await readBalance(wallet)).waiting).toMatchObject([{ sats: 5_000n }])
  })

  it('records what the network refuses, and signs nothing behind it', async () => {
    let isMoving = false
    const { node, wallet } = await funded((beneath) =>
      beneath.client((ask, url) => {
        if (isMoving && url.endsWith('/transfers')) beneath.mine()
        return ask()
      }),
    )
    const cheap = send(wallet, { to: stranger, amount: 1n, fee: 1n })
    await expect(cheap).rejects.toMatchObject({ code: 'bad-amount' })
    const past = send(wallet, { to: stranger, amount: 1n, expiry: 100 })
    await expect(past).rejects.toMatchObject({ code: 'bad-expiry', details: { height: '101' } })
    expect((await readWalletFile(wallet.path)).sends).toEqual([])
    isMoving = true
    const refused = send(wallet, { to: stranger, amount: 1n, expiry: 101 })
    await expect(refused).rejects.toMatchObject({ code: 'refused', details: { reason: 'expired' } })
    expect((await readWalletFile(wallet.path)).sends).toMatchObject([{ state: 'refused', reason: 'expired' }])
    await expect(send(wallet, { to: stranger, amount: 2n })).rejects.toMatchObject({ code: 'earlier-open' })
    expect(await send(wallet, { to: stranger, amount: 2n, replace: true })).toMatchObject({ rung: 'sequenced' })
    expect((await readWalletFile(wallet.path)).sends.map((record) => signedOf(record).nonce)).toEqual([0n, 0n])
    expect((await node.client().account({ key: stranger })).balance).toBe(2n)
  })
})

/** A network that breaks while submissions pass, as often as it is told: after or before the node has them. */
function breaking(node: LedgerNode, faults: ('lost-answer' | 'lost-request')[]): Client {
  return node.client(async (ask, url) => {
    const fault = url.endsWith('/transfers') ? faults.shift() : undefined
    if (fault !== 'lost-request') {
      const response = await ask()
      if (fault === undefined) return response
    }
    throw new TypeError('fetch failed', { cause: new Error('ECONNRESET') })
  })
}

describe('a payment whose answer is lost', () => {
  it.each(['lost-answer', 'lost-request'] as const)(
    'by a %s is sent again as the same bytes, and lands once',
    async (fault) => {
      const faults = [fault, fault]
      const { node, wallet } = await funded((node) => breaking(node, faults))
      const lost = send(wallet, { to: stranger, amount: 500n, memo: 'once' })
      await expect(lost).rejects.toMatchObject({ code: 'not-answered', details: { reason: 'unreachable' } })
      const [recorded] = (await readWalletFile(wallet.path)).sends
      expect(recorded).toMatchObject({ state: 'recorded', memo: 'once' })

      // A new process opens the same file.
      const reopened = await openWallet(wallet.path, wallet.client)
      await expect(resumeSends(reopened)).rejects.toMatchObject({ code: 'not-answered' })
      expect(await resumeSends(reopened)).toEqual([{ id: recorded?.id, rung: 'sequenced' }])
      expect(await resumeSends(reopened)).toEqual([])
      const [settled] = (await readWalletFile(wallet.path)).sends
      expect(settled).toMatchObject({ ...recorded, state: 'sequenced', memo: 'once' })
      const { balance } = await node.client().account({ key: stranger })
      expect(balance).toBe(500n)
    },
  )

  it('goes out before the next one', async () => {
    const { node, wallet } = await funded((node) => breaking(node, ['lost-request']))
    await expect(send(wallet, { to: stranger, amount: 1n })).rejects.toMatchObject({ code: 'not-answered' })
    await send(wallet, { to: stranger, amount: 2n })
    const { sends } = await readWalletFile(wallet.path)
    expect(sends.map(({ state }) => state)).toEqual(['sequenced', 'sequenced'])
    expect((await node.client().account({ key: stranger })).balance).toBe(3n)
  })

  it('waits when the node has too much to do', async () => {
    let rounds = 0
    const busy = (node: LedgerNode) =>
      node.client((ask, url) => {
        if (!url.endsWith('/transfers') || rounds++ === 2) return ask()
        const error = { code: 'overloaded', message: 'Later.', details: { retryAfterMs: 5 } }
        return Promise.resolve(Response.json({ error }, { status: 429 }))
      })
    const { wallet } = await funded(busy)
    expect(await send(wallet, { to: stranger, amount: 1n })).toMatchObject({ rung: 'sequenced' })
    expect(rounds).toBe(3)
  })
})

/** A client whose account answers pass through `change`. */
const accounts = (node: LedgerNode, change: (account: { rung: string; cells: { nonce: string }[] }) => unknown) =>
  node.client(async (ask, url) => {
    const response = await ask()
    return /\/accounts\/[0-9a-f]+$/.test(url)
      ? Response.json(change((await response.json()) as Parameters<typeof change>[0]))
      : response
  })

describe('nonces', () => {
  it('of payments on their way are taken, where the node says only how the last batch stands', async () => {
    const behind = (node: LedgerNode) =>
      accounts(node, (account) => ({
        ...account,
        rung: 'anchored',
        cells: account.cells.map((cell) => ({ ...cell, nonce: '0' })),
      }))
    const { wallet } = await funded(behind)
    for (const amount of [1n, 2n, 3n])
      expect(await send(wallet, { to: stranger, amount })).toMatchObject({ rung: 'sequenced' })
    const { sends } = await readWalletFile(wallet.path)
    expect(sends.map((record) => signedOf(record).nonce)).toEqual([0n, 1n, 2n])
  })
})

describe('a node that lies about a promise', () => {
  const lying =
    (change: (body: { id: string; acknowledgement: { operation: string; receipt: string } }) => unknown) =>
    (node: LedgerNode) =>
      node.client(async (ask, url) => {
        const response = await ask()
        if (!url.endsWith('/transfers') || !response.ok) return response
        return Response.json(change((await response.json()) as Parameters<typeof change>[0]))
      })

  const flipEnd = (hex: string, at: number) => hex.slice(0, at) + (hex[at] === '0' ? '1' : '0') + hex.slice(at + 1)
  const lies: [string, Parameters<typeof lying>[0]][] = [
    ['another payment', (body) => ({ ...body, id: '00'.repeat(32) })],
    [
      'another amount',
      (body) => ({
        ...body,
        acknowledgement: { ...body.acknowledgement, operation: flipEnd(body.acknowledgement.operation, 2 * 60) },
      }),
    ],
    [
      'another signature',
      (body) => ({
        ...body,
        acknowledgement: { ...body.acknowledgement, operation: flipEnd(body.acknowledgement.operation, 2 * 173) },
      }),
    ],
    [
      'a forged tick',
      (body) => ({
        ...body,
        acknowledgement: { ...body.acknowledgement, receipt: flipEnd(body.acknowledgement.receipt, 0) },
      }),
    ],
    [
      'a forged tick signature',
      (body) => ({
        ...body,
        acknowledgement: { ...body.acknowledgement, receipt: flipEnd(body.acknowledgement.receipt, 2 * 120) },
      }),
    ],
    ['no receipt at all', (body) => ({ ...body, acknowledgement: { ...body.acknowledgement, receipt: '00' } })],
  ]
  it.each(lies)('with %s is found out, and the payment kept', async (_what, change) => {
    const { wallet } = await funded(lying(change))
    await expect(send(wallet, { to: stranger, amount: 1n })).rejects.toMatchObject({ code: 'bad-answer' })
    expect((await readWalletFile(wallet.path)).sends).toMatchObject([{ state: 'recorded' }])
  })
})
