import type { Account } from '@kedge/api'
import type { Rpc } from '@kedge/bitcoin'
import { toHex } from '@kedge/core'
import { readOwnCoins } from '../coins.ts'
import type { Wallet } from '../wallet.ts'

export interface Balance extends Account {
  /** Satoshis on the wallet's Bitcoin address; only when a bitcoind was asked. */
  readonly bitcoin?: bigint
}

/** Money on the rollup, as the node says, and on Bitcoin when there is a bitcoind to ask. */
export async function readBalance(wallet: Wallet, rpc?: Rpc): Promise<Balance> {
  const account = await wallet.client.account({ key: toHex(wallet.keys.rollup.key) })
  if (rpc === undefined) return account
  const { coins } = await readOwnCoins(wallet, rpc)
  return { ...account, bitcoin: [...coins.values()].reduce((sum, { value }) => sum + value, 0n) }
}
