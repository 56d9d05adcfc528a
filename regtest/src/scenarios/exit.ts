import { readBlock, readBlockHash, readRawBlock, readTip } from '@kedge/bitcoin'
import { equalBytes, type L1Output } from '@kedge/core'
import { force, signWithdrawal } from '../force.ts'
import type { NodeProcess } from '../node-process.ts'
import { expect, type Scenario } from '../scenario.ts'
import type { Person, Stage } from '../stage.ts'
import { findDifference, toldBy } from '../told.ts'

/** Satoshis that each lets go to the payout's fee at most. */
const PAYOUT_FEE = 1_000n

/**
 * The sequencer is gone for ever; whoever has money takes it out with Bitcoin alone. The chain of batches does not come
 * back from this, so it is the last thing that is played on a network.
 */
export const exit: Scenario = {
  name: 'exit',
  title: 'exit: the sequencer is dead, and everybody gets out, to the last satoshi',
  run: async (stage) => {
    const { network } = stage
    await stage.people(3)
    await stage.step('the sequencer is killed, and stays away', () => network.sequencer.kill())
    await stage.step(
      `${network.params.windows.exit} blocks pass without a batch: the chain has ended, and Bitcoin alone moves the ledger`,
      () => untilEnded(stage),
      (from) => `from height ${from} on`,
    )
    const leaving = await stage.step(
      'everybody signs a withdrawal of all that he has, and puts it on Bitcoin',
      () => leaveAll(stage),
      (all) => `${all.length} withdrawals`,
    )
    await stage.step('the watchers pay each of them, once', (note) =>
      stage.mineUntil('everybody is paid', (tell) => arePaid(stage, leaving, tell), note),
    )
    await stage.step('no whole satoshi is left to anybody inside, and the vault holds what is owed', () =>
      expectEmpty(stage, leaving),
    )
    await stage.step(
      'a challenger that begins now, with an empty disk, comes to the same state, and tells the same of all that was paid',
      () => joinAfterwards(stage),
      (root) => `state root ${root.slice(0, 16)}…`,
    )
  },
}

/** The first block of the exit. */
async function untilEnded({ network }: Stage): Promise<number> {
  await network.bitcoind.mine(network.params.windows.exit)
  await network.synced()
  return network.waitFor({ until: 'the chain has ended on every node' }, async (note) => {
    const healths = await Promise.all(network.running.map(({ client }) => client.health()))
    note(healths.map(({ mode }) => mode).join(', '))
    const [first] = healths.map(({ exit: ended }) => ended?.from)
    return healths.every(({ exit: ended }) => ended !== undefined) ? first : undefined
  })
}

interface Leaving {
  readonly person: Person
  /** Satoshis that leave the ledger. */
  readonly amount: bigint
}

async function leaveAll(stage: Stage): Promise<readonly Leaving[]> {
  const { bitcoind, params } = stage.network
  const leaving: Leaving[] = []
  for (const person of stage.everyone) {
    const { cells } = await stage.account(witness(stage), person)
    for (const { cell, nonce, balance } of cells) {
      const amount = (balance - params.fees.transfer) / 1000n
      if (amount < params.fees.dust + PAYOUT_FEE) continue
      const { bitcoin, rollup } = person.wallet.keys
      const order = { from: cell, nonce, script: bitcoin.script, amount, payoutFee: PAYOUT_FEE }
      await force(bitcoind, params, signWithdrawal(params, order, rollup.secret))
      leaving.push({ person, amount })
    }
  }
  return leaving
}

async function arePaid(
  stage: Stage,
  leaving: readonly Leaving[],
  note: (text: string) => void,
): Promise<true | undefined> {
  const { params } = stage.network
  const payments = await paymentsFrom(stage)
  const paid = leaving.filter(({ person, amount }) => {
    const mine = payments.filter(({ script }) => equalBytes(script, person.wallet.keys.bitcoin.script))
    const owed = mine.filter(({ value }) => value < amount && value >= amount - PAYOUT_FEE)
    expect(owed.length <= 1, `${person.name} is paid ${owed.length} times`)
    return owed.length === 1
  })
  note(`${paid.length} of ${leaving.length}, by ${params.keys.threshold} of ${params.keys.watchers.length} watchers`)
  return paid.length === leaving.length ? true : undefined
}

/** What the blocks of the exit pay. */
async function paymentsFrom(stage: Stage): Promise<readonly L1Output[]> {
  const { rpc } = stage.network.bitcoind
  const { exit: ended } = await witness(stage).client.health()
  const { height: tip } = await readTip(rpc)
  const payments: L1Output[] = []
  for (let height = ended?.from ?? tip; height <= tip; height++) {
    const hash = await readBlockHash(rpc, height)
    if (hash === undefined) break
    payments.push(...readBlock(await readRawBlock(rpc, hash), height).transactions.flatMap(({ outputs }) => outputs))
  }
  return payments
}

async function expectEmpty(stage: Stage, leaving: readonly Leaving[]): Promise<void> {
  for (const node of stage.network.running) {
    for (const { person } of leaving) {
      const { balance } = await stage.account(node, person)
      expect(balance < 1000n, `${person.name} still has ${balance} msat on ${node.name}`)
    }
    const { balance } = await node.client.health()
    expect(balance !== undefined && balance.assets >= balance.liabilities, `${node.name} finds less than is owed`)
  }
}

async function joinAfterwards(stage: Stage): Promise<string> {
  const { network } = stage
  const late = await network.addChallenger(`late-${network.challengers.length + 1}`)
  await late.start()
  await network.synced()
  const root = await network.waitFor({ until: 'all nodes have the same state' }, async () => {
    const healths = await Promise.all(network.running.map(({ client }) => client.health()))
    const roots = new Set(healths.map(({ exit: ended }) => ended?.root))
    return healths.every(({ synced }) => synced) && roots.size === 1 ? healths[0]?.exit?.root : undefined
  })
  const keys = stage.everyone.map(({ key }) => key)
  const difference = findDifference(await toldBy(witness(stage).client, keys), await toldBy(late.client, keys))
  expect(difference === undefined, `it differs in ${difference}`)
  return root
}

/** A node that has been there from the start. */
function witness({ network }: Stage): NodeProcess {
  const [first] = network.challengers
  if (first === undefined) throw new Error('there is no challenger')
  return first
}
