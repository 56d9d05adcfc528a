import { fromHex, toHex } from '@kedge/core'
import { force, signWithdrawal } from '@kedge/regtest'
import type { Verifier } from '@kedge/signatures'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Executor } from '../src/execute.ts'
import { solvencyOf } from '../src/solvency.ts'
import { clientOfNode } from './client.ts'
import { keyOf, Rollup, secretOf } from './ground.ts'
import type { TestNode } from './test-node.ts'

const ALICE = 20
const SCRIPT = fromHex(`5120${'ab'.repeat(32)}`)

/** The chain ends with one batch, in which alice has what she paid in; from there on Bitcoin moves the ledger. */
describe('a chain that has ended', () => {
  let rollup: Rollup
  let node: TestNode
  beforeAll(async () => {
    rollup = await Rollup.start()
    node = await rollup.openNode('early')
    await rollup.begin(node, [ALICE], 50_000n)
    const built = rollup.build(node, [])
    rollup.share(built)
    await rollup.anchor(built)
    await rollup.mine()
    await rollup.close()
    await rollup.mine(rollup.params.windows.dispute)
    await node.advance()
  })
  afterAll(() => rollup.stop())

  const balanceOf = ({ queried: { executor } }: TestNode) => executor.ledger.tree.account(0).balance
  const isSolvent = ({ queried: { options, follower, executor } }: TestNode) => {
    const balance = solvencyOf(options.params, follower, executor)
    return balance !== undefined && balance.assets >= balance.liabilities
  }

  async function leave(nonce: bigint, amount: bigint): Promise<void> {
    const order = { from: 0, nonce, script: SCRIPT, amount, payoutFee: 1_000n }
    await force(rollup.bitcoind, rollup.params, signWithdrawal(rollup.params, order, secretOf(ALICE)))
  }

  it('credits what is swept, applies what is forced, and owes it', async () => {
    const { executor, follower } = node.queried
    expect([executor.hasExited, executor.isCaughtUp, follower.chain.exitFrom]).toEqual([
      false,
      true,
      follower.chain.height,
    ])
    const before = balanceOf(node)
    await rollup.deposit(keyOf(ALICE), 30_000n)
    await leave(0n, 20_000n)
    await rollup.mine()
    await node.advance()
    expect(balanceOf(node)).toBe(before + 29_500_000n - 20_000_000n - 100n)
    expect([executor.hasExited, executor.claims.sum([]).unpaid]).toEqual([true, { count: 1, value: 20_000n }])
    expect(isSolvent(node)).toBe(true)
  })

  it('is sequenced by nobody: also who was the sequencer says so of accounts', async () => {
    for (const role of ['sequencer', 'challenger'] as const) {
      const account = await clientOfNode(node, { role }).account({ key: toHex(keyOf(ALICE)) })
      expect(account).toMatchObject({ rung: 'anchored', balance: balanceOf(node) })
    }
  })

  it('tells what was forced of it, and when it is paid', async () => {
    const client = clientOfNode(node)
    const { height } = node.queried.follower.chain
    const order = { from: 0, nonce: 0n, script: SCRIPT, amount: 20_000n, payoutFee: 1_000n }
    const id = rollup.idOf(signWithdrawal(rollup.params, order, secretOf(ALICE)))
    const payableAt = height + rollup.params.windows.originDepth
    expect(await client.withdrawal({ id })).toMatchObject({
      rung: 'exit',
      height,
      claim: 0,
      amount: 20_000n,
      payableAt,
    })
    expect((await client.forced({ id })).forced).toMatchObject([
      { rung: 'final', carriedAt: height, effect: 'executed' },
    ])
    expect(await client.vault()).toMatchObject({ owed: 20_000_000n, unpaid: 1, uncredited: 0n })
  })

  it('pays a claim k blocks behind its step', async () => {
    const { executor, follower, options } = node.queried
    const payable = () => {
      const { chain, links, facts } = follower
      return executor.claims.payable({ params: options.params, chain, links, facts }).map(({ number }) => number)
    }
    expect(payable()).toEqual([])
    await rollup.mine()
    await node.advance()
    expect(payable()).toEqual([0])
  })

  it('goes back with Bitcoin, and forward on another branch', async () => {
    const { executor } = node.queried
    const root = executor.ledger.root
    await leave(1n, 10_000n)
    await rollup.mine()
    await node.advance()
    expect(executor.claims.count).toBe(2)
    await rollup.bitcoind.reorg(1, [[], []])
    await node.advance()
    expect([executor.claims.count, executor.ledger.root]).toEqual([1, root])
    await rollup.mine()
    await node.advance()
    expect(executor.claims.count).toBe(2)
    expect(isSolvent(node)).toBe(true)
  })

  it('is the same for a node that begins now, and for one that begins again', async () => {
    const late = await rollup.openNode('late')
    await late.advance()
    const { store, follower, data, verifier, executor } = node.queried
    expect(late.queried.executor.ledger.root).toEqual(executor.ledger.root)
    await executor.flush()
    const parts = { store, follower, data, verifier: verifier as Verifier, ownTail: () => [] }
    const again = new Executor(parts)
    await again.load()
    expect([again.hasExited, again.claims.count]).toEqual([false, 0])
    await again.advance(new AbortController().signal)
    expect([again.ledger.root, again.claims.sum([])]).toEqual([executor.ledger.root, executor.claims.sum([])])
  })
})
