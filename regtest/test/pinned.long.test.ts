import { setTimeout as sleep } from 'node:timers/promises'
import {
  type Built,
  build,
  type Coin,
  type CoinKey,
  coinKey,
  keySpend,
  readMempoolEntry,
  readSpending,
  readTransaction,
  sendTransaction,
} from '@kedge/bitcoin'
import { equalBytes, type L1Output } from '@kedge/core'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { RelayPolicy } from '../src/bitcoind.ts'
import { gather, type Payer } from '../src/chaos/crowd.ts'
import { openStand, type Stand } from '../src/chaos/stand.ts'
import { force, signWithdrawal } from '../src/force.ts'
import { describeOnBitcoind } from './ground.ts'
import { vaultNow } from './owed.ts'

const POLICIES: readonly RelayPolicy[] = ['core', 'default']

/** A payee hangs children on a payout that waits, while no block takes it. Two watchers of three run. */
describeOnBitcoind.each(POLICIES)('a payout that its payee spends while it waits, under the %s policy', (policy) => {
  let stand: Stand
  let coin: Coin
  const attacker = coinKey(new Uint8Array(32).fill(0x71))
  const honest = coinKey(new Uint8Array(32).fill(0x72))
  const VALUE = 100_000_000n

  beforeAll(async () => {
    stand = await openStand({ challengers: 2, sealAfterMs: 150, policy })
    const { bitcoind, params } = stand.network
    const [first, second] = (await gather(stand.network, 2, 300_000n)) as [Payer, Payer]
    const outpoint = await bitcoind.fund(attacker.script, VALUE)
    coin = { outpoint, value: VALUE, height: undefined, coinbase: false }
    const withdraw = async (payer: Payer, { script }: CoinKey, amount: bigint, payoutFee: bigint) => {
      const fields = { script, amount, payoutFee, from: payer.cell, nonce: payer.nonce }
      await force(bitcoind, params, signWithdrawal(params, fields, payer.secret))
      payer.nonce += 1n
    }
    await withdraw(first, honest, 100_000n, 60_000n)
    await withdraw(second, attacker, 3_000n, 1_036n)
  }, 90_000)
  afterAll(() => stand.close(), 60_000)

  async function waiting() {
    const { bitcoind, params } = stand.network
    const raw = await readSpending(bitcoind.rpc, (await vaultNow(bitcoind.rpc, params)).head)
    const entry = raw && (await readMempoolEntry(bitcoind.rpc, readTransaction(raw).txid))
    return raw && entry && { ...readTransaction(raw), ...entry }
  }

  /** At 1 sat/vB, of the attacker's payment and its own coin. */
  function child(txid: Uint8Array, outputs: readonly L1Output[], count: number, version: 2 | 3): Built {
    const vout = outputs.findIndex(({ script }) => equalBytes(script, attacker.script))
    const { value } = outputs[vout] as L1Output
    const paid: Coin = { outpoint: { txid, vout }, value, height: undefined, coinbase: false }
    const spends = [paid, coin].map((one) => keySpend(one, attacker.script, attacker.spendingSecret))
    const many = Array.from({ length: count }, () => ({ script: attacker.script, value: 1_000n }))
    const made = (change: bigint) => build(spends, [...many, { script: attacker.script, value: change }], version)
    const { fee, vsize } = made(1_000n)
    return made(1_000n + fee - BigInt(vsize) - 100n)
  }

  it('is raised where relay keeps BIP431; elsewhere its watchers say what holds it', { timeout: 120_000 }, () =>
    stand.play(async () => {
      const { network } = stand
      const { bitcoind } = network
      const health = async () => (await network.challengers[0]?.client.health()) ?? expect.fail('no challenger runs')
      const first = await network.waitFor({ until: 'a payout of both waits', withinMs: 60_000 }, async () => {
        const there = await waiting()
        if (there?.outputs.length === 4) return there
        await network.mine()
        return undefined
      })
      const large = child(first.txid, first.outputs, 2_050, 2)
      expect(large.vsize).toBeGreaterThan(88_000)
      const isPinned = (await sendTransaction(bitcoind.rpc, large.raw, 0n)).ok
      if (policy === 'core') expect(isPinned).toBe(false)
      const small = child(first.txid, first.outputs, 18, 3)
      if (!isPinned) expect(await sendTransaction(bitcoind.rpc, small.raw, 0n)).toEqual({ ok: true })
      for (let block = 0; block < 14; block++) {
        await bitcoind.mineBlock([])
        await network.synced()
        await sleep(600)
      }
      const last = await waiting()
      const pinned = [{ what: "the vault's payout", vbytes: large.vsize }]
      expect((await health()).pinned).toEqual(isPinned ? pinned : undefined)
      if (isPinned) {
        expect([last?.txid, (await health()).capped]).toEqual([first.txid, undefined])
      } else {
        expect(last?.fee).toBeGreaterThan(first.fee + small.fee)
        expect(last?.hanging).toEqual({ vsize: last?.vsize, fee: last?.fee })
      }
      await network.mine()
      await network.waitFor({ until: 'the alarm ends' }, async () =>
        (await health()).pinned === undefined ? true : undefined,
      )
    }),
  )
})
