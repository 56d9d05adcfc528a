import { join } from 'node:path'
import { addressOf, type CoinKey, publicKeyOf, type Rpc } from '@kedge/bitcoin'
import { type XOnlyKey, xOnlyKey } from '@kedge/bond'
import { type BondParams, equalBytes, networkId, type Params } from '@kedge/core'
import { bondCoinKey } from '@kedge/sequencer'
import { Store, StoreError } from '@kedge/storage'
import type { Command } from 'commander'
import { ConfigError } from '../config-error.ts'
import { readKeys } from '../keys-file.ts'
import { readParams } from '../node-options.ts'
import { configOf, type Environment } from '../options.ts'
import { rpcAt, type SequencerConfig, sequencerSettings } from '../settings.ts'

/** What the operator's commands work with. */
export interface Operator {
  readonly config: SequencerConfig
  readonly params: Params
  readonly asked: BondParams
  readonly rpc: Rpc
  /** The sequencer's share of the bond's key. */
  readonly share: XOnlyKey
  readonly returnSecret: Uint8Array
  /** Owns the coins that bonds are funded from. */
  readonly coins: CoinKey
  readonly address: string
}

/** @throws ConfigError where the keys are not the network's, or it asks for no bond */
export function readOperator(command: Command, environment: Environment): Operator {
  const config = configOf(command, sequencerSettings, environment)
  const params = readParams(config.params)
  const asked = bondOf(params, config.params)
  const { bond, return: returnSecret } = readKeys(config.keys)
  if (bond === undefined || returnSecret === undefined)
    throw new ConfigError(`${config.keys}: a bond takes the keys bond and return, which a sequencer's file has`)
  const pairs = [
    ['bond', bond, asked.sequencer],
    ['return', returnSecret, asked.return],
  ] as const
  for (const [name, secret, key] of pairs)
    if (!equalBytes(publicKeyOf(secret), key))
      throw new ConfigError(`${config.keys}: ${name} is not the key that ${config.params} names for the bond`)
  const coins = bondCoinKey(returnSecret)
  const address = addressOf(coins.script, params.chain)
  const rpc = rpcAt(config['bitcoin.url'], config)
  return { config, params, asked, rpc, share: xOnlyKey(bond), returnSecret, coins, address }
}

/** @throws ConfigError where the network asks for none */
export function bondOf(params: Params, file: string): BondParams {
  if (params.bond === undefined) throw new ConfigError(`${file}: this network asks for no bond`)
  return params.bond
}

/**
 * The operator's record of its bonds, beside the node's database: both may be open at once.
 * @throws ConfigError where the folder can't be used, or read
 */
export async function withBondStore<T>({ config, params }: Operator, work: (store: Store) => Promise<T>): Promise<T> {
  try {
    const store = await Store.open(join(config.data, 'bond'), networkId(params))
    return await work(store).finally(() => store.close())
  } catch (cause) {
    throw cause instanceof StoreError ? new ConfigError(cause.message, { cause }) : cause
  }
}
