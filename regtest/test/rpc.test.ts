import {
  batchRpc,
  callRpc,
  checkBackend,
  readBlock,
  readBlockHash,
  readHeader,
  readRawBlock,
  readTip,
  waitForNewBlock,
} from '@kedge/bitcoin'
import { expect, test } from 'vitest'
import { describeOnBitcoind, useBitcoind } from './ground.ts'

const NEVER = new Uint8Array(32).fill(0xee)

describeOnBitcoind('a bitcoind', () => {
  const bitcoind = useBitcoind('default')

  test('tells its chain, and what is not in it', async () => {
    const [hash] = await bitcoind().mine(1)
    const tip = await readTip(bitcoind().rpc)
    expect(tip.hash).toEqual(hash)
    expect(await readBlockHash(bitcoind().rpc, tip.height)).toEqual(hash)
    expect(await readBlockHash(bitcoind().rpc, tip.height + 1)).toBeUndefined()
    const header = await readHeader(bitcoind().rpc, tip.hash)
    expect(header).toMatchObject({ height: tip.height, confirmations: 1, hash })
    expect(await readHeader(bitcoind().rpc, NEVER)).toBeUndefined()
    const genesis = await readBlockHash(bitcoind().rpc, 0)
    expect(await readHeader(bitcoind().rpc, genesis ?? NEVER)).toMatchObject({ height: 0, parent: new Uint8Array(32) })
    await expect(readRawBlock(bitcoind().rpc, NEVER)).rejects.toThrow(/Block not found/)
  })

  test('gives whole blocks, each naming its parent', async () => {
    const { height, hash } = await readTip(bitcoind().rpc)
    const block = readBlock(await readRawBlock(bitcoind().rpc, hash), height)
    expect(block.hash).toEqual(hash)
    expect(block.parent).toEqual(await readBlockHash(bitcoind().rpc, height - 1))
  })

  test('long polls: a new block ends the wait, and so does time', async () => {
    const { height, hash } = await readTip(bitcoind().rpc)
    const waited = waitForNewBlock(bitcoind().rpc, height, 20_000)
    const [mined] = await bitcoind().mine(1)
    expect(await waited).toEqual({ height: height + 1, hash: mined })
    expect(await waitForNewBlock(bitcoind().rpc, height, 20_000)).toEqual({ height: height + 1, hash: mined })
    expect(await waitForNewBlock(bitcoind().rpc, height + 1, 20)).toEqual({ height: height + 1, hash: mined })
    expect(hash).not.toEqual(mined)
  })

  test('a reorganisation ends the wait too', async () => {
    const { height } = await readTip(bitcoind().rpc)
    const waited = waitForNewBlock(bitcoind().rpc, height, 20_000)
    const fresh = await bitcoind().reorg(2, 3)
    expect(await waited).toEqual({ height: height + 1, hash: fresh[2] })
  })

  test('is fit for regtest and for nothing else', async () => {
    await checkBackend(bitcoind().rpc, { chain: 'regtest', scanHeight: 0 })
    await expect(checkBackend(bitcoind().rpc, { chain: 'main', scanHeight: 0 })).rejects.toThrow(
      /follows regtest, not main/,
    )
  })

  test('answers many calls in one', async () => {
    const calls = [0, 1, 2].map((height) => ({ method: 'getblockhash', params: [height] }))
    const hashes = await Promise.all([0, 1, 2].map((height) => callRpc(bitcoind().rpc, 'getblockhash', [height])))
    expect(await batchRpc(bitcoind().rpc, calls)).toEqual(hashes)
    await expect(batchRpc(bitcoind().rpc, [...calls, { method: 'getblockhash', params: [9_999_999] }])).rejects.toThrow(
      /out of range/,
    )
  })

  test('with a wrong password does not answer', async () => {
    await expect(readTip({ ...bitcoind().rpc, login: { user: 'a', password: 'b' } })).rejects.toThrow(/login is wrong/)
  })
})
