import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  buildPayment,
  callRpc,
  readBlock,
  readHeader,
  readMempool,
  readRawBlock,
  readTip,
  sendTransaction,
  spendableCoins,
  type Tip,
} from '@kedge/bitcoin'
import {
  dataCarrier,
  decodeMessage,
  deriveBlock,
  equalBytes,
  genesisChain,
  L1Facts,
  networkId,
  type Params,
  readInclusion,
  reverseBytes,
  toHex,
} from '@kedge/core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readBalance } from '../src/actions/balance.ts'
import { deposit, resumeDeposits } from '../src/actions/deposit.ts'
import { checkBestChain, checkWindow } from '../src/best-chain.ts'
import { readOwnCoins } from '../src/coins.ts'
import { readWalletFile } from '../src/file.ts'
import { createWallet, openWallet, readAddresses, type Wallet } from '../src/wallet.ts'
import { findBitcoind, type OwnBitcoind, startBitcoind } from './bitcoind.ts'
import { provenIn } from './chain.ts'
import { temporaryFolder } from './folder.ts'
import { LedgerNode } from './node.ts'

const binary = findBitcoind()
if (binary === undefined && process.env.CI === 'true') throw new Error('no bitcoind: run scripts/get-bitcoind.sh')

/** An address that nobody here spends from. */
const ELSEWHERE = 'bcrt1p8wpt9v4frpf3tkn0srd97pksgsxc5hs52lafxwru9kgeephvs7rqjeprhg'

/** The deposits in a block, as the ledger of a network that starts there reads them. */
async function readDeposits(bitcoind: OwnBitcoind, network: Params, { height, hash }: Tip) {
  const block = readBlock(await readRawBlock(bitcoind.rpc, hash), height)
  const court = { params: network, network: networkId(network), facts: new L1Facts(height), isSigned: () => false }
  return deriveBlock(court, genesisChain({ ...network, scanHeight: height }, block.parent), block).facts.deposits
}

/** A transaction's bytes without its witnesses, as proofs carry it. */
function strip(raw: Uint8Array, witnesses: readonly (readonly Uint8Array[])[]): Uint8Array {
  const isSegwit = raw[4] === 0
  if (!isSegwit) return raw
  const size = witnesses.flat().reduce((sum, item) => sum + 1 + item.length, witnesses.length)
  return Uint8Array.from([...raw.subarray(0, 4), ...raw.subarray(6, raw.length - 4 - size), ...raw.subarray(-4)])
}

describe.skipIf(binary === undefined)('a deposit on a real bitcoind', () => {
  let bitcoind: OwnBitcoind
  let datadir: string
  const node = new LedgerNode()

  beforeAll(async () => {
    datadir = await mkdtemp(join(tmpdir(), 'kedge-wallet-bitcoind-'))
    bitcoind = await startBitcoind(binary as string, datadir)
  })

  afterAll(async () => {
    await bitcoind.kill()
    await rm(datadir, { recursive: true, force: true })
  })

  async function restored(words: string): Promise<Wallet> {
    const path = join(await temporaryFolder(), 'wallet.json')
    await createWallet(path, node.params, words)
    return openWallet(path, node.client())
  }

  async function newWallet(coins: number): Promise<Wallet> {
    const path = join(await temporaryFolder(), 'wallet.json')
    await createWallet(path, node.params)
    const { bitcoin } = await readAddresses(path)
    if (coins > 0) {
      await bitcoind.mine(coins, bitcoin)
      await bitcoind.mine(100, ELSEWHERE)
    }
    return openWallet(path, node.client())
  }

  it('is paid from the wallet’s coins and found by the ledger', async () => {
    const wallet = await newWallet(1)
    const { bitcoin: before = 0n } = await readBalance(wallet, bitcoind.rpc)
    const sent = await deposit(wallet, bitcoind.rpc, { sats: 123_456n, feeRate: 3 })
    expect((await readMempool(bitcoind.rpc)).map((txid) => toHex(reverseBytes(txid)))).toEqual([sent.txid])
    await bitcoind.mine(1, ELSEWHERE)

    const found = await readDeposits(bitcoind, node.params, await readTip(bitcoind.rpc))
    expect(
      found.map(({ key, refundKey, txid, value }) => [toHex(key), toHex(refundKey), toHex(reverseBytes(txid)), value]),
    ).toEqual([[toHex(wallet.keys.rollup.key), toHex(wallet.keys.bitcoin.publicKey), sent.txid, 123_456n]])
    const { bitcoin: after } = await readBalance(wallet, bitcoind.rpc)
    expect(after).toBe(before - 123_456n - sent.fee)
  })

  it('follows another before a block, from its change', async () => {
    const wallet = await newWallet(1)
    const all = [10_000n, 20_000n, 30_000n].map((sats) => deposit(wallet, bitcoind.rpc, { sats }))
    const sent = await Promise.all(all)
    await bitcoind.mine(1, ELSEWHERE)
    const found = await readDeposits(bitcoind, node.params, await readTip(bitcoind.rpc))
    expect(new Set(found.map(({ txid }) => toHex(reverseBytes(txid))))).toEqual(new Set(sent.map(({ txid }) => txid)))
    expect((await readWalletFile(wallet.path)).deposits).toHaveLength(3)
    const { staleness, dispute } = wallet.params.windows
    await bitcoind.mine(staleness + dispute - 1, ELSEWHERE)
    expect(await resumeDeposits(wallet, bitcoind.rpc)).toEqual([])
    expect((await readWalletFile(wallet.path)).deposits).toHaveLength(3)
    await bitcoind.mine(1, ELSEWHERE)
    expect(await resumeDeposits(wallet, bitcoind.rpc)).toEqual([])
    expect((await readWalletFile(wallet.path)).deposits).toEqual([])
  })

  it('of bitcoin that is in no block yet is refused, and says so', async () => {
    const [payer, payee] = [await newWallet(1), await newWallet(0)]
    await expect(deposit(payee, bitcoind.rpc, { sats: 10_000n })).rejects.toMatchObject({
      code: 'no-coins',
      message: expect.stringMatching(/Send bitcoin there first, and wait until it is in a block\.$/),
    })
    const { coins, tip } = await readOwnCoins(payer, bitcoind.rpc, [])
    const funding = { key: payer.keys.bitcoin, coins: spendableCoins(coins, tip), feeRate: 2 }
    const { raw } = buildPayment([{ script: payee.keys.bitcoin.script, value: 40_000n }], funding)
    expect(await sendTransaction(bitcoind.rpc, raw, 0n)).toEqual({ ok: true })
    await expect(deposit(payee, bitcoind.rpc, { sats: 10_000n })).rejects.toMatchObject({
      code: 'no-coins',
      message: expect.stringMatching(/ 40000 sat more are on their way there: try again when they are in a block\.$/),
    })
    await bitcoind.mine(1, ELSEWHERE)
    await deposit(payee, bitcoind.rpc, { sats: 10_000n })
  })

  it('that was forgotten by Bitcoin is told of, and sent again, the same', async () => {
    const wallet = await newWallet(1)
    const { bitcoin: before } = await readBalance(wallet, bitcoind.rpc)
    const { txid } = await deposit(wallet, bitcoind.rpc, { sats: 50_000n })
    const { bitcoin: waiting, deposits } = await readBalance(wallet, bitcoind.rpc)
    expect(deposits).toEqual([{ txid, sats: 50_000n, standing: 'waiting' }])
    await bitcoind.kill()
    await bitcoind.start()
    expect(await readMempool(bitcoind.rpc)).toEqual([])
    const missing = [{ txid, sats: 50_000n, standing: 'missing' }]
    expect(await readBalance(wallet, bitcoind.rpc)).toMatchObject({ bitcoin: before, deposits: missing })
    expect(await resumeDeposits(wallet, bitcoind.rpc)).toEqual([{ txid, sats: 50_000n, outcome: 'sent' }])
    expect((await readMempool(bitcoind.rpc)).map((id) => toHex(reverseBytes(id)))).toEqual([txid])
    expect(await resumeDeposits(wallet, bitcoind.rpc)).toEqual([{ txid, sats: 50_000n, outcome: 'waiting' }])
    await bitcoind.mine(1, ELSEWHERE)
    expect(await readBalance(wallet, bitcoind.rpc)).toMatchObject({ bitcoin: waiting, deposits: [] })
  })

  it('that a deep reorganisation took out of its block is sent again, also after it was seen there', async () => {
    const wallet = await newWallet(1)
    const { bitcoin: before } = await readBalance(wallet, bitcoind.rpc)
    const { txid } = await deposit(wallet, bitcoind.rpc, { sats: 50_000n })
    const { height } = await readTip(bitcoind.rpc)
    await bitcoind.mine(12, ELSEWHERE)
    expect(await resumeDeposits(wallet, bitcoind.rpc)).toEqual([])
    await callRpc(bitcoind.rpc, 'invalidateblock', [await callRpc(bitcoind.rpc, 'getblockhash', [height + 1])])
    expect(await readMempool(bitcoind.rpc)).toEqual([])
    const missing = [{ txid, sats: 50_000n, standing: 'missing' }]
    expect(await readBalance(wallet, bitcoind.rpc)).toMatchObject({ bitcoin: before, deposits: missing })
    expect(await resumeDeposits(wallet, bitcoind.rpc)).toEqual([{ txid, sats: 50_000n, outcome: 'sent' }])
    // To another address, or it would be the very block that was made invalid.
    await bitcoind.mine(1, (await readAddresses((await newWallet(0)).path)).bitcoin)
    expect(await readBalance(wallet, bitcoind.rpc)).toMatchObject({ deposits: [] })
  })

  it('whose coins are spent otherwise is given up, and that is told', async () => {
    const wallet = await newWallet(1)
    const { txid } = await deposit(wallet, bitcoind.rpc, { sats: 50_000n })
    await bitcoind.kill()
    await bitcoind.start()
    const { words } = await readWalletFile(wallet.path)
    const twin = await restored(words)
    await deposit(twin, bitcoind.rpc, { sats: 60_000n })
    await bitcoind.mine(1, ELSEWHERE)
    expect(await resumeDeposits(wallet, bitcoind.rpc)).toMatchObject([{ txid, outcome: 'gone' }])
    expect(await resumeDeposits(wallet, bitcoind.rpc)).toEqual([])
  })

  it('needs enough, and coins', async () => {
    const wallet = await newWallet(0)
    await expect(deposit(wallet, bitcoind.rpc, { sats: 999n })).rejects.toMatchObject({ code: 'bad-amount' })
    const { bitcoin } = await readAddresses(wallet.path)
    await expect(deposit(wallet, bitcoind.rpc, { sats: 1_000n })).rejects.toMatchObject({
      code: 'no-coins',
      message: expect.stringContaining(bitcoin),
    })
    expect((await readWalletFile(wallet.path)).deposits).toEqual([])
  })

  it('is shown to be in its block, and the block in the best chain while it is', async () => {
    const wallet = await newWallet(1)
    await deposit(wallet, bitcoind.rpc, { sats: 50_000n })
    await deposit(wallet, bitcoind.rpc, { sats: 60_000n })
    await bitcoind.mine(1, ELSEWHERE)
    const tip = await readTip(bitcoind.rpc)
    const raw = await readRawBlock(bitcoind.rpc, tip.hash)
    const { transactions } = readBlock(raw, tip.height)
    const printed = (await callRpc(bitcoind.rpc, 'getblock', [toHex(reverseBytes(tip.hash)), 2])) as {
      tx: { hex: string }[]
    }
    const stripped = printed.tx.map(({ hex }, at) =>
      strip(
        Uint8Array.from(Buffer.from(hex, 'hex')),
        (transactions[at]?.inputs ?? []).map(({ witness }) => witness),
      ),
    )
    const block = { header: raw.subarray(0, 80), hash: tip.hash, transactions: stripped }
    for (const transaction of stripped.slice(1)) {
      const included = readInclusion(provenIn(block, transaction))
      if (!included.ok) throw new Error(included.reason)
      expect(equalBytes(included.root, block.header.subarray(36, 68))).toBe(true)
      const [tag] = included.transaction.outputs
      expect(decodeMessage(dataCarrier(tag?.script ?? new Uint8Array(0)) ?? new Uint8Array(0))?.kind).toBe('deposit')
    }

    expect(await checkBestChain(bitcoind.rpc, tip.hash, tip.height)).toMatchObject({ verdict: 'holds' })
    expect(await checkBestChain(bitcoind.rpc, tip.hash, tip.height - 1)).toMatchObject({ verdict: 'fails' })
    expect(await checkBestChain(bitcoind.rpc, new Uint8Array(32), 5)).toMatchObject({ verdict: 'fails' })
    expect(await checkWindow(bitcoind.rpc, tip.height)).toMatchObject({ verdict: 'unchecked' })
    expect(await checkWindow(bitcoind.rpc, tip.height + 1)).toMatchObject({ verdict: 'fails' })
    await callRpc(bitcoind.rpc, 'invalidateblock', [toHex(reverseBytes(tip.hash))])
    expect((await readHeader(bitcoind.rpc, tip.hash))?.confirmations).toBe(-1)
    expect(await checkBestChain(bitcoind.rpc, tip.hash, tip.height)).toMatchObject({ verdict: 'fails' })
  })
})
