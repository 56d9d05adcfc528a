import { join } from 'node:path'
import type { Client, RouteResponse } from '@kedge/api'
import {
  documentToJson,
  encodeDocument,
  fromHex,
  hashTwice,
  type Params,
  type PaymentDocument,
  toHex,
} from '@kedge/core'
import { describe, expect, it } from 'vitest'
import { fetchProof, fetchReceipt } from '../src/actions/keep.ts'
import { send } from '../src/actions/send.ts'
import { checkPayment, checkReceipt, openProof } from '../src/documents.ts'
import { WalletError } from '../src/errors.ts'
import { createWallet, openWallet, type Wallet } from '../src/wallet.ts'
import { temporaryFolder } from './folder.ts'
import { LedgerNode } from './node.ts'

const stranger = '79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798'

async function paid() {
  const node = new LedgerNode()
  const path = join(await temporaryFolder(), 'wallet.json')
  await createWallet(path, node.params)
  const wallet = await openWallet(path, node.client())
  node.deposit(toHex(wallet.keys.rollup.key), 100_000n)
  node.mine()
  const { id } = await send(wallet, { to: stranger, amount: 5_000n })
  return { node, wallet, id }
}

const codeOf = (work: () => unknown) => {
  try {
    work()
    return 'none'
  } catch (error) {
    if (error instanceof WalletError) return error.code
    throw error
  }
}

const newest = ({ blockHeaders }: PaymentDocument, height: number) => ({
  height,
  hash: hashTwice(blockHeaders.slice(-80)),
})

/** The wallet at a node that answers for a payment with something else. */
function lied(node: LedgerNode, wallet: Wallet, change: (payment: RouteResponse<'payment'>) => object): Wallet {
  const client: Client = node.client(async (ask, url) => {
    if (!url.includes('/payments/')) return ask()
    return Response.json(change((await (await ask()).json()) as RouteResponse<'payment'>))
  })
  return { ...wallet, client }
}

const foreign = (params: Params): Params => ({ ...params, scanHeight: params.scanHeight + 1 })

describe('a receipt', () => {
  it('is kept, and checked by the parameters alone, as bytes and as JSON', async () => {
    const { node, wallet, id } = await paid()
    const document = await fetchReceipt(wallet, id)
    const bytes = encodeDocument(document)
    const json = new TextEncoder().encode(JSON.stringify(documentToJson(document)))
    for (const form of [bytes, json]) {
      const proven = checkReceipt(node.params, form)
      expect(toHex(proven.id)).toBe(id)
      expect(proven).toMatchObject({ operation: { amount: 5_000n }, receipt: { tick: { number: 1 } } })
    }
    expect(codeOf(() => checkReceipt(foreign(node.params), bytes))).toBe('wrong-network')
    expect(codeOf(() => checkReceipt(node.params, bytes.slice(1)))).toBe('bad-document')
    expect(codeOf(() => checkReceipt(node.params, bytes.slice(0, -1)))).toBe('bad-document')
    expect(codeOf(() => checkReceipt(node.params, json.slice(0, -1)))).toBe('bad-document')
    expect(codeOf(() => checkReceipt(node.params, bytes.with(60, 0xff)))).toBe('not-proven')
    expect(codeOf(() => openProof(node.params, bytes))).toBe('bad-document')
  })

  it('is the wallet’s own where the node has none', async () => {
    const { node, wallet, id } = await paid()
    const forgetful = lied(node, wallet, ({ id: same }) => ({ rung: 'sequenced', id: same, batch: 1, index: 1 }))
    expect(await fetchReceipt(forgetful, id)).toEqual(await fetchReceipt(wallet, id))
    const unknown = { ...wallet, client: new LedgerNode().client() }
    expect(await fetchReceipt(unknown, id)).toEqual(await fetchReceipt(wallet, id))
    await expect(fetchReceipt(unknown, '00'.repeat(32))).rejects.toMatchObject({ code: 'no-receipt' })
  })

  it('that is another payment’s, or not signed, is not kept', async () => {
    const { node, wallet, id } = await paid()
    const { id: other } = await send(wallet, { to: stranger, amount: 6_000n })
    const { receipt, operation } = await fetchReceipt(wallet, other)
    const show = (wrong: object) => lied(node, wallet, (payment) => ({ ...payment, acknowledgement: wrong }))
    const swapped = show({ operation: toHex(operation), receipt: toHex(receipt) })
    await expect(fetchReceipt(swapped, id)).rejects.toMatchObject({ code: 'bad-answer' })
    const unsigned = show({ operation: toHex(operation), receipt: toHex(receipt.with(120, 1)) })
    await expect(fetchReceipt(unsigned, other)).rejects.toMatchObject({ code: 'bad-answer' })
  })
})

describe('a payment proof', () => {
  it('is kept once the payment is anchored, and checked with a block that is known', async () => {
    const { node, wallet, id } = await paid()
    await expect(fetchProof(wallet, id)).rejects.toMatchObject({ code: 'not-anchored', details: { rung: 'sequenced' } })
    await expect(fetchProof(wallet, '00'.repeat(32))).rejects.toMatchObject({ code: 'unknown-payment' })
    node.mine()
    node.mine()
    const document = await fetchProof(wallet, id)
    const bytes = encodeDocument(document)
    const opened = openProof(node.params, bytes)
    const proven = checkPayment(node.params, opened, newest(document, 103))
    expect(toHex(proven.payment.id)).toBe(id)
    expect(proven.block).toMatchObject({ height: 102, depth: 2 })
    expect(proven.reservations.map(({ name }) => name)).toEqual(['reorg', 'chain', 'null', 'void', 'payer'])
    expect(codeOf(() => openProof(foreign(node.params), bytes))).toBe('wrong-network')
    expect(codeOf(() => checkPayment(node.params, opened, newest(document, 104)))).toBe('not-proven')
    expect(codeOf(() => checkPayment(node.params, opened, { height: 103, hash: fromHex(id) }))).toBe('not-proven')
  })

  it('that shows nothing, or another payment, is not kept', async () => {
    const { node, wallet, id } = await paid()
    const { id: other } = await send(wallet, { to: stranger, amount: 6_000n })
    node.mine()
    const elsewhere = await wallet.client.payment({ id: other })
    if (elsewhere.rung !== 'anchored') throw new Error(elsewhere.rung)
    const { proof } = elsewhere
    const show = (bytes: string) => lied(node, wallet, (payment) => ({ ...payment, proof: { ...proof, bytes } }))
    for (const bytes of [proof.bytes, proof.bytes.slice(2), proof.bytes.replace(/.$/, '1')])
      await expect(fetchProof(show(bytes), id)).rejects.toMatchObject({ code: 'bad-answer' })
  })
})
