import { join } from 'node:path'
import { toHex } from '@kedge/core'
import { describe, expect, it } from 'vitest'
import { resumeSends } from '../src/actions/resume.ts'
import { send } from '../src/actions/send.ts'
import { readUnplaced } from '../src/actions/unplaced.ts'
import { quoteWithdrawal, withdraw } from '../src/actions/withdraw.ts'
import { readWithdrawal } from '../src/actions/withdrawal-status.ts'
import { signedOf } from '../src/content.ts'
import { readWalletFile } from '../src/file.ts'
import { addressesOf } from '../src/keys.ts'
import { createWallet, openWallet, type Wallet } from '../src/wallet.ts'
import { age } from './age.ts'
import { temporaryFolder } from './folder.ts'
import { LedgerNode } from './node.ts'

const stranger = '79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798'

async function funded(node: LedgerNode, client = node.client()): Promise<Wallet> {
  const path = join(await temporaryFolder(), 'wallet.json')
  await createWallet(path, node.params)
  const wallet = await openWallet(path, client)
  node.deposit(toHex(wallet.keys.rollup.key), 100_000n)
  node.mine()
  return wallet
}

const addressOf = ({ keys, params }: Wallet) => addressesOf(keys, params.chain).bitcoin
const balanceOf = async (node: LedgerNode, { keys }: Wallet) =>
  (await node.client().account({ key: toHex(keys.rollup.key) })).balance

describe('a withdrawal', () => {
  it('is quoted before anything is signed, and costs what was quoted', async () => {
    const node = new LedgerNode()
    const wallet = await funded(node)
    const [address, sats] = [addressOf(wallet), 20_000n]
    const before = await balanceOf(node, wallet)
    const quote = await quoteWithdrawal(wallet, { address, sats })
    expect((await readWalletFile(wallet.path)).sends).toEqual([])
    expect(quote).toMatchObject({ sats, fee: 100n, arrives: sats - quote.payoutFee })
    const { dispute, originDepth } = wallet.params.windows
    expect(quote.payableAt - quote.height).toBe(1 + dispute + originDepth)
    const sent = await withdraw(wallet, { address, sats, payoutFee: quote.payoutFee })
    expect(sent).toMatchObject({ rung: 'sequenced', sats, fee: quote.fee, arrives: quote.arrives })
    expect(await balanceOf(node, wallet)).toBe(before - 20_000_000n - 100n)
    const status = await readWithdrawal(wallet, sent.id)
    expect(status?.checks.map(({ name, verdict }) => [name, verdict])).toEqual([
      ['withdrawal', 'holds'],
      ['receipt', 'holds'],
    ])
    expect(await readWithdrawal(wallet, '00'.repeat(32))).toBeUndefined()
  })

  it.each([
    ['bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4', 20_000n, 'bad-address'],
    // A witness of a version to come.
    ['bcrt1sqqgqs2mgqz', 20_000n, 'bad-address'],
    ['nowhere', 20_000n, 'bad-address'],
    [undefined, 600n, 'bad-amount'],
    [undefined, 200_000n, 'insufficient-funds'],
  ] as const)('to %s of %d sat is refused: %s', async (address, sats, code) => {
    const node = new LedgerNode()
    const wallet = await funded(node)
    const request = { address: address ?? addressOf(wallet), sats, payoutFee: 500n }
    await expect(withdraw(wallet, request)).rejects.toMatchObject({ code })
    expect((await readWalletFile(wallet.path)).sends).toEqual([])
  })

  it('whose answer is lost is submitted again as the same bytes, and made once', async () => {
    const node = new LedgerNode()
    let lost = 0
    const client = node.client(async (ask, url) => {
      const response = await ask()
      if (!url.endsWith('/withdrawals') || lost > 0) return response
      lost += 1
      throw new TypeError('connection lost')
    })
    const wallet = await funded(node, client)
    const before = await balanceOf(node, wallet)
    const request = { address: addressOf(wallet), sats: 20_000n, payoutFee: 500n }
    await expect(withdraw(wallet, request)).rejects.toMatchObject({ code: 'not-answered' })
    const [recorded] = (await readWalletFile(wallet.path)).sends
    expect(recorded).toMatchObject({ state: 'recorded' })
    expect(await resumeSends(wallet)).toEqual([{ id: recorded?.id, kind: 'withdrawal', rung: 'sequenced' }])
    expect(await resumeSends(wallet)).toEqual([])
    expect(await balanceOf(node, wallet)).toBe(before - 20_000_000n - 100n)
    // Payments and withdrawals take nonces of one cell in turn.
    await send(wallet, { to: stranger, amount: 1n })
    await withdraw(wallet, request)
    const { sends } = await readWalletFile(wallet.path)
    expect(sends.map((record) => [signedOf(record).kind, signedOf(record).nonce])).toEqual([
      ['withdrawal', 0n],
      ['transfer', 1n],
      ['withdrawal', 2n],
    ])
  })

  it('that a node has on its bare word, and told nobody of, is not made again long after', async () => {
    const node = new LedgerNode()
    let lost = 0
    const client = node.client(async (ask, url) => {
      const response = await ask()
      if (url.endsWith('/withdrawals') && lost++ === 0) throw new TypeError('connection lost')
      if (!url.includes('/withdrawals/')) return response
      const { acknowledgement: _, ...bare } = (await response.json()) as Record<string, unknown>
      return Response.json(bare, { status: response.status })
    })
    const wallet = await funded(node, client)
    const before = await balanceOf(node, wallet)
    const request = { address: addressOf(wallet), sats: 20_000n, payoutFee: 500n }
    await expect(withdraw(wallet, request)).rejects.toMatchObject({ code: 'not-answered' })
    await age(wallet)
    expect(await withdraw(wallet, request)).toMatchObject({ rung: 'sequenced', isRepeat: true })
    expect(await balanceOf(node, wallet)).toBe(before - 20_000_000n - 100n)
  })

  it('that stands in no batch is listed, and sent again', async () => {
    const [here, there] = [new LedgerNode(), new LedgerNode()]
    const wallet = await funded(here)
    there.deposit(toHex(wallet.keys.rollup.key), 100_000n)
    there.mine()
    const sent = await withdraw(wallet, { address: addressOf(wallet), sats: 20_000n, payoutFee: 500n })
    const moved = { ...wallet, client: there.client() }
    expect(await readUnplaced(moved)).toMatchObject([
      { id: sent.id, kind: 'withdrawal', to: addressOf(wallet), amount: 20_000_000n, standing: 'unknown' },
    ])
    expect(await resumeSends(moved)).toEqual([{ id: sent.id, kind: 'withdrawal', rung: 'sequenced' }])
    expect(await readUnplaced(moved)).toEqual([])
  })
})
