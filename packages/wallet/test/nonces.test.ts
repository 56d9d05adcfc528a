import { join } from 'node:path'
import { type Account, type Client, errorBodyOf, type RefusalCode, statusOf } from '@kedge/api'
import { toHex } from '@kedge/core'
import { describe, expect, it } from 'vitest'
import { readHistory } from '../src/actions/history.ts'
import { resumeSends } from '../src/actions/resume.ts'
import { findRecentSend, send } from '../src/actions/send.ts'
import { readStatus } from '../src/actions/status.ts'
import { signedOf } from '../src/content.ts'
import { readWalletFile } from '../src/file.ts'
import { readTold } from '../src/turn.ts'
import { createWallet, openWallet, type Wallet } from '../src/wallet.ts'
import { age } from './age.ts'
import { temporaryFolder } from './folder.ts'
import { LedgerNode } from './node.ts'

const stranger = '79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798'

async function walletAt(node: LedgerNode, client: Client, words?: string): Promise<Wallet> {
  const path = join(await temporaryFolder(), 'wallet.json')
  await createWallet(path, node.params, words)
  return openWallet(path, client)
}

/** What the node in between does to one answer after the other; what is left honest is undefined. */
interface Lies {
  /** Added to every nonce. */
  nonce: bigint
  /** Whether it knows of no payment. */
  hides: boolean
  /** Whether it gives its bare word instead of receipts. */
  isBare: boolean
  /** What submissions are answered, once the node has them; `unsent` never reaches it. */
  readonly answers: (RefusalCode | 'silence' | 'pending' | 'unsent')[]
}

async function between() {
  const node = new LedgerNode()
  const lies: Lies = { nonce: 0n, hides: false, isBare: false, answers: [] }
  const client = node.client(async (ask, url) => {
    const lie = url.endsWith('/transfers') ? lies.answers.shift() : undefined
    if (lie === 'unsent') throw new TypeError('fetch failed', { cause: new Error('ECONNREFUSED') })
    const response = await ask()
    if (/\/accounts\/[0-9a-f]+$/.test(url)) return raised(response, lies.nonce)
    if (lies.hides && url.includes('/payments/')) return refusedFor('not-found')
    if (lie === undefined) return lies.isBare && response.ok ? bared(response) : response
    if (lie === 'silence') throw new TypeError('fetch failed', { cause: new Error('ECONNRESET') })
    if (lie === 'pending') return Response.json({ id: ((await response.json()) as { id: string }).id, rung: 'pending' })
    return refusedFor(lie)
  })
  const wallet = await walletAt(node, client)
  node.deposit(toHex(wallet.keys.rollup.key), 100_000n)
  node.mine()
  const paid = async () => (await node.client().account({ key: stranger })).balance
  const nonces = async () => (await readWalletFile(wallet.path)).sends.map((record) => signedOf(record).nonce)
  return { node, lies, wallet, paid, nonces }
}

function refusedFor(code: RefusalCode | 'not-found'): Response {
  return Response.json(errorBodyOf({ code }), { status: statusOf(code) })
}

async function bared(response: Response): Promise<Response> {
  const { acknowledgement: _, ...rest } = (await response.json()) as Record<string, unknown>
  return Response.json(rest)
}

async function raised(response: Response, by: bigint): Promise<Response> {
  const account = (await response.json()) as { cells: { nonce: string }[] }
  return Response.json({
    ...account,
    cells: account.cells.map((cell) => ({ ...cell, nonce: String(BigInt(cell.nonce) + by) })),
  })
}

const five = { to: stranger, amount: 5n }

describe('a payment whose outcome is open', () => {
  it.each(['expired', 'nonce-used', 'insufficient-funds', 'nonce-ahead', 'silence', 'pending'] as const)(
    'is paid once where the node keeps it and answers %s, however often it is asked for',
    async (lie) => {
      const { lies, wallet, paid, nonces } = await between()
      lies.answers.push(lie, lie)
      for (let attempt = 0; attempt < 4; attempt++) {
        const [sent] = await Promise.allSettled([send(wallet, five)])
        if (sent.status === 'fulfilled' && sent.value.rung === 'sequenced') break
        lies.nonce = 1n
      }
      lies.nonce = 0n
      expect(await resumeSends(wallet)).toEqual([])
      expect(await paid()).toBe(5n)
      expect(new Set(await nonces()).size).toBe(1)
    },
  )

  it.each([
    ['signed', async () => undefined],
    [
      'told of',
      async (wallet: Wallet, lies: Lies) => {
        lies.answers.push('silence')
        await expect(send(wallet, five)).rejects.toMatchObject({ code: 'not-answered' })
      },
    ],
  ])(
    'is paid once where another process was asked too, and it was %s after the payer had looked',
    async (_, before) => {
      const { lies, wallet, paid, nonces } = await between()
      await before(wallet, lies)
      const told = await readTold(wallet.path)
      expect(await findRecentSend(wallet, five)).toBeUndefined()
      await send(wallet, five)
      expect(await send(wallet, { ...five, told })).toMatchObject({ rung: 'sequenced', isRepeat: true })
      expect(await paid()).toBe(5n)
      expect(await nonces()).toEqual([0n])
      // Who asks after that means another one, and may have been asked.
      expect(await send(wallet, { ...five, told: await readTold(wallet.path) })).not.toHaveProperty('isRepeat')
    },
  )

  it('that was refused, and is found to be ordered, is told of before another one goes behind it', async () => {
    const { lies, wallet, paid, nonces } = await between()
    lies.answers.push('insufficient-funds')
    await expect(send(wallet, five)).rejects.toMatchObject({ code: 'refused' })
    const other = { to: stranger, amount: 4n }
    await expect(send(wallet, other)).rejects.toMatchObject({ code: 'earlier-open' })
    expect(await nonces()).toEqual([0n])
    expect(await send(wallet, other)).toMatchObject({ rung: 'sequenced' })
    expect(await paid()).toBe(9n)
  })

  it('lets nothing else be signed behind it, but in its place', async () => {
    const { lies, wallet, paid, nonces } = await between()
    lies.answers.push('expired', 'expired', 'expired')
    lies.hides = true
    await expect(send(wallet, { ...five, expiry: 150 })).rejects.toMatchObject({ code: 'refused' })
    const [{ id } = { id: '' }] = (await readWalletFile(wallet.path)).sends
    const other = { to: stranger, amount: 7n }
    for (const next of [other, { ...five, memo: 'lunch' }])
      await expect(send(wallet, next)).rejects.toMatchObject({ code: 'earlier-open', details: { id } })
    expect(await nonces()).toEqual([0n])
    // The node has the first one all along.
    await expect(send(wallet, { ...other, replace: true })).rejects.toMatchObject({ code: 'refused' })
    expect(await nonces()).toEqual([0n, 0n])
    expect(await paid()).toBe(5n)
  })

  it('that is taken and not promised has others behind it where that is meant', async () => {
    const { lies, wallet, paid, nonces } = await between()
    lies.answers.push('pending', 'pending', 'pending')
    lies.hides = true
    expect(await send(wallet, five)).toMatchObject({ rung: 'pending' })
    expect(await send(wallet, five)).toMatchObject({ rung: 'pending', isRepeat: true })
    expect(await send(wallet, { ...five, again: true })).toMatchObject({ rung: 'sequenced' })
    expect([await nonces(), await paid()]).toEqual([[0n, 1n], 10n])
  })

  it('and was ordered all along, is not paid again once that shows, however long it took', async () => {
    const { lies, wallet, paid, nonces } = await between()
    lies.answers.push('silence')
    await expect(send(wallet, five)).rejects.toMatchObject({ code: 'not-answered' })
    await age(wallet)
    expect(await findRecentSend(wallet, five)).toBeUndefined()
    expect(await send(wallet, five)).toMatchObject({ rung: 'sequenced', isRepeat: true })
    expect([await nonces(), await paid()]).toEqual([[0n], 5n])
    // Its payer knows by now: who asks once more means another one.
    expect(await send(wallet, five)).not.toHaveProperty('isRepeat')
    expect([await nonces(), await paid()]).toEqual([[0n, 1n], 10n])
  })

  it.each(['silence', 'unsent'] as const)(
    'and showed to be ordered while something else was paid, is not paid again: %s',
    async (lie) => {
      const { lies, wallet, paid } = await between()
      lies.answers.push(lie)
      await expect(send(wallet, five)).rejects.toMatchObject({ code: 'not-answered' })
      expect(await send(wallet, { to: stranger, amount: 4n })).toMatchObject({ rung: 'sequenced' })
      await age(wallet)
      expect(await send(wallet, five)).toMatchObject({ rung: 'sequenced', isRepeat: true })
      expect(await paid()).toBe(9n)
    },
  )

  it('and showed to be ordered in a list that leaves it out for that, is not paid again, until its payer asks', async () => {
    const { lies, wallet, paid } = await between()
    lies.answers.push('insufficient-funds')
    await expect(send(wallet, five)).rejects.toMatchObject({ code: 'refused' })
    await readHistory(wallet)
    await age(wallet)
    const lunch = { ...five, memo: 'lunch' }
    await expect(send(wallet, lunch)).rejects.toMatchObject({ code: 'paid-already' })
    expect(await paid()).toBe(5n)
    expect(await send(wallet, lunch)).not.toHaveProperty('isRepeat')

    lies.answers.push('silence')
    const six = { to: stranger, amount: 6n }
    await expect(send(wallet, six)).rejects.toMatchObject({ details: { reason: 'unreachable' } })
    const { id = '' } = (await readWalletFile(wallet.path)).sends.at(-1) ?? {}
    await readStatus(wallet, id)
    await age(wallet)
    expect(await send(wallet, six)).not.toHaveProperty('isRepeat')
    expect(await paid()).toBe(22n)
  })

  it('says what helps: not to wait, where nothing comes of that', async () => {
    const { node, lies, wallet, paid } = await between()
    lies.answers.push('unsent', 'unsent')
    await expect(send(wallet, five)).rejects.toMatchObject({ code: 'not-answered' })
    for (let blocks = 0; blocks < 2; blocks++) node.mine()
    const other = { to: stranger, amount: 7n }
    const blocked = await send(wallet, other).catch(({ message }: Error) => message)
    expect(blocked).toContain('It keeps its place, also when it has expired. Make the same payment again')
    expect(blocked).not.toMatch(/[Ww]ait|After height/)
    lies.isBare = true
    expect(await send(wallet, { ...other, replace: true })).toMatchObject({ rung: 'sequenced' })
    const replaced = await send(wallet, five).catch(({ message }: Error) => message)
    expect(replaced).toContain('waiting may not help: add --again')
    lies.isBare = false
    expect(await send(wallet, { ...five, again: true })).toMatchObject({ rung: 'sequenced' })
    expect(await paid()).toBe(12n)
  })

  it('is asked for once more, and told to be one that was paid already', async () => {
    const { wallet, paid } = await between()
    expect(await findRecentSend(wallet, five)).toBeUndefined()
    const { id } = await send(wallet, five)
    expect(await findRecentSend(wallet, five)).toMatchObject({ id })
    expect(await findRecentSend(wallet, { ...five, amount: 6n })).toBeUndefined()
    await expect(send(wallet, { ...five, replace: true })).rejects.toMatchObject({ code: 'nothing-to-replace' })
    await send(wallet, five)
    expect(await paid()).toBe(10n)
  })
})

describe('a nonce that the wallet does not know of', () => {
  const nonceOf = (account: Account) => account.cells[0]?.nonce

  it('is not taken from a node that shows nothing, unless its word is to be taken', async () => {
    const { lies, wallet, nonces } = await between()
    lies.nonce = 1n
    await expect(send(wallet, five)).rejects.toMatchObject({ code: 'nonce-unproven', details: { nonce: '1' } })
    expect(await nonces()).toEqual([])
    await expect(send(wallet, { ...five, trustNode: true })).rejects.toMatchObject({ code: 'not-answered' })
    expect(await nonces()).toEqual([1n])
    // What is meant to be the same is not signed for the nonce before it either.
    lies.nonce = 0n
    await expect(send(wallet, five)).rejects.toMatchObject({ details: { reason: 'nonce-ahead' } })
    expect(await nonces()).toEqual([1n])
    expect(await send(wallet, { to: stranger, amount: 1n })).toMatchObject({ rung: 'sequenced' })
  })

  it('is taken where the words were used elsewhere, as what they signed shows', async () => {
    const { node, lies, wallet, paid } = await between()
    for (const amount of [1n, 2n]) await send(wallet, { to: stranger, amount })
    const { words } = await readWalletFile(wallet.path)
    const restored = await walletAt(node, wallet.client, words)
    lies.nonce = 1n
    await expect(send(restored, five)).rejects.toMatchObject({ code: 'nonce-unproven' })
    lies.nonce = 0n
    expect(await send(restored, five)).toMatchObject({ rung: 'sequenced' })
    // And the first one finds the restored one's payment in the way of nothing.
    expect(await send(wallet, { to: stranger, amount: 9n })).toMatchObject({ rung: 'sequenced' })
    expect(await paid()).toBe(17n)
    expect(nonceOf(await node.client().account({ key: toHex(wallet.keys.rollup.key) }))).toBe(4n)
  })
})
