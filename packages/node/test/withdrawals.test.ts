import type { Client } from '@kedge/api'
import { printHash } from '@kedge/bitcoin'
import { computeRoot, fromHex, operationId, type SignedOperation, toHex } from '@kedge/core'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { clientOfNode, failures } from './client.ts'
import { keyHex, keyOf, Rollup } from './ground.ts'
import type { TestNode } from './test-node.ts'

const [ALICE, BOB] = [20, 21]
let rollup: Rollup
let node: TestNode
let client: Client

beforeAll(async () => {
  rollup = await Rollup.start()
  node = await rollup.openNode('node')
  client = clientOfNode(node)
  await rollup.resume(new Uint8Array(32))
  for (const seed of [ALICE, BOB]) await rollup.deposit(keyOf(seed), 50_000n)
  await mine()
  await mine(1)
})

afterAll(async () => {
  await rollup.stop()
  expect(failures).toEqual([])
})

async function mine(blocks = 1): Promise<void> {
  await rollup.mine(blocks)
  await node.advance()
}

async function post(...operations: SignedOperation[]): Promise<void> {
  const built = rollup.build(node, operations)
  rollup.share(built)
  await rollup.anchor(built)
  await mine()
}

/** What is owed, to the millisatoshi, is never more than there is. */
async function vault() {
  const view = await client.vault()
  const { balances, fees, owed, uncredited, unswept, liabilities, assets } = view
  expect(balances + fees + owed + uncredited + unswept).toBe(liabilities)
  expect(assets).toBeGreaterThanOrEqual(liabilities)
  return view
}

const claims = async () =>
  (await client.claims({})).claims.map(({ script, ...claim }) => ({ ...claim, script: fromHex(script) }))

it('a withdrawal climbs to paid, back with a reorganisation, and up again', async () => {
  const out = rollup.withdrawal(ALICE, { from: 0, amount: 20_000n, nonce: 0n })
  const id = rollup.idOf(out)
  await expect(client.withdrawal({ id })).rejects.toMatchObject({ code: 'not-found' })
  const before = await vault()
  await post(out)
  const { dispute, originDepth } = rollup.params.windows
  const anchored = node.queried.follower.chain.height
  const payableAt = anchored + dispute + originDepth
  const placed = { id, batch: 2, index: 2, amount: 20_000n, script: toHex(out.script), claim: 0, payableAt }
  expect(await client.withdrawal({ id })).toMatchObject({ rung: 'anchored', ...placed, depth: 1 })
  expect(await vault()).toMatchObject({ owed: 20_000_000n, unpaid: 1, balances: 78_979_900n, fees: 20_100n })
  expect(before).toMatchObject({ owed: 0n, unpaid: 0, uncredited: 99_000_000n })
  await mine(dispute)
  expect(await client.withdrawal({ id })).toMatchObject({ rung: 'final', ...placed })
  await mine(originDepth)
  expect(await client.withdrawal({ id })).toMatchObject({ rung: 'payable', ...placed })
  expect(await claims()).toMatchObject([{ number: 0, rung: 'payable', payableAt }])
  const txid = printHash(await rollup.payOut(node, await claims()))
  await mine()
  const paid = { rung: 'paid', ...placed, payout: { txid, height: payableAt + 1 } }
  expect(await client.withdrawal({ id })).toMatchObject(paid)
  expect(await vault()).toMatchObject({ owed: 0n, unpaid: 0 })
  expect(await claims()).toEqual([])
  await rollup.bitcoind.reorg(1, [[], []])
  await node.advance()
  expect(await client.withdrawal({ id })).toMatchObject({ rung: 'payable', ...placed })
  expect(await vault()).toMatchObject({ owed: 20_000_000n, unpaid: 1 })
  await mine()
  expect(await client.withdrawal({ id })).toMatchObject({ ...paid, payout: { txid, height: payableAt + 3 } })
})

it('what is forced shows when it is due, which batch carried it, and whether it did anything', async () => {
  const out = rollup.withdrawal(BOB, { from: 1, amount: 30_000n, nonce: 0n })
  const idle = rollup.signed(BOB, keyOf(ALICE), { from: 1, toCell: 0, amount: 5n, nonce: 9n })
  await rollup.force(out)
  await rollup.force(idle)
  await mine()
  const { height } = node.queried.follower.chain
  const { forced, staleness } = rollup.params.windows
  const due = { dueFrom: height + forced, lastWithout: height + forced - 1 + staleness }
  expect(await client.withdrawal({ id: rollup.idOf(out) })).toEqual({ rung: 'pending', id: rollup.idOf(out) })
  const { forced: waiting } = await client.forcedOperations({})
  expect(waiting.map(({ id }) => id).sort()).toEqual([rollup.idOf(out), rollup.idOf(idle)].sort())
  for (const entry of waiting) expect(entry).toMatchObject({ ...due, rung: 'waiting' })
  await mine(forced)
  await post()
  const carried = { rung: 'anchored', carriedIn: { batch: 3 } }
  expect((await client.forced({ id: rollup.idOf(out) })).forced).toMatchObject([{ ...carried, effect: 'executed' }])
  expect((await client.forced({ id: rollup.idOf(idle) })).forced).toMatchObject([{ ...carried, effect: 'none' }])
  expect(await client.withdrawal({ id: rollup.idOf(out) })).toMatchObject({ rung: 'anchored', forced: true, claim: 1 })
  expect(await vault()).toMatchObject({ owed: 30_000_000n, unpaid: 1 })
  const { entries } = await client.accountHistory({ key: keyHex(BOB) })
  expect(entries.map(({ kind, id, forced: isForced }) => [kind, id === rollup.idOf(out), isForced])).toEqual([
    ['withdrawal', true, true],
    ['deposit', false, undefined],
  ])
  const again = await rollup.openNode('again')
  await again.advance()
  const { id } = { id: rollup.idOf(out) }
  expect(await clientOfNode(again).withdrawal({ id })).toEqual(await client.withdrawal({ id }))
  expect(await clientOfNode(again).vault()).toEqual(await client.vault())
})

it('shows what stands at a place of a batch, and its path to the header', async () => {
  const { batches } = await client.batches({})
  let shown = 0
  for (const batch of batches) {
    if (batch.outcome !== 'batch' || batch.header === undefined) continue
    const { number, header } = batch
    for (let index = 0; index < header.opCount; index++) {
      const { id, operation, path } = await client.operation({ number, index })
      expect(id).toBe(toHex(operationId(fromHex(operation))))
      const root = computeRoot(header.opCount, [index], [fromHex(id)], path.map(fromHex))
      expect(root && toHex(root)).toBe(header.opsRoot)
      shown += 1
    }
    await expect(client.operation({ number, index: header.opCount })).rejects.toMatchObject({ code: 'not-found' })
  }
  expect(shown).toBeGreaterThanOrEqual(5)
  await expect(client.operation({ number: 1, index: 0 })).rejects.toMatchObject({ code: 'not-found' })
})
