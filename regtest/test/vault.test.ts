import {
  build,
  buildDeposit,
  buildRefund,
  buildVaultSpend,
  coinKey,
  readTip,
  type Spend,
  sendTransaction,
} from '@kedge/bitcoin'
import {
  type Claim,
  concatBytes,
  type Deposit,
  type Params,
  type PlannedInput,
  planPayout,
  planSweep,
  type Vault,
  type VaultPlan,
  vaultScript,
} from '@kedge/core'
import { expect, test } from 'vitest'
import type { Bitcoind } from '../src/bitcoind.ts'
import {
  describeOnBitcoind,
  expectRefused,
  expectRelayed,
  freshKey,
  fundedKey,
  LOCKED,
  mineAndRead,
  NOT_THE_WATCHERS,
  PARAMS,
  SCRIPT,
  SPENT,
  TWICE,
  useBitcoind,
  WATCHERS,
  witnessOf,
} from './ground.ts'

const HASH = new Uint8Array(32).fill(0xab)
const SIGNERS = WATCHERS.slice(0, PARAMS.keys.threshold)
const REFUND_SECRET = new Uint8Array(32).fill(0x77)

async function fundedVault(bitcoind: Bitcoind, value: bigint): Promise<Vault> {
  const head = await bitcoind.fund(vaultScript(PARAMS), value)
  // Relay takes nothing of version 3 on top of what is of version 2 and waits itself.
  await bitcoind.mine(1)
  return { head, value, number: 0, paid: [] }
}

/** A deposit in the newest block. */
async function madeDeposit(bitcoind: Bitcoind, params: Params = PARAMS): Promise<Deposit> {
  const { publicKey: refundKey } = coinKey(REFUND_SECRET)
  const built = buildDeposit(params, { key: HASH, refundKey }, 20_000n, await fundedKey(bitcoind, 2, 100_000n))
  expect(await sendTransaction(bitcoind.rpc, built.raw, 0n)).toEqual({ ok: true })
  await bitcoind.mine(1)
  const { height } = await readTip(bitcoind.rpc)
  return { position: { height, tx: 1, index: 1 }, txid: built.txid, key: HASH, refundKey, value: 20_000n }
}

/** One script of each kind that withdrawals can be paid to. */
const PROGRAM = new Uint8Array(32).fill(0x11)
const DESTINATIONS = [
  concatBytes(Uint8Array.of(0x76, 0xa9, 20), PROGRAM.slice(0, 20), Uint8Array.of(0x88, 0xac)),
  concatBytes(Uint8Array.of(0xa9, 20), PROGRAM.slice(0, 20), Uint8Array.of(0x87)),
  concatBytes(Uint8Array.of(0, 20), PROGRAM.slice(0, 20)),
  concatBytes(Uint8Array.of(0, 32), PROGRAM),
  freshKey().script,
]
const claims = DESTINATIONS.map((script, number): Claim => ({ number, script, amount: 1_046n, payoutFee: 500n }))

const must = (plan: VaultPlan | undefined): VaultPlan => {
  if (plan === undefined) throw new Error('there is nothing to sign')
  return plan
}

function spendBy({ previous: outpoint, value, by }: PlannedInput, signers: Parameters<typeof witnessOf>[0]): Spend {
  return {
    ...{ outpoint, value, script: by.script, sequence: 0xfffffffd, leaf: by.leaf },
    witness: witnessOf(signers, by),
  }
}

describeOnBitcoind.each(['default', 'core'] as const)('the vault under the %s policy', (policy) => {
  const bitcoind = useBitcoind(policy)

  test('a sweep, and a payout behind it, as large as planned', async () => {
    const vault = await fundedVault(bitcoind(), 10_000n)
    const deposits = [await madeDeposit(bitcoind()), await madeDeposit(bitcoind())]
    await bitcoind().mine(1)
    const { height } = await readTip(bitcoind().rpc)
    const plan = must(planSweep(PARAMS, vault, deposits, height + 1, 1_000n))
    const sweep = buildVaultSpend(PARAMS, plan, SIGNERS)
    expect([sweep.fee, BigInt(sweep.vsize)]).toEqual([plan.fee, plan.fee])
    await expectRelayed(bitcoind(), sweep)
    await bitcoind().mine(1)
    const next = { ...vault, head: { txid: sweep.txid, vout: 0 }, value: plan.outputs[0]?.value ?? 0n }
    const paying = must(planPayout(PARAMS, next, claims, HASH, 1_000n))
    const payout = buildVaultSpend(PARAMS, paying, SIGNERS)
    expect(paying.claims).toEqual([0, 1, 2, 3, 4])
    expect(payout.fee).toBe(paying.fee)
    expect(Number(payout.fee) - payout.vsize).toBeLessThan(claims.length)
    await expectRelayed(bitcoind(), payout)
    const { outputs } = await mineAndRead(bitcoind(), payout.txid)
    expect(outputs).toEqual(paying.outputs)
  })

  test('of two payouts from one head only the dearer is left', async () => {
    const vault = await fundedVault(bitcoind(), 50_000n)
    const cheap = buildVaultSpend(PARAMS, must(planPayout(PARAMS, vault, claims, HASH, 1_000n)), SIGNERS)
    const dear = buildVaultSpend(PARAMS, must(planPayout(PARAMS, vault, claims, HASH, 4_000n)), SIGNERS)
    await expectRelayed(bitcoind(), cheap)
    await expectRelayed(bitcoind(), dear)
    expect(await sendTransaction(bitcoind().rpc, cheap.raw, 0n)).toMatchObject({ ok: false, reason: 'fee' })
    await mineAndRead(bitcoind(), dear.txid)
    await expectRefused(bitcoind(), cheap.raw, 'inputs', SPENT)
    await expectRefused(bitcoind(), dear.raw, 'mined', TWICE)
  })

  test('fewer than t watchers, strangers, the wrong order, or more than t: nothing that Bitcoin takes', async () => {
    const vault = await fundedVault(bitcoind(), 50_000n)
    await bitcoind().mine(1)
    const plan = must(planPayout(PARAMS, vault, claims, HASH, 2_000n))
    expect(() => buildVaultSpend(PARAMS, plan, SIGNERS.slice(1))).toThrow(RangeError)
    const [head] = plan.inputs as [PlannedInput]
    for (const [, signers] of NOT_THE_WATCHERS)
      await expectRefused(bitcoind(), build([spendBy(head, signers)], plan.outputs).raw, 'invalid', SCRIPT)
    await expectRelayed(bitcoind(), buildVaultSpend(PARAMS, plan, SIGNERS))
  })

  test('a deposit is swept by t watchers and by nobody else, alone or beside a head that t have signed for', async () => {
    const vault = await fundedVault(bitcoind(), 10_000n)
    const waiting = await madeDeposit(bitcoind())
    await bitcoind().mine(1)
    const { height } = await readTip(bitcoind().rpc)
    const plan = must(planSweep(PARAMS, vault, [waiting], height + 1, 1_500n))
    expect(() => buildVaultSpend(PARAMS, plan, SIGNERS.slice(1))).toThrow(RangeError)
    const [head, deposit] = plan.inputs as [PlannedInput, PlannedInput]
    const [one, two] = SIGNERS
    for (const [, signers] of NOT_THE_WATCHERS) {
      const alone = build([spendBy(deposit, signers)], [{ script: freshKey().script, value: 19_000n }])
      await expectRefused(bitcoind(), alone.raw, 'invalid', SCRIPT)
      const beside = build([spendBy(head, [undefined, two, one]), spendBy(deposit, signers)], plan.outputs)
      await expectRefused(bitcoind(), beside.raw, 'invalid', SCRIPT)
    }
    const signed = build([spendBy(head, [undefined, two, one]), spendBy(deposit, [undefined, two, one])], plan.outputs)
    await expectRelayed(bitcoind(), signed)
    await mineAndRead(bitcoind(), signed.txid)
  })

  test('the depositor takes back what nobody swept, R blocks later and not one earlier; after a sweep never', async () => {
    const { refund } = PARAMS.windows
    const vault = await fundedVault(bitcoind(), 10_000n)
    const [kept, swept] = [await madeDeposit(bitcoind()), await madeDeposit(bitcoind())]
    await bitcoind().mine(1)
    const { height } = await readTip(bitcoind().rpc)
    const sweep = buildVaultSpend(PARAMS, must(planSweep(PARAMS, vault, [swept], height + 1, 1_000n)), SIGNERS)
    await expectRelayed(bitcoind(), sweep)
    const funding = { key: freshKey(), coins: [], feeRate: 2 }
    const takeBack = (deposit: Deposit) => buildRefund(PARAMS, deposit, REFUND_SECRET, funding)
    // Bitcoin looks at the block that would hold it: R blocks behind the deposit's.
    await bitcoind().mine(kept.position.height + refund - 2 - height)
    await expectRefused(bitcoind(), takeBack(kept).raw, 'early', LOCKED)
    await bitcoind().mine(1)
    const thief = buildRefund(PARAMS, kept, new Uint8Array(32).fill(0x78), funding)
    await expectRefused(bitcoind(), thief.raw, 'invalid', SCRIPT)
    await expectRelayed(bitcoind(), takeBack(kept))
    await mineAndRead(bitcoind(), takeBack(kept).txid)
    await expectRefused(bitcoind(), takeBack(swept).raw, 'inputs', SPENT)
    await expectRefused(bitcoind(), takeBack(kept).raw, 'mined', TWICE)
  })
})
