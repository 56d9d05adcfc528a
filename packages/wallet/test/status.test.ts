import { join } from 'node:path'
import type { Client, PaymentProof, RouteResponse } from '@kedge/api'
import { toHex } from '@kedge/core'
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
    expect((await readWalletFile(wallet.path)).sends).toMatchObject([{ state: 'refused', reason: 'void' }])
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
  ): Promise<PaymentStatus> {
    const shown = { ...payment, ...more, proof: { ...payment.proof, ...change(payment.proof) } }
    const client = node.client(async (ask, url) => (url.includes('/payments/') ? Response.json(shown) : ask()))
    return readStatus({ ...wallet, client }, payment.id)
  }

  const failing = ({ checks, holds }: PaymentStatus) => {
    expect(holds).toBe(false)
    return checks.filter(({ verdict }) => verdict === 'fails').map(({ name, note }) => `${name}: ${note}`)
  }

  const flip = (hex: string, byte: number) => {
    const bytes = Buffer.from(hex, 'hex')
    bytes[byte] = (bytes[byte] as number) ^ 1
    return bytes.toString('hex')
  }

  it('that was changed anywhere is found out', async () => {
    await anchored()
    const { proof } = payment
    const fill = 'ab'.repeat(32)
    const wrong: [(proof: PaymentProof) => Partial<PaymentProof>, RegExp][] = [
      [({ operation }) => ({ operation: flip(operation, 60) }), /^payment: the operation shown is not this payment/],
      [({ operation }) => ({ operation: flip(operation, 173) }), /^payment: the signature is not the one/],
      [({ path }) => ({ path: path.slice(1) }), /^batch: the operation is not in the batch/],
      [({ path }) => ({ path: [...path, fill] }), /^batch: the operation is not in the batch/],
      [({ path }) => ({ path: [fill, ...path.slice(1)] }), /^batch: the operation is not in the batch/],
      [() => ({ index: 1 }), /^batch: the proof is for another index/],
      [({ header }) => ({ header: flip(header, 1) }), /^batch: the header is another network’s/],
      [({ header }) => ({ header: flip(header, 33) }), /^batch: the header is batch 0’s/],
      [({ header }) => ({ header: flip(header, 42) }), /^anchor: the transaction anchors another header/],
      [({ header }) => ({ header: header.slice(2) }), /^batch: the header does not decode/],
      [
        ({ anchor }) => ({ anchor: { ...anchor, rawTx: flip(anchor.rawTx, 50) } }),
        /^block: the transaction is not in the block/,
      ],
      [({ anchor }) => ({ anchor: { ...anchor, txIndex: 1 } }), /^block: the transaction is not in the block/],
      [
        ({ anchor }) => ({ anchor: { ...anchor, blockHeader: flip(anchor.blockHeader, 40) } }),
        /^block: the coinbase is not in the block/,
      ],
      [({ anchor }) => ({ anchor: { ...anchor, previousTx: anchor.rawTx } }), /^link: the transaction does not spend/],
    ]
    for (const [change, note] of wrong) expect(failing(await statusWith(change)).join('; ')).toMatch(note)
    expect(proof.path).toHaveLength(2)
  })

  it('with a receipt that is another’s is found out', async () => {
    await anchored()
    const { acknowledgement } = payment
    const forged = { operation: acknowledgement?.operation, receipt: flip(acknowledgement?.receipt ?? '', 120) }
    expect(failing(await statusWith(() => ({}), { acknowledgement: forged }))).toEqual([
      'receipt: the receipt is not signed by the sequencer',
    ])
  })

  it('shows that a link was made without the anchor key, or leaves it open', async () => {
    await anchored()
    const { anchor } = payment.proof
    const { previousTx: _, ...without } = anchor
    const open = await statusWith(() => ({ anchor: without }))
    expect([open.holds, verdicts(open).link]).toEqual([true, 'unchecked'])

    // Anybody can write the same outputs, from a coin of their own, and have them mined.
    const outputs = Buffer.from(anchor.rawTx, 'hex').subarray(4 + 1 + 41)
    const coin = rawTransaction(
      [{ txid: new Uint8Array(32).fill(3), vout: 0 }],
      [{ value: 1n, script: Uint8Array.of(0x51) }],
    )
    const start = rawTransaction([{ txid: new Uint8Array(32).fill(4), vout: 0 }], []).subarray(0, 4 + 1 + 41)
    const forged = Uint8Array.from(Buffer.concat([start, outputs]))
    const mined = provenIn(mineBlock(new Uint8Array(32), [coinbase(1), forged]), forged)
    const shown = {
      ...anchor,
      rawTx: toHex(mined.rawTx),
      path: mined.path.map(toHex),
      txIndex: mined.txIndex,
      blockHeader: toHex(mined.blockHeader),
      coinbase: { rawTx: toHex(mined.coinbase.rawTx), path: mined.coinbase.path.map(toHex) },
      previousTx: toHex(coin),
    }
    const status = await statusWith(() => ({ anchor: shown }))
    expect(failing(status)).toEqual(['link: the transaction does not spend an output of the anchor script'])
    expect(verdicts(status)).toMatchObject({ anchor: 'holds', block: 'holds' })
  })
})
