import {
  type Built,
  build,
  buildVaultSpend,
  type Coin,
  keySpend,
  readMempoolEntry,
  sendTransaction,
} from '@kedge/bitcoin'
import { type Claim, planPayout, type Vault, vaultScript } from '@kedge/core'
import { expect, test } from 'vitest'
import {
  describeOnBitcoind,
  expectRelayed,
  freshKey,
  fundedKey,
  mineAndRead,
  PARAMS,
  useBitcoind,
  WATCHERS,
} from './ground.ts'

const SIGNERS = WATCHERS.slice(0, PARAMS.keys.threshold)
const HASH = new Uint8Array(32).fill(0xab)

/**
 * A payee can spend a payout that waits, and whoever replaces it pays for that too. Of version 3, where relay keeps its
 * rules (BIP431), such a child is small, alone, and of version 3 itself.
 */
describeOnBitcoind('a payee who hangs a child on a payout that waits, under the core policy', () => {
  const bitcoind = useBitcoind('core')

  test('can’t hang a large one, nor two; and what a small one costs, a raise pays', async () => {
    const { rpc } = bitcoind()
    const value = 50_000_000n
    const vault: Vault = { head: await bitcoind().fund(vaultScript(PARAMS), value), value, number: 0, paid: [] }
    const payee = freshKey()
    const { key, coins } = await fundedKey(bitcoind(), 1, 10_000_000n, 10_000_000n)
    await bitcoind().mine(1)
    const claims = [0, 1, 2].map(
      (number): Claim => ({ number, script: payee.script, amount: 30_000n, payoutFee: 20_000n }),
    )
    const payout = (rate: bigint): Built => {
      const plan = planPayout(PARAMS, vault, claims, HASH, rate * 1000n)
      if (plan === undefined) throw new Error('there is no payout')
      return buildVaultSpend(PARAMS, plan, SIGNERS)
    }
    const cheap = payout(2n)
    await expectRelayed(bitcoind(), cheap)

    /** At 1 sat/vB, of the payee's output `vout` and a coin that is confirmed. */
    const child = (vout: number, outputs: number, version: 2 | 3, coin = coins[0] as Coin): Built => {
      const paid: Coin = {
        outpoint: { txid: cheap.txid, vout },
        value: 30_000n - cheap.fee / 3n,
        height: undefined,
        coinbase: false,
      }
      const many = Array.from({ length: outputs }, () => ({ script: key.script, value: 1_000n }))
      const spends = [
        keySpend(paid, payee.script, payee.spendingSecret),
        keySpend(coin, key.script, key.spendingSecret),
      ]
      const made = (change: bigint) => build(spends, [...many, { script: key.script, value: change }], version)
      const { fee, vsize } = made(1_000n)
      return made(1_000n + fee - BigInt(vsize))
    }
    const refusal = async ({ raw }: Built) => {
      const sent = await sendTransaction(rpc, raw, 0n)
      return sent.ok ? 'taken' : sent.detail
    }
    expect(await refusal(child(2, 2_050, 2))).toMatch(/cannot spend from version=3/)
    expect(await refusal(child(2, 1, 2))).toMatch(/cannot spend from version=3/)
    expect(await refusal(child(2, 22, 3))).toMatch(/too big: \d+ > 1000 virtual bytes/)

    const small = child(2, 19, 3)
    expect(small.vsize).toBeGreaterThan(950)
    await expectRelayed(bitcoind(), small)
    expect(await refusal(child(3, 1, 3, coins[1]))).toMatch(/exceed|sibling|insufficient fee/)
    const { hanging } = (await readMempoolEntry(rpc, cheap.txid)) ?? {}
    expect(hanging).toEqual({ vsize: cheap.vsize + small.vsize, fee: cheap.fee + small.fee })

    const least = Number(cheap.fee + small.fee) / cheap.vsize + 1
    expect(await refusal(payout(BigInt(Math.floor(least) - 1)))).toMatch(/insufficient fee/)
    const raised = payout(BigInt(Math.ceil(least)))
    await expectRelayed(bitcoind(), raised)
    expect(raised.fee).toBeLessThan(cheap.fee + 1_000n + 2n * BigInt(raised.vsize))
    await mineAndRead(bitcoind(), raised.txid)
  })
})
