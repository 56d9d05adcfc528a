import {
  type Built,
  buildPayment,
  type Coin,
  type CoinKey,
  coinKey,
  type Rpc,
  readDepth,
  readScriptCoins,
  readTransaction,
  spendableCoins,
} from '@kedge/bitcoin'
import {
  type BondRecord,
  type BondTerms,
  bondRulesOf,
  decodeRecord,
  encodeRecord,
  newRecord,
  setupId,
} from '@kedge/bond'
import {
  bondScriptsOf,
  dataCarrierScript,
  encodeMessage,
  forfeitOf,
  type L1Output,
  type Outpoint,
  type Params,
  readFunding,
  SIGNAL_VALUE,
  signalScript,
} from '@kedge/core'
import { bonds, DamagedError, type Store, type Write } from '@kedge/storage'

/** What a bond is going to be, before anybody has signed anything: the transaction that funds it, and its terms. */

/** Satoshis of D: above dust, and no more. */
const DETECTOR_VALUE = 1_000n
/** Of the return, which is 203 vB: rates in T blocks are unknown, so it pays no less, and its owner's child may raise it. */
const RETURN_VSIZE = 203n
const LEAST_RETURN_RATE = 10
/** Of what shows the slash's signature to everybody: one input, three outputs. */
const SHOWING_VSIZE = 250
/** The funding's output that it spends. */
const SHOWING_VOUT = 2

/** A setup, as far as it has come. */
export interface BondSetup {
  readonly record: BondRecord
  readonly funding: Uint8Array
}

export interface BondWish {
  /** Satoshis of B. */
  readonly value: bigint
  /** Where the return pays to. */
  readonly returnTo: Uint8Array
  /** sat/vB. */
  readonly feeRate: number
}

/** The operator's key: it owns the coins that a bond is funded from, and takes the bond back. */
export function bondCoinKey(returnSecret: Uint8Array): CoinKey {
  return coinKey(returnSecret)
}

/**
 * Plans a bond from confirmed coins of the operator's key. Nothing is sent.
 * @throws InsufficientFundsError
 */
export async function planBond(rpc: Rpc, params: Params, key: CoinKey, wish: BondWish): Promise<BondSetup> {
  const { coins, tip } = await readScriptCoins(rpc, key.script)
  const free: Coin[] = []
  // What the mempool spends already pays for another bond.
  for (const coin of spendableCoins(coins, tip)) if (await isThere(rpc, coin.outpoint)) free.push(coin)
  const funding = buildFunding(params, key, free, wish)
  return { record: newRecord(termsOf(params, funding, wish)), funding: funding.raw }
}

function buildFunding(params: Params, key: CoinKey, coins: readonly Coin[], { value, feeRate }: BondWish): Built {
  const scripts = bondScriptsOf(params)
  const outputs: readonly L1Output[] = [
    { script: scripts.bond, value },
    { script: scripts.detector, value: DETECTOR_VALUE },
    // What shows the slash's signature spends this one, so it pays for both.
    { script: key.script, value: showingValue(feeRate) },
  ]
  return buildPayment(outputs, { key, coins, feeRate })
}

/** Satoshis of the funding's third output: a fee for twice the rate, the signal output, change above dust. */
function showingValue(feeRate: number): bigint {
  return SIGNAL_VALUE * 2n + BigInt(Math.ceil(SHOWING_VSIZE * feeRate * 2))
}

function termsOf(params: Params, { raw }: Built, { value, returnTo, feeRate }: BondWish): BondTerms {
  const { network, keys, returnDelay, forfeit } = bondRulesOf(params)
  const funded = readFunding(params, readTransaction(raw))
  if (funded === undefined) throw new RangeError(`${value} sat are below what the network asks for`)
  const fee = RETURN_VSIZE * BigInt(Math.ceil(Math.max(feeRate, LEAST_RETURN_RATE)))
  return {
    ...{ network, keys, returnDelay, ...funded },
    forfeit: { script: forfeit.script, value: forfeitOf(value, forfeit.percent) },
    returned: { script: returnTo, value: value + DETECTOR_VALUE - fee },
  }
}

/** A transaction that gives everybody what it takes to slash the bond. It spends the funding's third output. */
export function buildShowing(params: Params, key: CoinKey, { record, funding }: BondSetup, feeRate: number): Built {
  const [signature] = record.slashes
  if (signature === undefined) throw new Error('the slash is not signed')
  const { txid, outputs } = readTransaction(funding)
  const value = outputs[SHOWING_VOUT]?.value
  if (value === undefined) throw new Error('the funding has no third output')
  const coin: Coin = { outpoint: { txid, vout: SHOWING_VOUT }, value, height: undefined, coinbase: false }
  const tag = dataCarrierScript(encodeMessage({ kind: 'bond', signature }))
  const shown: readonly L1Output[] = [
    { script: tag, value: 0n },
    { script: signalScript(params), value: SIGNAL_VALUE },
  ]
  const rates = [feeRate, 2 * feeRate, 1].filter((rate) => rate * SHOWING_VSIZE <= Number(value - SIGNAL_VALUE))
  return buildPayment(shown, { key, coins: [coin], feeRate: rates[0] ?? 1 })
}

export function putSetup({ record, funding }: BondSetup): Write {
  return bonds.put(setupId(record.terms), { record: encodeRecord(record), funding })
}

/** Every setup that this operator began. @throws DamagedError */
export async function readSetups(store: Store): Promise<BondSetup[]> {
  const setups: BondSetup[] = []
  for await (const [, { record, funding }] of store.range(bonds)) {
    const known = decodeRecord(record)
    if (known === undefined || funding === undefined) throw new DamagedError("a record of a bond can't be read")
    setups.push({ record: known, funding })
  }
  return setups
}

/**
 * How far a setup has come on Bitcoin. `gone`: its coins went elsewhere, or the bond has ended.
 *
 * - `planned`: not sent
 * - `funded`: B and D are there, in the mempool or in a block; who wants to slash may not have what it takes
 * - `shown`: that is there too, in the mempool or in a block
 * - `standing`: all of it is in blocks
 */
export type SetupStage = 'planned' | 'funded' | 'shown' | 'standing' | 'gone'

export async function readSetupStage(rpc: Rpc, { record, funding }: BondSetup): Promise<SetupStage> {
  const { txid, inputs } = readTransaction(funding)
  const depth = await readDepth(rpc, record.terms.bond.outpoint)
  if (depth === undefined) {
    const coins = await Promise.all(inputs.map(({ previous }) => isThere(rpc, previous)))
    return coins.every((isLeft) => isLeft) ? 'planned' : 'gone'
  }
  if (await isThere(rpc, { txid, vout: SHOWING_VOUT })) return 'funded'
  return depth === 0 ? 'shown' : 'standing'
}

async function isThere(rpc: Rpc, outpoint: Outpoint): Promise<boolean> {
  return (await readDepth(rpc, outpoint)) !== undefined
}
