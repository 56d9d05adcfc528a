import type { Client } from '@kedge/api'
import { callRpc } from '@kedge/bitcoin'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Upkeep } from '../src/upkeep.ts'
import { clientOfNode, failures } from './client.ts'
import { type Built, keyOf, Rollup } from './ground.ts'
import type { TestNode } from './test-node.ts'

const ALICE = 20
const BOB = 21

/** Each sample by its name and labels, from a text that Prometheus reads. */
function read(text: string): Map<string, number> {
  const samples = new Map<string, number>()
  const told = new Set<string>()
  for (const line of text.trimEnd().split('\n')) {
    const [, comment] = /^# (?:HELP|TYPE) (\w+) \S/.exec(line) ?? []
    if (comment !== undefined) told.add(comment)
    if (comment !== undefined) continue
    const [, name = '', labels = '', value = ''] = /^(\w+)(\{.*\})? (\S+)$/.exec(line) ?? []
    expect(told.has(name), `${line} has its help and type`).toBe(true)
    samples.set(name.replace('kedge_', '') + labels, Number(value))
  }
  return samples
}

function expectNone(told: Readonly<Record<string, number>>, ...names: string[]): void {
  for (const name of names) expect(told).not.toHaveProperty([name])
}

describe('metrics of a node on a real bitcoind', () => {
  let rollup: Rollup
  let node: TestNode
  let client: Client
  let batch: Built
  let upkeep: Upkeep = { purse: 0n, cap: 100, waiting: [] }

  const metrics = async () => {
    await node.advance()
    return Object.fromEntries(read(await client.metrics()))
  }
  const share = async (built: Built) => {
    rollup.share(built)
    await rollup.anchor(built)
    await rollup.mine()
  }

  beforeAll(async () => {
    rollup = await Rollup.start()
    node = await rollup.openNode('metrics')
    client = clientOfNode(node, { upkeep: () => upkeep })
  })

  afterAll(async () => {
    await rollup.stop()
    expect(failures).toEqual([])
  })

  it('say where Bitcoin and the chain of batches stand', async () => {
    expect(await metrics()).toMatchObject({
      ...{ bitcoin_height: 112, derived_height: 112, synced: 1, peers: 0, head_batch: 0, final_batch: 0 },
      ...{ 'chain_mode{mode="broken"}': 1, 'chain_mode{mode="active"}': 0, last_link: 0, live_batches: 0 },
      ...{ solvency_margin_satoshis: 10_000, vault_satoshis: 10_000, unpaid_claims: 0 },
    })
    expectNone(await metrics(), 'payout_age_blocks', 'dispute_window_blocks', 'bond_covered')
  })

  it('say what there is and what is owed', async () => {
    await rollup.resume(new Uint8Array(32))
    await rollup.deposit(keyOf(ALICE), 50_000n)
    await rollup.mine()
    expect(await metrics()).toMatchObject({ uncredited_satoshis: 49_500, balances_satoshis: 0 })
    await share(rollup.build(node, []))
    const before = await metrics()
    expect(before).toMatchObject({ uncredited_satoshis: 0, balances_satoshis: 49_490, collected_fees_satoshis: 10 })
    await share(rollup.build(node, [rollup.withdrawal(ALICE, { from: 0, nonce: 0n, amount: 20_000n })]))
    const told = await metrics()
    const { txid, vout } = (await client.vault()).head
    const output = (await callRpc(rollup.bitcoind.rpc, 'gettxout', [txid, vout])) as { value: number }
    expect(told.vault_satoshis).toBe(Math.round(output.value * 1e8))
    expect(told).toMatchObject({
      owed_satoshis: 20_000,
      unpaid_claims: 1,
      head_batch: 3,
      'chain_mode{mode="active"}': 1,
    })
    const { assets_satoshis: assets = 0, liabilities_satoshis: owed = 0 } = told
    expect(told.solvency_margin_satoshis).toBeCloseTo(assets - owed, 3)
    expectNone(told, 'payout_age_blocks')
  })

  it('count down to what ends: dispute windows, forced operations, the exit', async () => {
    await rollup.force(
      rollup.signed(ALICE, keyOf(BOB), { from: 0, toCell: 1, amount: 1n, nonce: 1n, mayCreate: true, fee: 10_100n }),
    )
    await rollup.mine()
    const { windows } = rollup.params
    const first = await metrics()
    expect(first).toMatchObject({ forced_waiting: 1, live_batches: 2, exit_blocks: windows.exit - 1 })
    // Forced in this block, due F blocks later, and left out by origins up to S blocks older than their anchor.
    expect(first.forced_deadline_blocks).toBe(windows.forced - 1 + windows.staleness)
    expect(first.dispute_window_blocks).toBe(windows.dispute - 2)
    await rollup.mine(first.dispute_window_blocks)
    expect(await metrics()).toMatchObject({ final_batch: 2, live_batches: 1, dispute_window_blocks: 1 })
    await rollup.mine(1 + windows.originDepth)
    // Batch 3 was final a block ago, and its withdrawal can be paid since now.
    expect(await metrics()).toMatchObject({ final_batch: 3, live_batches: 0, payout_age_blocks: 0 })
    await rollup.mine(2)
    const late = await metrics()
    expect(late).toMatchObject({ payout_age_blocks: 2 })
    expectNone(late, 'dispute_window_blocks')
    expect(late.forced_deadline_blocks).toBe((first.forced_deadline_blocks ?? 0) - 8)
  })

  it('count down to the answer to a challenge, and count what is void for want of one', async () => {
    batch = rollup.build(node, [])
    await rollup.anchor(batch)
    await rollup.mine()
    await rollup.challenge(batch.hash, 'data')
    await rollup.mine()
    const deadline = `answer_blocks{batch="${batch.number}",kind="data"}`
    const asked = await metrics()
    expect(asked).toMatchObject({ open_challenges: 1, pending_batch: batch.number, synced: 0 })
    expectNone(asked, 'dispute_window_blocks')
    await rollup.mine(asked[deadline] ?? 0)
    expect(await metrics()).toMatchObject({ [deadline]: 0, 'void_batches{cause="unanswered"}': 0 })
    await rollup.mine()
    const over = await metrics()
    expect(over).toMatchObject({ open_challenges: 0, 'void_batches{cause="unanswered"}': 1, head_batch: 3, synced: 1 })
    expect(over).toMatchObject({ 'chain_mode{mode="broken"}': 1 })
    expectNone(over, deadline, 'pending_batch')
  })

  it('say what waits for a block, and alarm where the cap keeps it there; so does health', async () => {
    const { height } = node.queried.follower.chain
    const challenge = { kind: 'challenge', name: 'challenge on batch 9' } as const
    upkeep = {
      ...{ purse: 123_456n, cap: 40 },
      waiting: [
        { ...challenge, deadline: height + 5, feeRate: 12.5, isCapped: false },
        { ...challenge, deadline: height + 2, feeRate: 40, isCapped: true },
        {
          kind: 'payout',
          name: 'the vault’s payout',
          deadline: undefined,
          feeRate: 1,
          isCapped: true,
          pinnedBy: 88_321,
        },
      ],
    }
    expect(await metrics()).toMatchObject({
      ...{ purse_satoshis: 123_456, fee_rate_cap_satoshis_per_vbyte: 40, capped_transactions: 1 },
      pinned_transactions: 1,
      ...{ 'waiting_transactions{kind="challenge"}': 2, 'waiting_transactions{kind="payout"}': 1 },
      ...{ 'waiting_deadline_blocks{kind="challenge"}': 2 },
      ...{ 'waiting_satoshis_per_vbyte{kind="challenge"}': 12.5 },
    })
    expectNone(await metrics(), 'waiting_deadline_blocks{kind="payout"}', 'unconfirmed_anchors')
    expect((await client.health()).capped).toEqual([{ what: challenge.name, deadline: height + 2 }])
    expect((await client.health()).pinned).toEqual([{ what: 'the vault’s payout', vbytes: 88_321 }])
  })

  it('count down to the last sweep of what was paid in, and count what came too late for one', async () => {
    const { refund, margin } = rollup.params.windows
    const none = await metrics()
    expect(none).toMatchObject({ missed_sweeps: 0, unswept_satoshis: 0 })
    expectNone(none, 'sweep_deadline_blocks')
    await rollup.depositUnswept(keyOf(ALICE), 20_000n)
    await rollup.mine()
    await rollup.depositUnswept(keyOf(BOB), 30_000n)
    await rollup.mine()
    expect(await metrics()).toMatchObject({ sweep_deadline_blocks: refund - margin - 1, unswept_satoshis: 50_000 })
    await rollup.mine(refund - margin - 2)
    expect(await metrics()).toMatchObject({ sweep_deadline_blocks: 1, missed_sweeps: 0 })
    await rollup.mine()
    expect(await metrics()).toMatchObject({ sweep_deadline_blocks: 1, missed_sweeps: 1 })
    await rollup.mine()
    const late = await metrics()
    expect(late).toMatchObject({ missed_sweeps: 2, unswept_satoshis: 50_000 })
    expectNone(late, 'sweep_deadline_blocks')
  })

  it('are served as Prometheus asks for them', async () => {
    upkeep = { ...upkeep, waiting: [] }
    expect(await client.health()).not.toHaveProperty('capped')
    expect(await client.health()).not.toHaveProperty('pinned')
    const text = await client.metrics()
    expect(text).toMatch(
      /^# HELP kedge_node_info Always 1; .*\n# TYPE kedge_node_info gauge\nkedge_node_info\{network="/,
    )
    expect(text.endsWith('\n')).toBe(true)
    expect(text.match(/^# HELP \w+ [A-Z1].*\.$/gm)?.length).toBe(text.match(/^# HELP /gm)?.length)
  })
})
