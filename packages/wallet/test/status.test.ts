import { join } from 'node:path'
import type { Client, RouteResponse } from '@kedge/api'
import {
  concatBytes,
  decodePaymentProof,
  encodePaymentProof,
  fromHex,
  hashTwice,
  type PaymentProof,
  toHex,
} from '@kedge/core'
import { describe, expect, it } from 'vitest'
import { send } from '../src/actions/send.ts'
import { type PaymentStatus, readStatus } from '../src/actions/status.ts'
import { readWalletFile } from '../src/file.ts'
import { createWallet, openWallet, type Wallet } from '../src/wallet.ts'
import { coinbase, mineBlock, provenIn, rawTransaction } from './chain.ts'
import { temporaryFolder } from './folder.ts'
import { LedgerNode } from './node.ts'

const stranger = '79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798'

async function walletOf(node: LedgerNode, client: Client, words?: string): Promise<Wallet> {
  const path = join(await temporaryFolder(), 'wallet.json')
  await createWallet(path, node.params, words)
  return openWallet(path, client)
}

async function paidNode(payments = 3) {
  const node = new LedgerNode()
  const wallet = await walletOf(node, node.client())
  node.deposit(toHex(wallet.keys.rollup.key), 100_000n)
  node.mine()
  const ids: string[] = []
  for (let at = 0; at < payments; at++) ids.push((await send(wallet, { to: stranger, amount: BigInt(at + 1) })).id)
  return { node, wallet, ids }
}

const verdicts = ({ checks }: PaymentStatus) => Object.fromEntries(checks.map(({ name, verdict }) => [name, verdict]))

describe('the status of a payment', () => {
  it('is checked on each step of the ladder', async () => {
    const { node, wallet, ids } = await paidNode()
    const id = ids[1] as string
    const sequenced = await readStatus(wallet, id)
    expect(sequenced).toMatchObject({ rung: 'sequenced', batch: 1, index: 2, holds: true, transfer: { amount: 2n } })
    expect(verdicts(sequenced)).toEqual({ payment: 'holds', receipt: 'holds' })

    node.mine()
    const anchored = await readStatus(wallet, id)
    expect(anchored).toMatchObject({ rung: 'anchored', depth: 1, holds: true })
    const proven = {
      payment: 'holds',
      receipt: 'holds',
      batch: 'holds',
      anchor: 'holds',
      link: 'holds',
      block: 'holds',
    }
    expect(verdicts(anchored)).toEqual({ ...proven, 'best-chain': 'unchecked' })

    for (let block = 0; block < node.params.windows.dispute; block++) node.mine()
    const final = await readStatus(wallet, id)
    expect(final).toMatchObject({ rung: 'final', holds: true })
    expect(verdicts(final)).toEqual({ ...proven, 'best-chain': 'unchecked', final: 'unchecked' })
  })

  it('says whose payment it is, also to a wallet that has no record of it', async () => {
    const { node, wallet, ids } = await paidNode(1)
    node.mine()
    const [id = ''] = ids
    const { words } = await readWalletFile(wallet.path)
    const restored = await walletOf(node, node.client(), words)
    expect((await readStatus(restored, id)).checks[0]?.note).toBe('it is signed with this wallet’s key')
    const other = await walletOf(node, node.client())
    expect((await readStatus(other, id)).checks[0]).toMatchObject({ verdict: 'unchecked' })
    const { id: received } = await send(wallet, { to: toHex(other.keys.rollup.key), amount: 9n })
    expect((await readStatus(other, received)).checks[0]?.note).toBe('it pays this wallet')
  })

  it('of a payment that the node has not heard of says what to do', async () => {
    const { wallet } = await paidNode(1)
    await expect(readStatus(wallet, '00'.repeat(32))).rejects.toMatchObject({ code: 'unknown-payment' })
  })

  it('frees the nonce of a payment that was dropped', async () => {
    const { node, wallet, ids } = await paidNode(1)
    const [id = ''] = ids
    const dropping = node.client(async (ask, url) =>
      url.includes('/payments/') ? Response.json({ rung: 'dropped', id, reason: 'void' }) : ask(),
    )
    expect(await readStatus({ ...wallet, client: dropping }, id)).toMatchObject({
      rung: 'dropped',
      reason: 'void',
      checks: [],
    })
    expect((await readWalletFile(wallet.path)).sends).toMatchObject([{ state: 'dropped', reason: 'void' }])
  })
})

describe('a proof', () => {
  let node: LedgerNode
  let wallet: Wallet
  let payment: Extract<RouteResponse<'payment'>, { rung: 'anchored' }>
  async function anchored() {
    const paid = await paidNode(3)
    node = paid.node
    node.mine()
    wallet = paid.wallet
    const answer = await wallet.client.payment({ id: paid.ids[1] as string })
    if (answer.rung !== 'anchored') throw new Error(`the payment is ${answer.rung}`)
    payment = answer
  }

  function statusWith(
    change: (proof: PaymentProof) => Partial<PaymentProof>,
    more: object = {},
    block: object = {},
  ): Promise<PaymentStatus> {
    const whole = proofOf(payment.proof.bytes)
    const bytes = toHex(encodePaymentProof({ ...whole, ...change(whole) }))
    const shown = { ...payment, ...more, proof: { ...payment.proof, bytes, ...block } }
    const client = node.client(async (ask, url) => (url.includes('/payments/') ? Response.json(shown) : ask()))
    return readStatus({ ...wallet, client }, payment.id)
  }

  const failing = ({ checks, holds }: PaymentStatus) => {
    expect(holds).toBe(false)
    return checks.filter(({ verdict }) => verdict === 'fails').map(({ name, note }) => `${name}: ${note}`)
  }

  const flip = (bytes: Uint8Array, at: number) => bytes.with(at, (bytes[at] as number) ^ 1)
  const flipHex = (hex: string, at: number) => toHex(flip(fromHex(hex), at))

  it('that was changed anywhere is found out', async () => {
    await anchored()
    const { bytes, blockHeader } = payment.proof
    const fill = new Uint8Array(32).fill(0xab)
    const wrong: [(proof: PaymentProof) => Partial<PaymentProof>, RegExp][] = [
      [({ operation }) => ({ operation: flip(operation, 60) }), /^payment: the operation shown is not this payment/],
      [({ operation }) => ({ operation: flip(operation, 173) }), /^payment: the signature is not the one/],
      [({ path }) => ({ path: path.slice(1) }), /^batch: the operation is not in the batch/],
      [({ path }) => ({ path: [...path, fill] }), /^batch: the operation is not in the batch/],
      [({ path }) => ({ path: [fill, ...path.slice(1)] }), /^batch: the operation is not in the batch/],
      [() => ({ index: 1 }), /^batch: the operation is not in the batch/],
      [({ header }) => ({ header: flip(header, 1) }), /^batch: the header is another network’s/],
      [({ header }) => ({ header: flip(header, 33) }), /^anchor: the transaction anchors another header/],
      [({ header }) => ({ header: flip(header, 42) }), /^anchor: the transaction anchors another header/],
      [({ header }) => ({ header: header.slice(1) }), /^batch: the header does not decode/],
      [({ anchor }) => changedAnchor(anchor, 4 + 1 + 3), /^link: the transaction does not spend/],
      [({ anchor }) => changedAnchor(anchor, anchor.transaction.length - 1), /^block: the transaction is not in the/],
      [({ anchor }) => ({ anchor: { ...anchor, index: 1 } }), /^block: the transaction is not in the block/],
      [({ anchor }) => ({ previous: anchor.transaction }), /^link: the transaction does not spend/],
    ]
    for (const [change, note] of wrong) expect(failing(await statusWith(change)).join('; ')).toMatch(note)
    const elsewhere = await statusWith(() => ({}), { index: 1 })
    expect(failing(elsewhere)).toEqual(['batch: the proof is for another index'])
    expect(failing(await statusWith(() => ({}), { batch: 2 }))).toContain(
      'batch: the header is batch 1’s, not batch 2’s',
    )
    const block = { blockHeader: flipHex(blockHeader, 40) }
    expect(failing(await statusWith(() => ({}), {}, block))).toHaveLength(1)
    expect(failing(await statusWith(() => ({}), {}, { bytes: bytes.slice(2) }))).toContain(
      'batch: the proof does not decode',
    )
    expect(proofOf(bytes).path).toHaveLength(2)
  })

  const changedAnchor = (anchor: PaymentProof['anchor'], at: number) => ({
    anchor: { ...anchor, transaction: flip(anchor.transaction, at) },
  })

  it('with a receipt that is another’s is found out', async () => {
    await anchored()
    const { acknowledgement } = payment
    const forged = { operation: acknowledgement?.operation, receipt: flipHex(acknowledgement?.receipt ?? '', 120) }
    expect(failing(await statusWith(() => ({}), { acknowledgement: forged }))).toEqual([
      'receipt: the receipt is not signed by the sequencer',
    ])
  })

  it('shows that a link was made without the anchor key', async () => {
    await anchored()
    // Anybody can write the same outputs, from a coin of their own, and have them mined.
    const outputs = proofOf(payment.proof.bytes).anchor.transaction.subarray(4 + 1 + 41)
    const paid = { value: 1n, script: Uint8Array.of(0x51) }
    const coin = rawTransaction([{ txid: new Uint8Array(32).fill(3), vout: 0 }], [paid, paid])
    const start = rawTransaction([{ txid: hashTwice(coin), vout: 1 }], []).subarray(0, 4 + 1 + 41)
    const forged = concatBytes(start, outputs)
    const block = mineBlock(new Uint8Array(32), [coinbase(1), forged])
    const status = await statusWith(
      () => ({ anchor: provenIn(block, forged), previous: coin }),
      {},
      { blockHeader: toHex(block.header) },
    )
    expect(failing(status)).toEqual(['link: the transaction does not spend an output of the anchor script'])
    expect(verdicts(status)).toMatchObject({ batch: 'holds', anchor: 'holds' })
  })
})

function proofOf(bytes: string): PaymentProof {
  const proof = decodePaymentProof(fromHex(bytes))
  if (proof === undefined) throw new Error('the proof does not decode')
  return proof
}
