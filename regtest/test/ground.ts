import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  type Built,
  type Coin,
  type CoinKey,
  coinKey,
  type Funding,
  type Link,
  printHash,
  publicKeyOf,
  readBlock,
  readMempoolEntry,
  readRawBlock,
  readTip,
  type Spend,
  sendTransaction,
} from '@kedge/bitcoin'
import { anchorScript, equalBytes, type L1Transaction, type Outpoint, type Params, regtestRules } from '@kedge/core'
import { afterAll, beforeAll, describe, expect } from 'vitest'
import { Bitcoind, findBitcoind, type RelayPolicy } from '../src/bitcoind.ts'

/** What the tests here stand on: a real bitcoind, money, keys whose secrets everybody knows. */

const secretOf = (seed: number): Uint8Array => new Uint8Array(32).fill(seed)
export const ANCHOR_SECRET = secretOf(1)
export const WATCHERS = [secretOf(11), secretOf(12), secretOf(13)]

/** Regtest's rules, 2 of 3 watchers. Nothing here depends on the genesis. */
export const PARAMS: Params = {
  ...regtestRules,
  genesis: { txid: new Uint8Array(32), vout: 0 },
  vault: { txid: new Uint8Array(32).fill(7), vout: 2, value: 10_000n },
  scanHeight: 101,
  keys: {
    anchor: publicKeyOf(ANCHOR_SECRET),
    slot: publicKeyOf(secretOf(2)),
    fees: publicKeyOf(secretOf(3)),
    watchers: WATCHERS.map(publicKeyOf),
    threshold: 2,
  },
}

/** Skipped with one line where there is no bitcoind; in CI there must be one. */
export const describeOnBitcoind = describe.skipIf(!hasBitcoind())

function hasBitcoind(): boolean {
  try {
    return findBitcoind() !== ''
  } catch (error) {
    if (process.env.CI === 'true') throw error
    console.warn(`skipped: ${String(error)}`)
    return false
  }
}

/** One bitcoind for the tests of a `describe`. */
export function useBitcoind(policy: RelayPolicy): () => Bitcoind {
  let started: Started | undefined
  beforeAll(async () => {
    started = await startBitcoind(policy)
  })
  afterAll(() => started?.discard())
  return () => {
    if (started === undefined) throw new Error('bitcoind did not start')
    return started.bitcoind
  }
}

interface Started {
  readonly bitcoind: Bitcoind
  readonly discard: () => Promise<void>
}

/** On a datadir of its own. Stop it with `discard`. */
export async function startBitcoind(policy: RelayPolicy): Promise<Started> {
  const datadir = await mkdtemp(join(tmpdir(), 'kedge-bitcoind-'))
  const bitcoind = new Bitcoind({ datadir, policy })
  await bitcoind.start()
  const discard = async () => {
    await bitcoind.stop()
    await rm(datadir, { recursive: true })
  }
  return { bitcoind, discard }
}

let keys = 0
export function freshKey(): CoinKey {
  keys += 1
  return coinKey(new Uint8Array(32).fill(0x20).with(0, keys))
}

/** A key of its own with one unconfirmed coin for each value. */
export async function fundedKey(bitcoind: Bitcoind, feeRate: number, ...values: bigint[]): Promise<Funding> {
  const key = freshKey()
  const coins: Coin[] = []
  for (const value of values)
    coins.push({ outpoint: await bitcoind.fund(key.script, value), value, height: undefined, coinbase: false })
  return { key, coins, feeRate }
}

/** A confirmed link of an anchor chain. */
export async function fundedLink(bitcoind: Bitcoind, value: bigint): Promise<Link> {
  const outpoint: Outpoint = await bitcoind.fund(anchorScript(PARAMS), value)
  await bitcoind.mine(1)
  return { outpoint, value }
}

/** Sends it, and finds it in the mempool as large and as dear as it said. */
export async function expectRelayed(bitcoind: Bitcoind, built: Built, burn = 0n): Promise<void> {
  expect(await sendTransaction(bitcoind.rpc, built.raw, burn)).toEqual({ ok: true })
  expect(await readMempoolEntry(bitcoind.rpc, built.txid)).toMatchObject({ vsize: built.vsize, fee: built.fee })
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

/** What bitcoind says of a block with a transaction that it can't hold. */
export const SCRIPT = /script-verify-flag-failed/
export const LOCKED = /bad-txns-nonfinal/
export const SPENT = /bad-txns-inputs-missingorspent/
/** Of a transaction that is in the chain, with outputs that nothing has spent. */
export const TWICE = /bad-txns-BIP30/

/** Neither the mempool takes it nor a miner's block, each for this reason. What it spends is confirmed. */
export async function expectRefused(
  bitcoind: Bitcoind,
  raw: Uint8Array,
  mempool: string,
  block: RegExp,
): Promise<void> {
  expect(await sendTransaction(bitcoind.rpc, raw, 0n)).toMatchObject({ ok: false, reason: mempool })
  await expect(bitcoind.mineBlock([raw])).rejects.toThrow(block)
}

/** Who signs in each watcher's place, from the last one's to the first's. */
type Signers = readonly (Uint8Array | undefined)[]

const [ONE, TWO, THREE] = WATCHERS as [Uint8Array, Uint8Array, Uint8Array]
const STRANGER = secretOf(0x55)

/** None of these is t watchers, each in its place: nothing that Bitcoin takes. */
export const NOT_THE_WATCHERS: readonly (readonly [string, Signers])[] = [
  ['fewer than t', [undefined, undefined, ONE]],
  ['one and a stranger', [undefined, STRANGER, ONE]],
  ['strangers', [undefined, STRANGER, STRANGER]],
  ['the wrong order', [undefined, ONE, TWO]],
  ['more than t', [THREE, TWO, ONE]],
]

/** Of a leaf that asks for t watchers. */
export function witnessOf(
  signers: Signers,
  { leaf, control }: { readonly leaf: Uint8Array; readonly control: Uint8Array },
): Spend['witness'] {
  return (sign) => [
    ...signers.map((secret) => (secret === undefined ? new Uint8Array(0) : sign(secret))),
    leaf,
    control,
  ]
}
