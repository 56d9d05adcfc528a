import {
  buildPayment,
  estimateFeeRate,
  readMempool,
  readMempoolEntry,
  sendTransaction,
  testAccept,
} from '@kedge/bitcoin'
import { expect, test } from 'vitest'
import { describeOnBitcoind, freshKey, fundedKey, useBitcoind } from './ground.ts'

describeOnBitcoind('a mempool', () => {
  const bitcoind = useBitcoind('default')

  test('says why it takes no transaction', async () => {
    const funding = await fundedKey(bitcoind(), 2, 50_000n)
    await bitcoind().mine(1)
    const to = freshKey().script
    const pay = (value: bigint, feeRate: number) => buildPayment([{ script: to, value }], { ...funding, feeRate })
    const first = pay(1_000n, 2)
    expect(await sendTransaction(bitcoind().rpc, pay(1_000n, 0.5).raw, 0n)).toMatchObject({ ok: false, reason: 'fee' })
    expect(await sendTransaction(bitcoind().rpc, pay(329n, 2).raw, 0n)).toMatchObject({
      ok: false,
      reason: 'invalid',
      detail: expect.stringContaining('dust'),
    })
    expect(await testAccept(bitcoind().rpc, first.raw)).toEqual({ ok: true })
    expect(await sendTransaction(bitcoind().rpc, first.raw, 0n)).toEqual({ ok: true })
    expect(await sendTransaction(bitcoind().rpc, first.raw, 0n)).toEqual({ ok: true })
    expect(await testAccept(bitcoind().rpc, first.raw)).toEqual({ ok: true })
    expect(await sendTransaction(bitcoind().rpc, pay(2_000n, 2).raw, 0n)).toMatchObject({ ok: false, reason: 'fee' })
    await bitcoind().mine(1)
    expect(await sendTransaction(bitcoind().rpc, first.raw, 0n)).toMatchObject({ ok: false, reason: 'mined' })
    expect(await testAccept(bitcoind().rpc, first.raw)).toMatchObject({ ok: false, reason: 'mined' })
    expect(await sendTransaction(bitcoind().rpc, pay(2_000n, 3).raw, 0n)).toMatchObject({ ok: false, reason: 'inputs' })
    expect(await testAccept(bitcoind().rpc, pay(2_000n, 3).raw)).toMatchObject({ ok: false, reason: 'inputs' })
    await expect(sendTransaction(bitcoind().rpc, new Uint8Array(5), 0n)).rejects.toThrow(/TX decode failed/)
  })

  test('takes no chain of transactions without end', async () => {
    let funding = await fundedKey(bitcoind(), 1, 1_000_000n)
    const reasons: string[] = []
    for (let at = 0; at < 26; at++) {
      const built = buildPayment([{ script: funding.key.script, value: 1_000_000n - 1_000n * BigInt(at + 1) }], funding)
      const sent = await sendTransaction(bitcoind().rpc, built.raw, 0n)
      reasons.push(sent.ok ? 'ok' : sent.reason)
      funding = {
        ...funding,
        coins: [
          {
            outpoint: { txid: built.txid, vout: 0 },
            value: 1_000_000n - 1_000n * BigInt(at + 1),
            height: undefined,
            coinbase: false,
          },
        ],
      }
    }
    expect(reasons.filter((reason) => reason === 'ok').length).toBe(24)
    expect(reasons[24]).toBe('chain')
    await bitcoind().mine(1)
  })

  test('lists its mempool', async () => {
    const { txid } = await bitcoind().fund(freshKey().script, 1_000n)
    expect(await readMempool(bitcoind().rpc)).toContainEqual(txid)
    expect(await readMempoolEntry(bitcoind().rpc, txid)).toMatchObject({ ancestors: 1, descendants: 1 })
    await bitcoind().mine(1)
    expect(await readMempool(bitcoind().rpc)).toEqual([])
    expect(await readMempoolEntry(bitcoind().rpc, txid)).toBeUndefined()
  })

  test('estimates no fee on a fresh chain: the fallback counts, but not below the minimum', async () => {
    expect(await estimateFeeRate(bitcoind().rpc, 2, 7.5)).toBe(7.5)
    expect(await estimateFeeRate(bitcoind().rpc, 2, 0.01)).toBe(1)
  })
})
