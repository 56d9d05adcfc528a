import {
  buildPayment,
  printHash,
  readBlock,
  readBlockHash,
  readHeader,
  readMempool,
  readRawBlock,
  readTip,
} from '@kedge/bitcoin'
import { equalBytes, type Outpoint, toHex } from '@kedge/core'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Bitcoind } from '../src/bitcoind.ts'
import { describeOnBitcoind, freshKey, fundedKey, startBitcoind } from './ground.ts'

describeOnBitcoind('the harness', () => {
  let bitcoind: Bitcoind
  let discard: () => Promise<void>
  beforeEach(async () => {
    const started = await startBitcoind('default')
    bitcoind = started.bitcoind
    discard = started.discard
  })
  afterEach(() => discard())

  const height = async (): Promise<number> => (await readTip(bitcoind.rpc)).height

  /** Txids in a block, without its coinbase's. */
  async function txidsIn(hash: Uint8Array): Promise<string[]> {
    const { transactions } = readBlock(await readRawBlock(bitcoind.rpc, hash), 1)
    return transactions.slice(1).map(({ txid }) => toHex(txid))
  }

  test('funds more often in a block than a chain of change would allow, and in any size', async () => {
    const { script } = freshKey()
    const outpoints: Outpoint[] = []
    for (let at = 0; at < 60; at++) outpoints.push(await bitcoind.fund(script, 1_000n + BigInt(at)))
    outpoints.push(await bitcoind.fund(script, 3_000_000_000n))
    const [hash] = await bitcoind.mine(1)
    const mined = await txidsIn(hash as Uint8Array)
    for (const { txid } of outpoints) expect(mined).toContain(toHex(txid))
  })

  test('goes on with its chain after a stop and after a power cut', async () => {
    await bitcoind.mine(5)
    const tip = await readTip(bitcoind.rpc)
    const { url } = bitcoind.rpc
    for (const end of [() => bitcoind.stop(), () => bitcoind.kill()]) {
      await end()
      await expect(readTip(bitcoind.rpc)).rejects.toThrow()
      await bitcoind.start()
      expect(bitcoind.rpc.url).toBe(url)
      await bitcoind.fund(freshKey().script, 1_000n)
    }
    // Blocks reach the disk at a stop; a power cut may cost the newest, never the chain.
    expect(await readHeader(bitcoind.rpc, tip.hash)).toMatchObject({ height: tip.height, confirmations: 1 })
  })

  test('a second one on the same machine knows nothing of the first', async () => {
    const second = await startBitcoind('core')
    await bitcoind.mine(3)
    expect((await readTip(second.bitcoind.rpc)).height).toBe((await height()) - 3)
    await second.discard()
  })

  test('a reorganisation mines again what it took out', async () => {
    const { txid } = await bitcoind.fund(freshKey().script, 7_777n)
    const old = await bitcoind.mine(2)
    const before = await height()
    const fresh = await bitcoind.reorg(2, 3)
    expect(await height()).toBe(before + 1)
    expect(await txidsIn(fresh[0] as Uint8Array)).toEqual([toHex(txid)])
    expect(await readHeader(bitcoind.rpc, old[0] as Uint8Array)).toMatchObject({ confirmations: -1 })
    expect((await readTip(bitcoind.rpc)).hash).toEqual(fresh[2])
  })

  test('one with a list mines exactly that', async () => {
    const { txid } = await bitcoind.fund(freshKey().script, 7_777n)
    const funding = await fundedKey(bitcoind, 2, 50_000n)
    await bitcoind.mine(1)
    const payment = buildPayment([{ script: freshKey().script, value: 1_000n }], funding)
    const parent = await readRawBlock(bitcoind.rpc, (await readTip(bitcoind.rpc)).hash)
    expect(parent.length).toBeGreaterThan(300)
    const blocks = await bitcoind.reorg(1, [[], []])
    for (const hash of blocks) expect(await txidsIn(hash)).toEqual([])
    expect((await readMempool(bitcoind.rpc)).some((waiting) => equalBytes(waiting, txid))).toBe(true)
    await bitcoind.mine(1)
    expect(await txidsIn(await bitcoind.mineBlock([payment.raw]))).toEqual([toHex(payment.txid)])
  })

  test('the same blocks can be replaced again and again, and money is still there', async () => {
    for (let at = 0; at < 4; at++) {
      await bitcoind.fund(freshKey().script, 5_000n)
      await bitcoind.reorg(2, 3)
      await bitcoind.reorg(1, [[], []])
    }
    const hash = await readBlockHash(bitcoind.rpc, await height())
    expect(printHash(hash as Uint8Array)).toMatch(/^[0-9a-f]{64}$/)
    await bitcoind.mine(1)
  })

  test('calls that make no sense say so', async () => {
    await expect(bitcoind.start()).rejects.toThrow(/runs already/)
    await expect(bitcoind.reorg(500, 1)).rejects.toThrow(/no 500 blocks/)
    await expect(bitcoind.fund('nonsense', 1_000n)).rejects.toThrow(/nonsense/)
    await bitcoind.stop()
    await expect(bitcoind.mine(1)).rejects.toThrow(/does not run/)
    expect(() => new Bitcoind({ datadir: '/nowhere', policy: 'core' }).rpc).toThrow(/never started/)
  })
})
