import { publicKeyOf } from '@kedge/bitcoin'
import { type BitcoinChain, type Params, paramsToJson, regtestRules } from '@kedge/core'

const key = (seed: number) => publicKeyOf(new Uint8Array(32).fill(seed))

/** Hex of the secrets behind the network's keys, as a keys file holds them. */
export const KEYS = JSON.stringify({
  ...{ peer: '55'.repeat(32), coins: '66'.repeat(32) },
  ...{ anchor: '01'.repeat(32), slot: '02'.repeat(32) },
})

export function paramsText(chain: BitcoinChain): string {
  return JSON.stringify(paramsToJson(paramsOf(chain)))
}

export function paramsOf(chain: BitcoinChain): Params {
  const keys = { anchor: key(1), slot: key(2), fees: key(3), watchers: [key(4), key(5)], threshold: 1 }
  return {
    ...regtestRules,
    chain,
    genesis: { txid: key(6), vout: 0 },
    vault: { txid: key(6), vout: 1, value: 10_000n },
    scanHeight: 112,
    keys,
  }
}
