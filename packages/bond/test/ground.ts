import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  type Coin,
  type CoinKey,
  coinKey,
  type Funding,
  printHash,
  readBlock,
  readRawBlock,
  readTip,
  sendTransaction,
  testAccept,
} from '@kedge/bitcoin'
import { equalBytes, type L1Output, type L1Transaction } from '@kedge/core'
import { Bitcoind, findBitcoind, type RelayPolicy } from '@kedge/regtest'
import { Transaction } from 'bitcoinjs-lib'
import { afterAll, beforeAll, expect } from 'vitest'
import { findSpendFault } from '../src/spend-check.ts'

/** What the tests here stand on: a real bitcoind, money, keys whose secrets everybody knows. */

export const of = (seed: number): Uint8Array => new Uint8Array(32).fill(seed)

/** Tests are then skipped with one line; in CI there must be a bitcoind. */
export const NO_BITCOIND = !hasBitcoind()

function hasBitcoind(): boolean {
  try {
    return findBitcoind() !== ''
  } catch (error) {
    if (process.env.CI === 'true') throw error
    process.stderr.write(`skipped: ${String(error)}\n`)
    return false
  }
}

/** One bitcoind for the tests of a `describe`. */
export function useBitcoind(policy: RelayPolicy): () => Bitcoind {
  let bitcoind: Bitcoind | undefined
  let datadir = ''
  beforeAll(async () => {
    datadir = await mkdtemp(join(tmpdir(), 'kedge-bond-'))
    bitcoind = new Bitcoind({ datadir, policy })
    await bitcoind.start()
  })
  afterAll(async () => {
    await bitcoind?.stop()
    await rm(datadir, { recursive: true })
  })
  return () => {
    if (bitcoind === undefined) throw new Error('bitcoind did not start')
    return bitcoind
  }
}

let keys = 0
export function freshKey(): CoinKey {
  keys += 1
  return coinKey(new Uint8Array(32).fill(0x20).with(0, keys))
}

/** A key of its own with one unconfirmed coin. */
export async function fundedKey(bitcoind: Bitcoind, value: bigint): Promise<Funding> {
  const key = freshKey()
  const coin: Coin = { outpoint: await bitcoind.fund(key.script, value), value, height: undefined, coinbase: false }
  return { key, coins: [coin], feeRate: 2 }
}

/** Mines a block, and reads the transaction out of it. */
export async function mineAndRead(bitcoind: Bitcoind, txid: Uint8Array): Promise<L1Transaction> {
  await bitcoind.mine(1)
  const { height, hash } = await readTip(bitcoind.rpc)
  const block = readBlock(await readRawBlock(bitcoind.rpc, hash), height)
  const found = block.transactions.find((transaction) => equalBytes(transaction.txid, txid))
  if (found === undefined) throw new Error(`${printHash(txid)} is not in block ${height}`)
  return found
}

/** A spend as Bitcoin sees it, and the outputs it spends. */
export interface Spending {
  readonly raw: Uint8Array
  readonly spent: readonly L1Output[]
}

/** What the interpreter finds wrong with any input. */
export function faultsOf({ raw, spent }: Spending, rules: 'consensus' | 'relay'): unknown[] {
  const transaction = Transaction.fromBuffer(raw)
  return transaction.ins.flatMap((_, at) => findSpendFault(transaction, spent, at, rules) ?? [])
}

/** The mempool takes it, and so does the interpreter. */
export async function expectAccepted(bitcoind: Bitcoind, spending: Spending, burn = 0n): Promise<void> {
  expect(faultsOf(spending, 'relay')).toEqual([])
  expect(faultsOf(spending, 'consensus')).toEqual([])
  expect(await sendTransaction(bitcoind.rpc, spending.raw, burn)).toEqual({ ok: true })
}

/**
 * Neither mempool nor block takes it.
 * @param reason what the mempool says
 * @param blockReason what refuses the block
 */
export async function expectRefused(
  bitcoind: Bitcoind,
  { raw }: Spending,
  reason: RegExp,
  blockReason: RegExp = reason,
): Promise<void> {
  expect(await testAccept(bitcoind.rpc, raw)).toMatchObject({ ok: false, detail: expect.stringMatching(reason) })
  await expect(bitcoind.mineBlock([raw])).rejects.toThrow(blockReason)
}

/** So does nobody take it, the interpreter included, when scripts or signatures are what is wrong. */
export async function expectUnsigned(bitcoind: Bitcoind, spending: Spending): Promise<void> {
  expect(faultsOf(spending, 'consensus')).not.toEqual([])
  await expectRefused(bitcoind, spending, /[Ss]cript|Schnorr signature|[Ll]ocktime/)
}
